"""The state of a worker's four rings: who owns each entry, and where each frame is.

A frame moves round::

    fill ring ──▶ kernel, which fills it ──▶ RX ring ──▶ worker ──┬─▶ TX ring
        ▲                                                         │      │
        ├───────────────────────── drop ──────────────────────────┘      ▼
        └──────────── worker ◀── completion ring ◀── kernel, which sends it

So frames between the ends of two rings are held by the kernel or the worker, and all frames in
rings and with these two add up to the UMEM.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from xdplab.native import lib

Side = Literal["kernel", "worker"]
RingName = Literal["fill", "rx", "tx", "completion"]
Home = Literal["fill", "filling", "rx", "worker", "tx", "sending", "completion"]

PRODUCERS: Mapping[RingName, Side] = {
    "fill": "worker",
    "rx": "kernel",
    "tx": "worker",
    "completion": "kernel",
}
"""The producer of each ring."""

CONSUMERS: Mapping[RingName, Side] = {
    "fill": "kernel",
    "rx": "worker",
    "tx": "kernel",
    "completion": "worker",
}
"""The consumer of each ring."""

HOMES: tuple[Home, ...] = ("fill", "filling", "rx", "worker", "tx", "sending", "completion")
"""The places where a frame can be, in the order in which it moves."""

_FLAGS = {"fill": lib.XDPLAB_FILL_NEEDS_WAKEUP, "tx": lib.XDPLAB_TX_NEEDS_WAKEUP}
_ADDRESS_BITS = 48  # low bits of a descriptor's address; the rest, if unaligned, is the offset


class Ring(NamedTuple):
    """One ring at one moment."""

    name: RingName
    size: int
    producer: int
    """Number of entries ever written; modulo the size, the place of the next one."""
    consumer: int
    """Number of entries ever read."""
    needs_wakeup: bool
    """Whether the kernel asks for a system call before it goes on (need-wakeup)."""
    frames: npt.NDArray[np.int64] | None
    """The number of the frame in each entry, by place, or None if entries are unknown."""

    @property
    def waiting(self) -> int:
        """Number of entries that were written and not yet read."""
        return self.producer - self.consumer

    @property
    def writer(self) -> Side:
        """The producer, which owns the free entries."""
        return PRODUCERS[self.name]

    @property
    def reader(self) -> Side:
        """The consumer, which owns the waiting entries."""
        return CONSUMERS[self.name]

    def waits(self) -> npt.NDArray[np.bool_]:
        """Return for each place whether its entry waits to be read."""
        behind = (np.arange(self.size) - self.consumer) % self.size
        return np.asarray(behind < self.waiting)

    def line(self) -> list[int]:
        """Return the waiting frames, next first; none if entries are unknown."""
        return self._frames_at(self.consumer, self.producer)

    def taken(self, count: int) -> list[int]:
        """Return the frames of the last `count` entries that were read."""
        return self._frames_at(self.consumer - count, self.consumer)

    def place_of(self, frame: int) -> int | None:
        """Return the place at which a frame waits."""
        line = self.line()
        return (self.consumer + line.index(frame)) % self.size if frame in line else None

    def _frames_at(self, begin: int, end: int) -> list[int]:
        if self.frames is None:
            return []
        return [int(self.frames[position % self.size]) for position in range(begin, end)]


class RingState:
    """A worker's four rings at one moment.

    Parameters
    ----------
    record
        A record from `Telemetry.rings`, of a worker that has run.
    worker
        Its number.
    frame_size
        Bytes of a UMEM frame.
    has_stream
        Whether it has frames for a stream of its own, in addition to those to receive into.
    with_entries
        Whether to take the entries from the record, if it has them.
    """

    def __init__(
        self,
        record: Any,
        *,
        worker: int,
        frame_size: int,
        has_stream: bool,
        with_entries: bool,
    ) -> None:
        self.turns = int(record["turns"])
        """Turns that the worker took while it was paced."""
        self.ring_size = int(record["ring_size"])
        """Entries of the RX, TX and completion rings; the fill ring has twice as many."""
        count = (3 if has_stream else 2) * self.ring_size
        self.frames = range(worker * count, (worker + 1) * count)
        """The numbers of the worker's frames in the UMEM."""
        self.shows_entries = with_entries and 2 * self.ring_size <= lib.XDPLAB_RING_ENTRIES
        """Whether the place of each frame is known."""
        self.rings = {name: self._ring(record, name, frame_size) for name in PRODUCERS}

    def _ring(self, record: Any, name: RingName, frame_size: int) -> Ring:
        size = self.ring_size * (2 if name == "fill" else 1)
        frames = None
        if self.shows_entries:
            addresses = record[name][:size] & np.uint64((1 << _ADDRESS_BITS) - 1)
            frames = (addresses // np.uint64(frame_size)).astype(np.int64)
        return Ring(
            name,
            size,
            int(record[f"{name}_producer"]),
            int(record[f"{name}_consumer"]),
            bool(int(record["needs_wakeup"]) & _FLAGS.get(name, 0)),
            frames,
        )

    def counts(self) -> dict[Home, int]:
        """Count the frames at each place. They add up to the worker's part of the UMEM."""
        fill, rx, tx, completion = (self.rings[name] for name in PRODUCERS)
        taken_up = rx.consumer + completion.consumer
        put_down = fill.producer + tx.producer
        return {
            "fill": fill.waiting,
            "filling": fill.consumer - rx.producer,
            "rx": rx.waiting,
            "worker": len(self.frames) + taken_up - put_down,
            "tx": tx.waiting,
            "sending": tx.consumer - completion.producer,
            "completion": completion.waiting,
        }

    def home_of(self, frame: int) -> Home | None:
        """Return a frame's place; None if entries are unknown or another worker owns the frame."""
        if not self.shows_entries or frame not in self.frames:
            return None
        for name, ring in self.rings.items():
            if frame in ring.line():
                return name
        counts = self.counts()
        if frame in self.rings["fill"].taken(counts["filling"]):
            return "filling"
        if frame in self.rings["tx"].taken(counts["sending"]):
            return "sending"
        return "worker"

    def next_frame(self) -> int | None:
        """Return the next frame to move: to be received by the worker, or filled by the kernel."""
        for name in ("rx", "fill", "completion", "tx"):
            if line := self.rings[name].line():
                return line[0]
        return None
