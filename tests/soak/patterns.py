"""Numbered frames through each way to receive in Python: complete, in order, every byte right.

A round sends frames of random sizes from a capture at the peer to one at the port, on one queue or
two, and draws how they are received: the wait strategy, batches, rings, whether batches are held on
to, whether the program is slow, and whether the sender waits for it. Where it does not, frames are
lost, and the ledgers must have counted exactly those that did not come.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from soak.numbered import Follower, Numbered, pieces
from soak.rounds import UnbalancedError
from xdplab import WAIT_STRATEGIES, Capture, Lab
from xdplab.capture.batch import Batch
from xdplab.capture.receiver import Receiver
from xdplab.ledger.account import Account
from xdplab.ledger.lines import Line

_WINDOW = 256
"""Frames that may be under way where none may be lost: a veth holds so many."""
_PIECE = 64
_END_SECONDS = 0.02
_LOOK_SECONDS = 0.0001
_SENDER_RING = 4096
_PATIENCE = 120.0
_QUEUES = 2
_BATCHES = 2000  # of a round, about
_SWITCH_SECONDS = 0.0001  # sender and program take turns at the interpreter's lock


@dataclass(frozen=True)
class Draw:
    """How a round is received."""

    queues: int
    capture: dict[str, Any]
    waits: bool
    """Whether the sender waits for the program, so that nothing is lost."""
    holds: int
    """Most frames that are held on to."""
    naps: float
    """How often the program is slow after a batch."""
    seed: int

    @classmethod
    def of(cls, seed: object) -> Draw:
        """Draw a round."""
        random = Random(f"{seed}")
        waits = random.random() < 0.6
        ring = 1 << random.randint(10 if waits else 8, 13)
        return cls(
            random.randint(1, _QUEUES),
            {
                "wait": random.choice(WAIT_STRATEGIES),
                "batch": min(random.choice([1, 16, 64, 64, 256, 256, 256]), ring),
                "ring_size": ring,
            },
            waits,
            random.choice([0, _WINDOW // 4 if waits else ring // 2]),
            random.choice([0, 0, 0.01, 0.1]),
            random.randrange(1 << 32),
        )


class Taker:
    """What a program does with the batches of one queue.

    Parameters
    ----------
    receiver, stream
        Whose.
    draw
        How.
    answers
        Makes of a batch what is sent back; None sends nothing.
    """

    def __init__(
        self,
        receiver: Receiver,
        stream: Numbered,
        draw: Draw,
        answers: Callable[[Batch], Batch] | None,
    ) -> None:
        self._receiver, self._draw, self._answers = receiver, draw, answers
        self._random = Random(draw.seed)
        self._held: deque[tuple[Batch, Any]] = deque()
        self.follower, self.sent = Follower(stream), 0

    @property
    def ended(self) -> bool:
        """Whether the end came."""
        return self.follower.ends > 0

    def __call__(self, batch: Batch) -> None:
        """Take a batch; hold it back, be slow, answer."""
        numbers = self.follower.take(batch)
        if self._draw.holds and len(batch):
            self._held.append((batch.keep(), numbers))
            most = 0 if self.ended else self._random.randint(0, self._draw.holds)
            while sum(len(held) for held, _ in self._held) > most:
                held, numbers = self._held.popleft()
                self.follower.again(held, numbers)
                self._answer(held)
                held.release()
        else:
            self._answer(batch)
        if self._random.random() < self._draw.naps:
            time.sleep(self._random.uniform(0, 0.005))

    def _answer(self, batch: Batch) -> None:
        if self._answers is not None and len(batch):
            self.sent += self._receiver.send(self._answers(batch), timeout=_PATIENCE)


def by_trying(takers: Sequence[Taker], receivers: Sequence[Receiver]) -> None:
    """Receive by `try_recv`."""

    def run(take: Taker, receiver: Receiver) -> None:
        while not take.ended:
            take(receiver.try_recv())

    _side_by_side(run, takers, receivers)


def by_waiting(takers: Sequence[Taker], receivers: Sequence[Receiver]) -> None:
    """Receive by `recv`."""

    def run(take: Taker, receiver: Receiver) -> None:
        while not take.ended:
            take(receiver.recv(timeout=0.05))

    _side_by_side(run, takers, receivers)


def by_iterating(takers: Sequence[Taker], receivers: Sequence[Receiver]) -> None:
    """Receive by `for`."""

    def run(take: Taker, receiver: Receiver) -> None:
        for batch in receiver:
            take(batch)
            if take.ended:
                break

    _side_by_side(run, takers, receivers)


def in_asyncio(takers: Sequence[Taker], receivers: Sequence[Receiver]) -> None:
    """Receive by `async for`, all queues in one loop."""

    async def run(take: Taker, receiver: AsyncIterator[Batch] | Receiver) -> None:
        async for batch in receiver:
            take(batch)
            if take.ended:
                break

    async def all_of_them() -> None:
        await asyncio.gather(*map(run, takers, receivers))

    asyncio.run(all_of_them())


def by_function(takers: Sequence[Taker], receivers: Sequence[Receiver]) -> None:
    """Receive by `on_batch`."""
    calling = [each.on_batch(take) for take, each in zip(takers, receivers, strict=True)]
    while any(each.running for each in calling) and not all(take.ended for take in takers):
        time.sleep(0.005)
    for each in calling:
        each.stop()  # raises what the function raised


@dataclass(frozen=True)
class Pattern:
    """A way to receive, and what is sent back, if anything."""

    receive: Callable[[Sequence[Taker], Sequence[Receiver]], None]
    answers: Callable[[Batch], Batch] | None = None


PATTERNS = {
    "try_recv": Pattern(by_trying),
    "recv": Pattern(by_waiting),
    "for": Pattern(by_iterating),
    "async-for": Pattern(in_asyncio),
    "on_batch": Pattern(by_function),
    "send": Pattern(by_iterating, lambda batch: batch),
    "send-copy": Pattern(by_iterating, Batch.copy),
}
"""By name."""


@dataclass(frozen=True)
class Outcome:
    """What became of a round."""

    sent: int
    """Frames that the peer sent."""
    found: int
    """Of them, those that came, each right; the ledgers count the others as lost."""
    answered: int
    """Frames that were sent back and came."""


class _Sender:
    """Sends a stream from a queue of the peer, and follows what comes back of it."""

    def __init__(self, receiver: Receiver, stream: Numbered, count: int) -> None:
        self._receiver, self._stream, self._count = receiver, stream, count
        self.back = Follower(stream)
        self.sent = 0

    def run(self, take: Taker, waits: bool, returns: bool, failed: threading.Event) -> None:
        """Send all, then ends until one came."""
        for begin, count in pieces(self._count, _PIECE):
            self.sent += self._receiver.send(self._stream.batch(begin, count), timeout=_PATIENCE)
            self._look()
            seen = self.back if returns else take.follower
            deadline = time.monotonic() + _PATIENCE
            while waits and self.sent - seen.found > _WINDOW - _PIECE and not failed.is_set():
                if time.monotonic() > deadline:
                    raise UnbalancedError(f"{self.sent:,} were sent, and only {seen.found:,} came")
                time.sleep(_LOOK_SECONDS)
                self._look()
            if failed.is_set():
                return
        while not failed.is_set() and not take.ended:
            self.sent += self._receiver.send(self._stream.end(), timeout=_PATIENCE)
            self._look()
            time.sleep(_END_SECONDS)

    def _look(self) -> None:
        while len(batch := self._receiver.try_recv()):
            self.back.take(batch)


def run(lab: Lab, pattern: Pattern, draw: Draw, count: int) -> Outcome:
    """Run a round.

    Parameters
    ----------
    lab
        With two queues.
    pattern, draw
        How it is received.
    count
        Frames of the streams, all together.

    Raises
    ------
    WrongFrameError
        For a frame that came wrong.
    UnbalancedError
        When frames are missing that no ledger counts as lost.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of strategies that can do nothing on a veth
        with (
            _opened(lab.port, draw.queues, **draw.capture) as port,
            _opened(lab.peer, draw.queues, ring_size=_SENDER_RING) as peer,
        ):
            return _run(port, peer, pattern, draw, count)


def _opened(end: Any, queues: int, **settings: Any) -> AbstractContextManager[Capture]:
    return Capture(end, queue=list(range(queues)), **settings)


def _run(port: Capture, peer: Capture, pattern: Pattern, draw: Draw, count: int) -> Outcome:
    there, back = port.ledger(), peer.ledger()
    streams = [Numbered(draw.seed + number) for number in range(draw.queues)]
    takers = [
        Taker(receiver, stream, draw, pattern.answers)
        for receiver, stream in zip(port.receivers, streams, strict=True)
    ]
    senders = [
        _Sender(receiver, stream, count // draw.queues)
        for receiver, stream in zip(peer.receivers, streams, strict=True)
    ]
    failed = threading.Event()
    errors: list[BaseException] = []
    returns = pattern.answers is not None

    def fail(error: BaseException) -> None:
        errors.append(error)
        failed.set()
        port.close()  # which ends what waits for packets

    threads = [
        threading.Thread(
            target=_guarded,
            args=(partial(sender.run, take, draw.waits, returns, failed), fail),
        )
        for sender, take in zip(senders, takers, strict=True)
    ]
    for each in threads:
        each.start()
    _guarded(partial(pattern.receive, takers, port.receivers), fail)
    for each in threads:
        each.join()
    if errors:
        raise errors[0]
    for take, receiver in zip(takers, port.receivers, strict=True):
        while len(batch := receiver.try_recv()):
            take.follower.take(batch)  # more ends
    accounts = there.settle(), back.settle()
    for sender, receiver in zip(senders, peer.receivers, strict=True):
        while len(batch := receiver.try_recv()):
            sender.back.take(batch)
    sent, answered = sum(each.sent for each in senders), sum(take.sent for take in takers)
    came = [take.follower for take in takers], [sender.back for sender in senders]
    _check(sent, came[0], *accounts)
    _check(answered, came[1], *reversed(accounts))
    found = sum(each.found for each in came[0])
    if draw.waits and found != count // draw.queues * draw.queues:
        raise UnbalancedError(f"{found:,} of {count:,} came:\n{accounts[0]}")
    return Outcome(sent, found, sum(each.found for each in came[1]))


def run_all(name: str, seed: int, frames: int) -> list[Outcome]:
    """Run rounds until so many frames were sent; print each.

    Parameters
    ----------
    name
        Of the pattern.
    seed
        Of the draws.
    frames
        In all rounds.
    """
    outcomes: list[Outcome] = []
    switch_seconds = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        with Lab(queues=_QUEUES) as lab:
            while (left := frames - sum(each.sent for each in outcomes)) > 0:
                draw = Draw.of(f"{seed}/{name}/{len(outcomes)}")
                count = min(left, draw.capture["batch"] * _BATCHES)
                print(f"{name} {len(outcomes)}: {draw}", end=" ", flush=True)
                outcomes.append(run(lab, PATTERNS[name], draw, count))
                print(outcomes[-1], flush=True)
    finally:
        sys.setswitchinterval(switch_seconds)
    return outcomes


def _guarded(function: Callable[[], None], fail: Callable[[BaseException], None]) -> None:
    try:
        function()
    except BaseException as error:
        fail(error)


def _side_by_side(
    function: Callable[[Taker, Receiver], None],
    takers: Sequence[Taker],
    receivers: Sequence[Receiver],
) -> None:
    """Run a function for each queue, on a thread of its own; raise what one raised."""
    errors: list[BaseException] = []
    threads = [
        threading.Thread(target=_guarded, args=(partial(function, *each), errors.append))
        for each in zip(takers, receivers, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _check(sent: int, came: Sequence[Follower], to: Account, by: Account) -> None:
    """Hold what was sent against what came and what the ledgers say was lost."""
    lost = by.packets(Line.TX_DROPPED) + by.packets(Line.TX_INVALID)
    lost += sum(stage.packets for stage in to.stages if stage.lost and not _of_sending(stage.stage))
    arrived = sum(each.found + each.ends for each in came)
    if to.unaccounted or by.unaccounted or sent != arrived + lost:
        raise UnbalancedError(f"{sent:,} sent, {arrived:,} came, {lost:,} lost:\n{to}\n{by}")


def _of_sending(stage: str) -> bool:
    return stage in (Line.TX_DROPPED, Line.TX_INVALID, Line.TX_CLOSED)
