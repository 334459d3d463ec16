"""What each driver counts of the frames that pass it, and under which names (``ethtool -S``).

A driver that is not in the table may count as well, but under names of its own and by rules of its
own: whether a frame that XDP takes is among the received ones, for one. Those in the table were
tried, with every mode that they have, against the counts of the XDP program.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class DriverCounters(NamedTuple):
    """One driver's names, as regular expressions for the whole of a name."""

    received: str = ""
    """Frames that it took in by queue, whatever became of them then; the group is the queue's
    number. Where a driver has none of this name, its link counts them (``rx_packets``)."""
    redirected_out: str = ""
    """Frames that XDP programs redirected out of it; empty where it has no count of these alone."""
    refused_out: str = ""
    """Those that it had no room for."""
    counts_refused_twice: bool = False
    """Whether these are among `redirected_out` as well."""
    verdicts: Mapping[str, str] = MappingProxyType({})
    """What became of frames in XDP, by names that are fields of `DriverVerdicts`."""


_OF_VETH = DriverCounters(
    r"rx_queue_(\d+)_xdp_packets",
    r"tx_queue_\d+_xdp_xmit",
    r"tx_queue_\d+_xdp_xmit_errors",
    verdicts={
        r"rx_queue_\d+_xdp_packets": "came",
        r"rx_queue_\d+_xdp_drops": "dropped",
        r"rx_queue_\d+_xdp_tx(_errors)?": "sent",
        r"rx_queue_\d+_(xdp_redirect|drops)": "redirected",  # drops: and refused there
    },
)
_COUNTERS: Mapping[str, DriverCounters] = {
    "veth": _OF_VETH,  # drivers/net/veth.c, Linux 6.18
    "soft": _OF_VETH,  # the soft NIC
    "igb": DriverCounters(r"rx_queue_(\d+)_packets"),  # ethernet/intel/igb, Linux 6.1 to 7.3
    # virtio_net.c. Its names became shorter, and the received ones went to the link, in Linux 6.10.
    "virtio_net": DriverCounters(
        r"rx_queue_(\d+)_packets",
        r"tx(_queue_)?\d+_xdp_tx",
        r"tx(_queue_)?\d+_xdp_tx_drops",
        counts_refused_twice=True,
    ),
    "vmxnet3": DriverCounters(),  # vmxnet3/vmxnet3_ethtool.c, Linux 6.1 to 7.3
}

AS_VETH = ("veth", "soft")
"""Drivers with the wire of a veth: what one end sends is the other's at once, or lost."""


class DriverVerdicts(NamedTuple):
    """Packets of an interface by the verdict that they got."""

    came: int = 0
    """All of them."""
    dropped: int = 0
    """With those of ``XDP_ABORTED`` among them."""
    sent: int = 0
    """Back out of the interface."""
    redirected: int = 0
    """To sockets, interfaces or cores."""

    @property
    def passed(self) -> int:
        """To the stack."""
        return max(self.came - self.dropped - self.sent - self.redirected, 0)


def counts_received(driver: str) -> bool:
    """Tell whether it is known how a driver counts each frame that it takes in."""
    return driver in _COUNTERS


def received_by_queue(driver: str, statistics: Mapping[str, int]) -> Counter[int]:
    """Count the frames that an interface took in, by queue; empty where its driver does not.

    Parameters
    ----------
    driver
        Its name.
    statistics
        What it counts: `Interface.driver_statistics`.
    """
    name = re.compile(_COUNTERS[driver].received if driver in _COUNTERS else "")
    found = ((name.fullmatch(each), count) for each, count in statistics.items())
    # Queues may be added while packets flow.
    return Counter({int(match[1]): count for match, count in found if match and match[0]})


def redirected_out(driver: str, statistics: Mapping[str, int]) -> tuple[int, int] | None:
    """Count frames that were redirected out of an interface, and those that found no room.

    Returns
    -------
    tuple of int or None
        None where the driver does not tell them from others.
    """
    names = _COUNTERS.get(driver)
    if names is None or not names.redirected_out:
        return None
    out = _total(statistics, names.redirected_out)
    refused = _total(statistics, names.refused_out)
    return out - refused if names.counts_refused_twice else out, refused


def verdicts(driver: str, statistics: Mapping[str, int]) -> DriverVerdicts | None:
    """Sum up the queues' counts of verdicts; None where a driver counts none."""
    names = _COUNTERS[driver].verdicts if driver in _COUNTERS else {}
    if not names:
        return None
    found: Counter[str] = Counter()
    for name, field in names.items():
        found[field] += _total(statistics, name)
    return DriverVerdicts(**found)


def _total(statistics: Mapping[str, int], name: str) -> int:
    return sum(count for each, count in statistics.items() if re.fullmatch(name, each))
