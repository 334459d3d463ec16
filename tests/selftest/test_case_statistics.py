"""What can't be received is counted under its cause, and what can arrives."""

from __future__ import annotations

import random

from selftest.cases import cases
from support.pairs import AT_ONCE, Pair, carry, counted, frame, frames, taken
from support.waiting import eventually

from xdplab import Capture
from xdplab.capture.batch import Batch

SMALL = 256  # a frame that fits where a large one does not
RING = 2 * AT_ONCE


def is_counted(receiver: Capture, name: str, least: int) -> bool:
    """Wait until a counter has a value at least."""
    return eventually(lambda: counted(receiver)[name] >= least)


def quiet(receiver: Capture) -> list[bytes]:
    """Receive what comes until nothing does for a while."""
    found: list[bytes] = []
    while len(batch := receiver.recv(timeout=0.3)):
        found += map(bytes, batch)
    return found


@cases("STAT_RX_DROPPED")
def test_packets_larger_than_a_frame_are_counted(case: str, pair: Pair) -> None:
    if pair.mode == "zero-copy":
        pair.not_possible(
            "Only where the kernel copies a packet does it compare its length with a frame's "
            "(net/xdp/xsk.c, __xsk_rcv): with zero-copy there is nothing to count."
        )
        return
    dice = random.Random(1)
    given = [frame(dice, size) for size in [SMALL, 1514] * 5]
    fit = given[::2]
    with pair.ends({}, frame_size=2048, headroom=1024) as (sender, receiver):
        assert sender.send(given) == len(given)
        assert taken(receiver, len(fit)) == fit
        assert is_counted(receiver, "rx_dropped", len(given) - len(fit))
        assert counted(receiver)["rx_dropped"] == len(given) - len(fit)
        carry(sender, receiver, fit)


@cases("STAT_RX_FULL")
def test_what_finds_the_ring_full_is_counted(case: str, pair: Pair) -> None:
    given = frames(RING + AT_ONCE)
    with pair.ends({}, ring_size=RING) as (sender, receiver):
        for begin in range(0, len(given), AT_ONCE):
            assert sender.send(given[begin : begin + AT_ONCE]) == AT_ONCE
            assert is_counted(receiver, "rx_producer", min(begin + AT_ONCE, RING))
        copies = pair.mode != "zero-copy"
        assert is_counted(receiver, "rx_ring_full", AT_ONCE if copies else 1)
        assert taken(receiver, RING) == given[:RING]
        if copies:
            assert counted(receiver)["rx_ring_full"] == AT_ONCE
        else:  # a driver may keep some in the card's own ring, and try again
            assert set(quiet(receiver)) <= set(given[RING:])
        carry(sender, receiver, frames(AT_ONCE))


@cases("STAT_FILL_EMPTY")
def test_what_finds_no_frame_is_counted_until_some_are_given_back(case: str, pair: Pair) -> None:
    count = 2 * RING  # all frames that the engine has for it
    kept: list[Batch] = []
    with pair.ends({}, ring_size=RING) as (sender, receiver):
        given = frames(count)
        found: list[bytes] = []
        for begin in range(0, count, AT_ONCE):
            assert sender.send(given[begin : begin + AT_ONCE]) == AT_ONCE
            while len(found) < begin + AT_ONCE and len(batch := receiver.recv(timeout=30)):
                kept.append(batch.keep())
                found += map(bytes, batch)
        assert found == given
        copies = pair.mode != "zero-copy"
        before = int(counted(receiver)["rx_fill_ring_empty_descs"]) if copies else 0
        lost = frames(AT_ONCE)
        assert sender.send(lost) == AT_ONCE
        least = before + AT_ONCE if copies else 1  # a driver counts its own attempts
        assert is_counted(receiver, "rx_fill_ring_empty_descs", least)
        assert not len(receiver.try_recv())
        for batch in kept:
            batch.release()
        # Gives the frames back, into which a card may put what it has kept.
        assert set(quiet(receiver)) <= set(() if copies else lost)
        carry(sender, receiver, frames(AT_ONCE))
