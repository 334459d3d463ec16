"""What a generator was asked for and what it sent in a run, and what kept it from sending more."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from xdplab.core.text import percent, rate
from xdplab.ledger.offered import CATCHES_UP, apart, shortfall
from xdplab.ledger.situation import first

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic

_THREADS = ("xdplab-traffic", "xdplab-wire")  # native/send/kernel_generator.c, native/soft/wire.c
_MOST = 0.5  # a cause that explains so much of a shortfall is given as its cause
_NEARLY_ALL = 0.9  # of the time
_SLEEPS_BELOW = 5000  # packets a second: native/send/kernel_generator.c
_STEAL = 8  # column of /proc/stat, whose times are in ticks


@dataclass(frozen=True)
class Offered:
    """The traffic of one run.

    Parameters
    ----------
    asked_pps
        Frames a second that the generator was asked for; None for "max" and a replay's own times.
    sent_pps
        Frames a second that it sent, while it sent; None without a generator.
    limited
        A sentence that says so where it sent less than it was asked for, and why; else empty.
    """

    asked_pps: float | None = None
    sent_pps: float | None = None
    limited: str = ""


class Shares(NamedTuple):
    """What a generator's thread did, in shares of the time in which it was to send."""

    ran: float
    waited: float
    """Ready to run, while others had its core."""
    stolen: float
    """The share in which a hypervisor had the core, as far as it says."""


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
        self._seconds_before = traffic.sending_seconds if traffic else 0.0
        asked = traffic.rate if traffic else None
        self._asked = None if asked is None or isinstance(asked, str) else float(asked)
        # The thread of a soft wire is older than the run.
        self._times_before = dict(_threads()) if traffic else {}
        self._stolen_before = _stolen(traffic.cpu) if traffic else 0.0
        self._shares: Shares | None = None  # not known of a broker's thread
        self._goes_on = False

    def look(self) -> None:
        """Look at the generator's thread, just before it is stopped."""
        if self._traffic is None:
            return
        self._goes_on = self._traffic.running
        core, seconds = self._traffic.cpu, self._seconds()
        for thread, (ran, waited) in _threads(core):
            ran_before, waited_before = self._times_before.get(thread, (0, 0))
            stolen = _stolen(core) - self._stolen_before
            times = ((ran - ran_before) / 1e9, (waited - waited_before) / 1e9, stolen)
            if seconds:
                self._shares = Shares(*(min(time / seconds, 1.0) for time in times))

    def offered(self) -> Offered:
        """Return what was asked and sent, once the generator has stopped."""
        if self._traffic is None:
            return Offered()
        seconds = self._seconds()
        sent_pps = (self._traffic.sent - self._before) / seconds if seconds else 0.0
        # One that ended by itself sent its `count`, or for its own time.
        said = shortfall(self._asked, sent_pps) if self._goes_on else ""
        if not said or self._asked is None:
            return Offered(self._asked, round(sent_pps, 1))
        why = why_less(self._asked, sent_pps, self._shares, self._traffic.cpu, self._engine.cpus)
        return Offered(self._asked, round(sent_pps, 1), f"{said}: {why}")

    def _seconds(self) -> float:
        return self._traffic.sending_seconds - self._seconds_before if self._traffic else 0.0


def why_less(
    asked: float, sent: float, shares: Shares | None, core: int, workers: Collection[int]
) -> str:
    """Say why a generator sent less than asked, as far as the times of its thread tell.

    Parameters
    ----------
    asked, sent
        Frames a second.
    shares
        What its thread did; None where that can't be read.
    core, workers
        Its core, and those of the workers.
    """
    shared = core in workers
    if shares is None and shared:
        return f"the worker ran on its core {core}, too. {apart(core, workers)}"
    if shares is None:
        return "why is not known: its thread belongs to another process."
    ran, waited, stolen = shares
    others = "the worker" if shared else "other threads"
    scheduled = f"the scheduler let it wait for {percent(waited)} of the time, as {others} ran on"
    known = (
        f"its thread ran for {percent(ran)} of the time and waited for core {core} for "
        f"{percent(waited)}, which explains less than half of it"
    )
    return first(
        (
            _explains(waited, asked, sent),
            f"{scheduled} core {core}. {CATCHES_UP} {apart(core, workers)}",
        ),
        (
            _explains(stolen, asked, sent),
            f"a hypervisor had core {core} for {percent(stolen)} of the time. {CATCHES_UP}",
        ),
        (
            ran >= _NEARLY_ALL,
            f"it had core {core} for {percent(ran)} of the time, which did not send faster.",
        ),
        (
            ran + waited >= _NEARLY_ALL,
            f"while it ran, core {core} sent {rate(sent / max(ran, 1e-9), 3)}, no more; and "
            f"{scheduled} it. {apart(core, workers)}",
        ),
        (
            asked < _SLEEPS_BELOW,
            f"{known}. At such a rate it sleeps between frames, and may have been woken late.",
        ),
        (True, f"{known}. What it did in the rest is not known."),
    )


def _explains(lost_share: float, asked: float, sent: float) -> bool:
    """Tell whether a loss of time explains most of what was not sent."""
    gained = sent / max(1 - lost_share, 1e-9) - sent
    return gained >= _MOST * (asked - sent)


def _threads(core: int | None = None) -> Iterator[tuple[str, tuple[int, int]]]:
    """Find the threads of this process that may be a generator's, on a core or at all.

    With each come the nanoseconds that it ran and that it waited to run.
    """
    tasks: list[Path] = []
    with suppress(OSError):  # there may be no descriptor to read the folder with
        tasks += Path("/proc/self/task").iterdir()
    for task in tasks:
        with suppress(OSError, ValueError):
            name = (task / "comm").read_text().strip()
            if name in _THREADS and (core is None or _is_pinned(int(task.name), core)):
                ran, waited, _slices = map(int, (task / "schedstat").read_text().split())
                yield task.name, (ran, waited)


def _is_pinned(thread: int, core: int) -> bool:
    return os.sched_getaffinity(thread) == {core}


def _stolen(core: int) -> float:
    """Return the seconds for which a hypervisor had a core so far; 0 where that is not told."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/stat").read_text().splitlines():
            if line.startswith(f"cpu{core} "):
                return int(line.split()[_STEAL]) / os.sysconf("SC_CLK_TCK")
    return 0.0
