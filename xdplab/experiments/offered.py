"""What a generator was asked for and what it sent, and what kept it from sending more."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from xdplab.core.text import percent, rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic

ENOUGH = 0.95
"""The share of what was asked for from which on a generator did what it was told."""

_THREADS = ("xdplab-traffic", "xdplab-wire")  # native/send/kernel_generator.c, native/soft/wire.c
_MUCH_WAITED = 0.05
_SLACK_SECONDS = 0.05  # a generator starts within that
_SLEEPS_BELOW = 5000  # packets a second: native/send/kernel_generator.c


def shortfall(asked_pps: float | None, sent_pps: float | None) -> str:
    """Say that less was sent than was asked for; empty where that is not so, or not known."""
    if asked_pps is None or sent_pps is None or isnan(asked_pps) or isnan(sent_pps):
        return ""
    if sent_pps >= ENOUGH * asked_pps:
        return ""
    return f"The generator sent {rate(sent_pps, 3)} of {rate(asked_pps, 3)} asked"


@dataclass(frozen=True)
class Offered:
    """The traffic of one run.

    Parameters
    ----------
    asked_pps
        Frames a second that the generator was asked for; None for "max" and a replay's own times.
    sent_pps
        Frames a second that it sent; None without a generator.
    limited
        A sentence that says so where it sent less than it was asked for, and why; else empty.
    """

    asked_pps: float | None = None
    sent_pps: float | None = None
    limited: str = ""


class Watch:
    """Watches the generator of one run.

    Parameters
    ----------
    engine, traffic
        Those of the run, before the generator starts; `traffic` None: there is none.
    """

    def __init__(self, engine: Engine, traffic: Traffic | None) -> None:
        self._engine, self._traffic = engine, traffic
        self._before = traffic.sent if traffic else 0
        asked = traffic.rate if traffic else None
        self._asked = None if asked is None or isinstance(asked, str) else float(asked)
        self._waited_ns: int | None = None  # not known of a broker's thread
        self._goes_on = False

    def look(self) -> None:
        """Look at the generator's thread, just before it is stopped."""
        if self._traffic is None:
            return
        self._goes_on = self._traffic.running
        for task in _threads(self._traffic.cpu):
            with suppress(OSError, ValueError):
                _ran, waited, _slices = map(int, (task / "schedstat").read_text().split())
                self._waited_ns = waited

    def offered(self, seconds: float) -> Offered:
        """Return what was asked and sent in a run of so many seconds."""
        if self._traffic is None:
            return Offered()
        sent = self._traffic.sent - self._before
        sent_pps = sent / seconds if seconds else 0.0
        fair = sent / max(seconds - _SLACK_SECONDS, _SLACK_SECONDS)
        # One that ended by itself sent its `count`, or for its own time.
        said = shortfall(self._asked, fair) and shortfall(self._asked, sent_pps)
        if not said or not self._goes_on:
            return Offered(self._asked, round(sent_pps, 1))
        why = self._why(self._traffic, sent_pps, seconds)
        return Offered(self._asked, round(sent_pps, 1), f"{said}: {why}")

    def _why(self, traffic: Traffic, sent_pps: float, seconds: float) -> str:
        core, waited = traffic.cpu, min((self._waited_ns or 0) / (seconds * 1e9), 0.99)
        if self._waited_ns is None and core in self._engine.cpus:
            return f"the worker ran on its core {core}, too. {self._apart(core)}"
        if waited > _MUCH_WAITED:
            others = "the worker" if core in self._engine.cpus else "other threads"
            alone = sent_pps / (1 - waited)
            is_slow = bool(shortfall(self._asked, alone))
            more = f" Alone it would have sent about {rate(alone, 2)}." if is_slow else ""
            return (
                f"the scheduler let it wait for {percent(waited)} of the time, as {others} ran on "
                f"core {core}.{more} {self._apart(core)}"
            )
        if self._asked is not None and self._asked < _SLEEPS_BELOW:
            return "its sleeps between frames last longer here than they should."
        return f"core {core} did not send faster. That is its limit, or a hypervisor took it away."

    def _apart(self, core: int) -> str:
        taken = {core, *self._engine.cpus}
        free = max(os.sched_getaffinity(0) - taken, default=None)
        if free is None:
            return "No core is left for it alone: ask for less, or end what else runs there."
        return f"Traffic(cpu={free}) has a core of its own."


def _threads(core: int) -> Iterator[Path]:
    """Find the threads of this process that may be a generator's on a core."""
    tasks: list[Path] = []
    with suppress(OSError):  # there may be no descriptor to read the folder with
        tasks += Path("/proc/self/task").iterdir()
    for task in tasks:
        with suppress(OSError):
            name = (task / "comm").read_text().strip()
            if name in _THREADS and os.sched_getaffinity(int(task.name)) == {core}:
                yield task
