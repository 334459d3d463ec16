"""What the workers did while their RX rings overflowed, from the records of that time.

Each packet lost belongs to a record interval of its worker. The intervals are sorted by what the
worker did in them, and the cause of a loss is that of most of its packets. So it changes only with
further loss. Intervals are read once: the region keeps them for a limited time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from xdplab.core.locks import new_lock
from xdplab.native import lib

if TYPE_CHECKING:
    from xdplab.knobs.journal import Change
    from xdplab.ledger.subjects import CountedEngine
    from xdplab.telemetry.region import Telemetry

SATURATED = 0.75
"""The share of the time at work from which on a worker is called busy."""

SPINNING = ("spin", "busy-poll", "adaptive")
_READ = (
    *("time_ns", "rx_ring_full", "rx_packets", "cpu_ns", "idle_ns"),
    *("involuntary_switches", "voluntary_switches"),
)


@dataclass(frozen=True)
class Overflow:
    """What the workers did in the time in which most of the packets were lost."""

    stopped: bool = False
    """Whether they were stopped."""
    busy: float = 0.0
    """The share of that time in which they worked, without empty polls."""
    ran: float = 0.0
    """The share of it in which they had their cores."""
    contended: bool = False
    """Whether they lost their cores to others more often than they slept."""
    wait: str = ""
    """The wait strategy then; empty where it is not known, as with the fields below."""
    ring_size: int = 0
    seconds: float = 0.0
    """The time in which these packets were lost, of all workers."""
    pps: float = 0.0
    """Packets that came a second then, received and lost."""
    backlog: int | None = None
    """The entries that the ring would have needed beside its own, so that none was lost."""

    away: float = 0.0
    """The seconds for which a worker was off its core each time, on average."""

    @property
    def saturated(self) -> bool:
        """Whether the worker could hardly have done more."""
        return self.busy >= SATURATED

    @property
    def fills_in(self) -> float:
        """The seconds in which the packets that came fill a ring; 0: not known."""
        return self.ring_size / self.pps if self.pps else 0.0


class _Kind(NamedTuple):
    """What intervals with the same cause have in common."""

    stopped: bool
    saturated: bool
    contended: bool
    wait: str
    ring_size: int


@dataclass
class _Sum:
    """All intervals of one kind."""

    lost: int = 0
    worked: int = 0
    ran: int = 0
    wall: int = 0
    came: int = 0
    switches: int = 0
    backlog: float = 0.0


@dataclass
class _Worker:
    """How far a worker's records were read, and the backlog of a ring without end at their end."""

    since: int
    last: Any = None  # the last record read, an array of one
    backlog: float = 0.0


@dataclass
class Overflows:
    """Sorts what was lost since it was made. Several threads may read it."""

    _workers: list[_Worker]
    _sums: dict[_Kind, _Sum] = field(default_factory=dict)
    _lock: Any = field(default_factory=new_lock)

    @classmethod
    def from_now_on(cls, telemetry: Telemetry) -> Overflows:
        """Begin with the next record."""
        workers = []
        for number in range(telemetry.workers):
            records, end = telemetry.history(0, number)
            workers.append(_Worker(end, records[-1:].copy() if len(records) else None))
        return cls(workers)

    def read(self, engine: CountedEngine) -> Overflow | None:
        """Read what is new, and return the state in most of the loss; None where none is known."""
        with self._lock:
            for number, worker in enumerate(self._workers):
                self._read_worker(engine, number, worker)
            if not self._sums:
                return None
            kind, most = max(self._sums.items(), key=lambda each: each[1].lost)
        return Overflow(
            stopped=kind.stopped,
            busy=min(most.worked / most.wall, 1.0) if most.wall else 0.0,
            ran=min(most.ran / most.wall, 1.0) if most.wall else 0.0,
            contended=kind.contended,
            wait=kind.wait,
            ring_size=kind.ring_size,
            seconds=most.wall / 1e9,
            pps=most.came * 1e9 / most.wall if most.wall else 0.0,
            backlog=round(most.backlog),
            away=max(most.wall - most.ran, 0) / max(most.switches, 1) / 1e9,
        )

    def _read_worker(self, engine: CountedEngine, number: int, worker: _Worker) -> None:
        records, end = engine.telemetry.history(worker.since, number)
        if not len(records):
            return
        parts = [] if worker.last is None else [worker.last]
        if parts and end - len(records) > worker.since:
            # Some are gone; the rarer ones of the long history have their sums.
            rare, _ = engine.telemetry.long_history(0, number)
            after, before = worker.last["time_ns"][0], records["time_ns"][0]
            parts.append(rare[(rare["time_ns"] > after) & (rare["time_ns"] < before)])
        whole = np.concatenate([np.asarray(part) for part in (*parts, records)])
        worker.since, worker.last = end, whole[-1:].copy()
        grown = {name: np.diff(whole[name].astype(np.int64)).tolist() for name in _READ}
        runs = (whole["state"] == lib.XDPLAB_STATE_RUNNING).tolist()
        times = whole["time_ns"].tolist()
        changes = engine.journal.changes
        for at, values in enumerate(zip(*grown.values(), strict=True)):
            interval = dict(zip(grown, values, strict=True))
            if not interval["rx_ring_full"] and not worker.backlog:
                continue
            at_work = interval["cpu_ns"] - interval["idle_ns"]
            kind = _Kind(
                not (runs[at] and runs[at + 1]),
                at_work >= SATURATED * interval["time_ns"],
                interval["involuntary_switches"] > interval["voluntary_switches"],
                _then(changes, "wait", times[at], engine.wait),
                _then(changes, "ring_size", times[at], engine.ring_size),
            )
            self._add(worker, kind, interval)

    def _add(self, worker: _Worker, kind: _Kind, interval: dict[str, int]) -> None:
        lost, got = max(interval["rx_ring_full"], 0), interval["rx_packets"]
        if lost:
            into = self._sums.setdefault(kind, _Sum())
            into.lost += lost
            into.worked += interval["cpu_ns"] - interval["idle_ns"]
            into.ran += interval["cpu_ns"]
            into.wall += interval["time_ns"]
            into.came += lost + got
            into.switches += interval["involuntary_switches"] + interval["voluntary_switches"]
            into.backlog = max(into.backlog, worker.backlog + lost)
        spare = 0.0 if kind.stopped else _could_take(kind, interval) - got
        worker.backlog = max(worker.backlog + lost - max(spare, 0.0), 0.0)


def _could_take(kind: _Kind, interval: dict[str, int]) -> float:
    """Return the packets that a worker could have taken in an interval, at the same cost each.

    One that sleeps could have been awake all the time, but others kept from it what they took.
    """
    got, worked = interval["rx_packets"], interval["cpu_ns"] - interval["idle_ns"]
    if got <= 0 or worked <= 0:
        return 0.0
    held = kind.contended or kind.wait in SPINNING
    return got * (interval["cpu_ns"] if held else interval["time_ns"]) / worked


def _then(changes: Iterable[Change], knob: str, time_ns: int, now: Any) -> Any:
    """Return the value of a knob at some time, by the journal."""
    later = (each.before for each in changes if each.knob == knob and each.time_ns > time_ns)
    return next(later, now)
