"""The words of a ledger for packets that a handler saw, and for a handler that takes too long."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from xdplab.core.text import counted, duration
from xdplab.ledger.lines import Line
from xdplab.ledger.situation import Situation

if TYPE_CHECKING:
    from xdplab.telemetry.region import Telemetry

_INSIDE_NS = 100_000_000
"""A handler that is inside for so long is reported, also while it is."""


def budget_of(telemetry: Telemetry) -> float:
    """Return the seconds that a handler may take for a batch."""
    return int(telemetry.control()["handler_budget_ns"]) / 1e9


def watched(telemetry: Telemetry) -> str:
    """Say that a handler took longer than its budget, or has not returned; empty if all is well.

    Parameters
    ----------
    telemetry
        Of the engine.
    """
    found = []
    budget_ns = budget_of(telemetry) * 1e9
    budget = duration(budget_ns)
    for worker in range(telemetry.workers):
        begun_ns = telemetry.inside_handler(worker)
        inside_ns = time.monotonic_ns() - begun_ns
        of = f" of worker {worker}" if telemetry.workers > 1 else ""
        if begun_ns and inside_ns > _INSIDE_NS:
            found.append(
                f"The handler{of} has been inside for {duration(inside_ns)} (budget {budget}): the "
                "worker takes no packet until it returns, and nothing but the end of the process "
                "ends it."
            )
        count = telemetry.counters(worker)
        if (longest_ns := int(count["handler_longest_ns"])) > budget_ns:
            found.append(
                f"The handler{of} took {duration(longest_ns)} for a batch of "
                f"{int(count['handler_longest_packets']):,} (budget {budget}): do less in it, or "
                "take smaller batches, engine.batch."
            )
    return " ".join(found)


def handled(counts: Mapping[str, int], now: Situation) -> Iterator[str]:
    """Say which packets a handler lost by its verdicts.

    Parameters
    ----------
    counts
        Packets by the line.
    now
        The settings.
    """
    if refused := counts.get(Line.HANDLER_REFUSED):
        if now.delivers:
            can = "this capture can drop, send back and deliver"
        elif now.joins:
            can = "an engine that joins two interfaces can drop and forward"
        else:
            can = (
                "this engine can drop and send back; to forward takes Engine(forward_to=...), to "
                "deliver a Capture"
            )
        yield (
            f"{counted(refused, 'packet')} were dropped, since the handler's verdict can't be "
            f"carried out here: {can}. A handler that was made with sends=False can't send either."
        )
    if unknown := counts.get(Line.HANDLER_UNKNOWN):
        yield (
            f"{counted(unknown, 'packet')} were dropped, since the handler returned no verdict, or "
            "set a length that the packet can't have: return XDPLAB_DROP, XDPLAB_SEND_BACK, "
            "XDPLAB_FORWARD or XDPLAB_DELIVER (in Python xdplab.handlers.DROP and so on), and keep "
            "packet->length within 14 and packet->room."
        )
