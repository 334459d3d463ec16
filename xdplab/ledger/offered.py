"""What a generator was asked for beside what it sent: one rule, for ledgers and measurements."""

from __future__ import annotations

import os
from collections.abc import Collection
from math import isnan

from xdplab.core.text import percent, rate

ENOUGH = 0.95
"""The share of what was asked for from which on a generator did what it was told."""

CATCHES_UP = "It makes up for at most 1,024 frames or 100 ms, and skips the rest."

_SLACK_SECONDS = 0.1  # frames of so long may still come: a generator catches up


def shortfall(asked_pps: float | None, sent_pps: float | None) -> str:
    """Say that less was sent than was asked for; empty where that is not so, or not known."""
    if asked_pps is None or sent_pps is None or isnan(asked_pps) or isnan(sent_pps):
        return ""
    if sent_pps >= ENOUGH * asked_pps:
        return ""
    return f"The generator sent {rate(sent_pps, 3)} of {rate(asked_pps, 3)} asked"


def is_short(asked: int, sent: int, asked_pps: float | str) -> bool:
    """Tell whether fewer frames were sent than were asked for, at the present rate."""
    slack = 0.0 if isinstance(asked_pps, str) else asked_pps * _SLACK_SECONDS
    return sent < ENOUGH * asked and asked - sent > max(slack, 1)


def of_asked(sent: int, asked: int) -> str:
    """Write both: "4,401 of 50,000 packets asked (8.8 %)"."""
    return f"{sent:,} of {asked:,} packets asked ({percent(sent / asked)})"


def apart(core: int, workers: Collection[int]) -> str:
    """Say what keeps others off a generator's core.

    Parameters
    ----------
    core, workers
        The generator's core, and those of the workers.
    """
    free = max(os.sched_getaffinity(0) - {core, *workers}, default=None)
    if free is None:
        return "No core is left for it alone: ask for less, or end what else runs there."
    return f"Traffic(cpu={free}) has a core of its own."
