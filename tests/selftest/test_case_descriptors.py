"""Descriptors that a stranger puts into its TX ring: the engine at the far end gets the valid ones.

No engine writes an invalid one: a socket without one does (support/foreign_sockets.py).
"""

from __future__ import annotations

import mmap
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from selftest.cases import cases
from support.foreign_sockets import CONTINUES, ForeignSender
from support.pairs import Pair, frame, frames, taken

from xdplab import Capture

PAGE = mmap.PAGESIZE
SIZE = 60  # bytes of a frame, and of a part of one
INVALID_OPTION = 1 << 15
TX_BUDGET = 32  # frames that a kick sends in copy mode (net/xdp/xsk.c: MAX_TX_BUDGET_DEFAULT)
_MOST_FRAGMENTS = Path("/proc/sys/net/core/max_skb_frags")
_NO_PARTS = "The driver sends packets of one part only in this mode (xdp_zc_max_segs is 1): "


class Given(NamedTuple):
    """A descriptor, and whether it is one of a frame."""

    address: int
    valid: bool
    length: int = SIZE


def around_the_umem(size: int, frame_size: int, unaligned: bool) -> list[Given]:
    """Return descriptors within a UMEM, beside it, and across its end and that of frames."""
    return [
        Given(0, True),
        Given(-2, False),
        Given(2 * PAGE, False, frame_size + 1),
        Given(size - SIZE, True),
        Given(size, False),
        Given(size - SIZE // 2, False),
        Given(PAGE - SIZE // 2, unaligned),
        Given(PAGE + 2048 - SIZE // 2, unaligned or frame_size == PAGE),
        Given(2 * PAGE + 128, True),
    ]


@contextmanager
def ends(pair: Pair, **settings: Any) -> Iterator[tuple[ForeignSender, Capture]]:
    """Have a stranger's socket on the second host, and a capture on the first."""
    zero_copy = pair.mode == "zero-copy"
    huge = zero_copy and settings.get("unaligned", False)
    if pair.staying:  # a driver sends from a zero-copy socket once it has a program
        pair.staying.link(pair.second, pair.attach)
    with (
        ForeignSender(pair.second, zero_copy=zero_copy, huge=huge, **settings) as sender,
        pair.capture() as receiver,
    ):
        yield sender, receiver


UMEMS: dict[str, dict[str, Any]] = {
    "ALIGNED_INV_DESC": {"frame_size": 4096},
    "ALIGNED_INV_DESC_2K_FRAME_SIZE": {"frame_size": 2048},
    "UNALIGNED_INV_DESC": {"frame_size": 4096, "unaligned": True},
    "UNALIGNED_INV_DESC_4001_FRAME_SIZE": {"frame_size": 4001, "unaligned": True},
}


@cases(*UMEMS, "STAT_TX_INVALID")
def test_what_is_no_frame_is_counted_and_those_around_it_arrive(case: str, pair: Pair) -> None:
    umem = UMEMS.get(case, UMEMS["ALIGNED_INV_DESC"])
    with ends(pair, **umem) as (sender, receiver):
        given = around_the_umem(sender.size, umem["frame_size"], umem.get("unaligned", False))
        wanted = frames(len(given), SIZE)
        for each, content in zip(given, wanted, strict=True):
            if each.valid:
                sender.memory[each.address : each.address + SIZE] = content
        sender.send([(each.address, each.length, 0) for each in given])
        arriving = [content for each, content in zip(given, wanted, strict=True) if each.valid]
        assert taken(receiver, len(arriving)) == arriving
        assert sender.statistics.tx_invalid_descs == len(given) - len(arriving)
        assert not len(receiver.recv(timeout=0.1))


Part = tuple[int, int, int]


class Parts:
    """Lays packets of several parts out in a stranger's UMEM."""

    def __init__(self, sender: ForeignSender) -> None:
        self.sender = sender
        self.descriptors: list[Part] = []
        self.arriving: list[bytes] = []
        self._dice = random.Random(1)
        self._place = 0

    def packet(self, count: int, *, last: Part | None = None, arrives: bool = True) -> None:
        """Add a packet of so many parts; with another last one that is none it does not arrive."""
        content = frame(self._dice, count * SIZE)
        for number in range(count):
            part = content[number * SIZE : (number + 1) * SIZE]
            self.sender.memory[self._place : self._place + SIZE] = part
            goes_on = number + 1 < count or last is not None
            self.descriptors.append((self._place, SIZE, CONTINUES if goes_on else 0))
            self._place += 2048
        if last is not None:
            self.descriptors.append(last)
        elif arrives:
            self.arriving.append(content)


def refuses_several(pair: Pair) -> bool:
    """See that a socket for several descriptors a packet is refused, where it is; note it."""
    if pair.mode != "zero-copy":
        return False
    with (
        pytest.raises(OSError, match="Operation not supported") as refusal,
        ends(pair, several=True),
    ):
        pass
    pair.record("outcome", "refused")
    pair.record("words", f"{_NO_PARTS}bind() says {refusal.value.strerror}.")
    return True


@cases("ALIGNED_INV_DESC_MULTI_BUFF", "UNALIGNED_INV_DESC_MULTI_BUFF")
def test_a_packet_with_a_part_that_is_none_is_not_sent(case: str, pair: Pair) -> None:
    if refuses_several(pair):
        return
    unaligned = case.startswith("UN")
    with ends(pair, several=True, unaligned=unaligned) as (sender, receiver):
        parts = Parts(sender)
        parts.packet(1)
        parts.packet(2, last=(0, 0, 0))
        parts.packet(2, last=(sender.size, SIZE, 0))
        parts.packet(2, last=(0, 4097, 0))
        parts.packet(2, last=(0, SIZE, INVALID_OPTION))
        parts.packet(2)
        across = (sender.size - PAGE - SIZE // 2, SIZE, 0)
        if not unaligned:
            parts.packet(2, last=across)
        parts.packet(3)
        sender.send(parts.descriptors)
        assert taken(receiver, len(parts.arriving)) == parts.arriving
        assert sender.statistics.tx_invalid_descs >= 4 + (not unaligned)
        assert not len(receiver.recv(timeout=0.1))


@cases("TOO_MANY_FRAGS")
def test_a_packet_has_as_many_parts_as_may_be_and_no_more(case: str, pair: Pair) -> None:
    if refuses_several(pair):
        return
    most = int(_MOST_FRAGMENTS.read_text()) + 1
    with ends(pair, several=True) as (sender, receiver):
        parts = Parts(sender)
        parts.packet(1)
        parts.packet(most)
        parts.packet(most + 1, arrives=False)
        parts.packet(1)
        sender.send(parts.descriptors)
        assert taken(receiver, len(parts.arriving)) == parts.arriving
        assert sender.statistics.tx_invalid_descs >= 1
        assert not len(receiver.recv(timeout=0.1))


@cases("TX_QUEUE_CONSUMER")
def test_after_each_kick_the_ring_tells_what_was_taken(case: str, pair: Pair) -> None:
    with ends(pair) as (sender, receiver):
        given = frames(TX_BUDGET + 1, SIZE)
        for number, content in enumerate(given):
            sender.memory[number * 2048 : number * 2048 + SIZE] = content
        sender.queue([(number * 2048, SIZE, 0) for number in range(len(given))])
        if pair.mode == "zero-copy":
            sender.send([])
            pair.not_possible(
                "A zero-copy driver takes frames from its own NAPI, not during a kick. "
                "All are taken and arrive."
            )
        else:
            assert [sender.kick(), sender.kick(), sender.kick()] == [TX_BUDGET, 1, 0]
        assert taken(receiver, len(given)) == given
