"""A ledger's lines as a flow: where packets join the stream, and where and why they leave it.

The counts do not say which packets are lost, so packets are assumed to leave in the order in which
they came. Then the stream is a queue, and each stretch of it has one way in and one way out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from xdplab.ledger.account import Account, Stage
from xdplab.ledger.lines import Line


class Kind(StrEnum):
    """The meaning of a way in or out of the stream."""

    STREAM = "stream"
    JOINED = "joined"
    LOST = "lost"
    WAITING = "waiting"
    ASIDE = "aside"
    REMAINDER = "remainder"


_KINDS: dict[str, Kind] = {
    **dict.fromkeys((Line.OTHERS, Line.TX_OTHERS), Kind.JOINED),
    **dict.fromkeys((Line.WAITING, Line.TX_WAITING, Line.PENDING), Kind.WAITING),
    **dict.fromkeys((Line.STACK, Line.UNMATCHED, Line.PROGRAM_SENT), Kind.ASIDE),
    **dict.fromkeys((Line.PROGRAM_REDIRECTED, Line.PROGRAM_OTHERS), Kind.ASIDE),
}

# Packets in flight when the ledger began, and the counting points that they may not have passed
# yet: they join where a counting point counted more than the one before it.
_BEGUN = {
    Line.ON_WIRE: (Line.DEVICE, Line.REDIRECTED),
    Line.BEGUN: (Line.RECEIVED,),
    Line.TX_BEGUN: (Line.TAKEN, Line.COMPLETED),
}

MADE = "made by the worker"
MORE_FRAMES = "frames beyond a packet's first"
DROPPED = "dropped by its action"
UNSENT = "not sent on by the program"
PROGRAM = "seen by the XDP program"
ELSEWHERE = "counted differently there"


@dataclass(frozen=True)
class CountingPoint:
    """A place that counts packets; its number is its place in `Flow.points`."""

    name: str
    packets: int


@dataclass(frozen=True)
class Way:
    """A way into or out of the stream, between a counting point and the next."""

    name: str
    kind: Kind
    after: int
    """Number of the counting point before it; -1: packets that the first one counted."""
    packets: int
    whole: int = 0
    """Of a way out: the packets that its share refers to."""


@dataclass(frozen=True)
class Stretch:
    """Packets with the same way in and the same way out."""

    way_in: int
    """Number of the way."""
    way_out: int
    packets: int


@dataclass
class Flow:
    """A stream of packets through counting points.

    The stretches are in order: the first in is the first out.
    """

    points: list[CountingPoint] = field(default_factory=list)
    ways_in: list[Way] = field(default_factory=list)
    ways_out: list[Way] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)


def flow_of(account: Account, *, generates: bool = False, multi_buffer: bool = False) -> Flow:
    """Turn a ledger's lines into a flow.

    Parameters
    ----------
    account
        The ledger's.
    generates
        Whether the workers send only frames of their own, none that they receive.
    multi_buffer
        Whether a packet may have several frames, each of which is counted when sent.
    """
    return _Builder(account, generates, multi_buffer).build()


class _Builder:
    """Follows the stream from one counting point to the next."""

    def __init__(self, account: Account, generates: bool, multi_buffer: bool) -> None:
        self._account = account
        self._generates, self._multi_buffer = generates, multi_buffer
        self._flow = Flow()
        self._queue: deque[tuple[int, int]] = deque()  # way in, packets
        self._whole = 0
        lines = {stage.stage: stage.packets for stage in account.stages}
        self._pools = {line: lines.get(line, 0) for line in _BEGUN}

    def build(self) -> Flow:
        joining: list[Stage] = []
        leaving: list[Stage] = []
        for stage in self._account.stages:
            if stage.note:
                continue
            kind = _kind(stage)
            if kind == Kind.JOINED:
                joining.append(stage)
            elif kind != Kind.STREAM:
                leaving.append(stage)
            elif stage.stage not in _BEGUN:
                self._pass(joining, leaving, stage)
                joining, leaving = [], []
        self._leave(leaving, goes_on=max(0, self._length - sum(stage.packets for stage in leaving)))
        self._out(self._flow.points[-1].name, Kind.STREAM, self._length)
        return self._flow

    @property
    def _length(self) -> int:
        return sum(packets for _, packets in self._queue)

    def _pass(self, joining: list[Stage], leaving: list[Stage], point: Stage) -> None:
        """Advance the stream from the last counting point to this one."""
        flow = self._flow
        needed = point.packets + sum(stage.packets for stage in leaving)
        if not flow.points:
            if leaving:  # the first counting point is the program if the driver does not count
                flow.points.append(CountingPoint(PROGRAM, needed))
            self._in(PROGRAM if leaving else point.name, Kind.STREAM, needed, after=-1)
            self._whole = needed
        if point.stage == Line.HANDED:
            self._act(point.packets)
        for stage in joining:
            self._in(stage.name, Kind.JOINED, stage.packets)
        for line, packets in self._begun(point.stage, needed):
            self._in(line, Kind.JOINED, packets)
        self._leave(leaving, goes_on=point.packets)
        flow.points.append(CountingPoint(point.name, point.packets))

    def _act(self, handed: int) -> None:
        """Let out packets that the worker does not send, and add the frames that it makes."""
        kept = self._length if self._generates else max(self._length - handed, 0)
        name = UNSENT if self._account.situation.delivers else DROPPED
        self._out(name, Kind.ASIDE, kept)
        more = MORE_FRAMES if self._multi_buffer and not self._generates else MADE
        self._in(more, Kind.JOINED, handed - self._length)
        self._whole = handed

    def _begun(self, point: str, needed: int) -> Iterator[tuple[str, int]]:
        for line, reach in _BEGUN.items():
            if point in reach:
                lacking = max(needed - self._length, 0)
                taken = self._pools[line]
                if point != reach[-1]:
                    taken = min(taken, lacking)
                self._pools[line] -= taken
                yield line, taken

    def _leave(self, leaving: list[Stage], goes_on: int) -> None:
        """Let out the packets that leave between two counting points, and the missing ones.

        The largest way out is last: it has the shortest way down.
        """
        missing = self._length - goes_on - sum(stage.packets for stage in leaving)
        self._in(self._remainder, Kind.REMAINDER, -missing)
        ways = [(stage.packets, stage.name, _kind(stage)) for stage in leaving]
        for packets, name, kind in sorted([*ways, (missing, self._remainder, Kind.REMAINDER)]):
            self._out(name, kind, packets)

    @property
    def _remainder(self) -> str:
        return self._account.remainder if self._account.unaccounted else ELSEWHERE

    def _in(self, name: str, kind: Kind, packets: int, after: int | None = None) -> None:
        if packets <= 0:
            return
        place = len(self._flow.points) - 1 if after is None else after
        self._queue.append((len(self._flow.ways_in), packets))
        self._flow.ways_in.append(Way(name, kind, place, packets))

    def _out(self, name: str, kind: Kind, packets: int) -> None:
        """Take packets from the head of the queue, at most as many as there are."""
        wanted = min(packets, self._length)
        if wanted <= 0:
            return
        number, place = len(self._flow.ways_out), len(self._flow.points) - 1
        self._flow.ways_out.append(Way(name, kind, place, wanted, self._whole))
        while wanted:
            way_in, there = self._queue.popleft()
            taken = min(there, wanted)
            if there > taken:
                self._queue.appendleft((way_in, there - taken))
            self._flow.stretches.append(Stretch(way_in, number, taken))
            wanted -= taken


def _kind(stage: Stage) -> Kind:
    if stage.lost:
        return Kind.LOST
    return _KINDS.get(stage.stage, Kind.STREAM)
