"""What an XDP program of the user's did with the packets that it did not redirect to the engine.

Nothing counts inside the program, which is the user's, and runs as it was written. The engine's
sockets count what they were given or refused. A veth's driver counts verdicts in native mode:
drops, with those of ``XDP_ABORTED`` among them, packets sent back, redirected, and refused by where
they were redirected or sent to; the others it passed. A tracing program of ours (fexit) would count
on other drivers, too, but can't be attached: it needs the program's BTF, which is not loaded, and
CAP_PERFMON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from xdplab.ledger.lines import Line
from xdplab.net.driver_counters import DriverVerdicts, verdicts

if TYPE_CHECKING:
    from xdplab.ledger.counting_points import Counts


def of_driver(driver: str, statistics: Mapping[str, int]) -> dict[str, int]:
    """Return a driver's counts of verdicts, as fields of `Counts`."""
    found = verdicts(driver, statistics) or DriverVerdicts()
    return {
        "program_dropped": found.dropped,
        "program_sent": found.sent,
        "program_redirected": found.redirected,
    }


def at_sockets(found: Counts) -> Counts:
    """Take for redirected what the engine's sockets were given, and what they refused."""
    lost = found.ring_full + found.no_fill + found.too_large + found.too_many + found.rx_closed
    return replace(found, redirected=lost + found.waiting + found.received)


def elsewhere(grown: Counts) -> int:
    """Count what the program redirected, and not to the engine's sockets."""
    return max(grown.program_redirected - grown.redirected, 0)


def account_for(
    grown: Counts, *, counted: bool, flowing: bool, device: bool
) -> list[tuple[Line, int]]:
    """Say what the program did.

    Parameters
    ----------
    grown
        The counts since the ledger began.
    counted
        Whether the driver counts verdicts.
    flowing
        Whether packets flow: then a packet that only the driver has counted is in flight.
    device
        Whether the driver counts the packets that came.

    Returns
    -------
    list of tuple
        Lines of the ledger, and the packets of each.
    """
    if not device:
        return []
    if not counted:
        return [(Line.PROGRAM_OTHERS, max(grown.device - grown.redirected - grown.uncounted, 0))]
    went = elsewhere(grown)
    left = grown.program_dropped + grown.program_sent + grown.redirected + went
    return [
        (Line.PROGRAM_DROPPED, grown.program_dropped),
        (Line.PROGRAM_SENT, grown.program_sent),
        (Line.PROGRAM_REDIRECTED, 0 if flowing else went),
        (Line.STACK, max(grown.device - left, 0)),
    ]
