"""Frames between two ends of AF_XDP: however they lie in memory, and however an end waits."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from selftest.cases import cases
from support.pairs import AT_ONCE, RING, Pair, carry, counted, frames, taken

from xdplab import KernelError
from xdplab.native.records import SYSCALLS

COUNT = 3 * RING  # so that each UMEM frame is used again
LAYOUTS: dict[str, dict[str, Any]] = {
    "SEND_RECEIVE": {"frame_size": 4096},
    "SEND_RECEIVE_2K_FRAME": {"frame_size": 2048},
    "SEND_RECEIVE_UNALIGNED": {"frame_size": 3000, "unaligned": True},
}
XDP_HEADROOM = 256  # linux/bpf.h: XDP_PACKET_HEADROOM, in front of the UMEM's own


@cases(*LAYOUTS)
def test_all_frames_arrive_in_order_with_their_bytes(case: str, pair: Pair) -> None:
    if case.endswith("2K_FRAME") and pair.refuses_small_frames():
        return
    layout = LAYOUTS[case]
    if "unaligned" in layout and not pair.on_veth:  # a driver takes no frame across other pages
        layout = {**layout, "huge_pages": True}
    with pair.ends(**layout) as (sender, receiver):
        carry(sender, receiver, frames(COUNT))
        found = counted(receiver)
        assert found["rx_packets"] == found["rx_consumer"] == COUNT
        assert found["rx_invalid_descs"] == 0
        assert counted(sender)["tx_invalid_descs"] == 0


@cases("UMEM_HEADROOM")
def test_bytes_in_front_of_each_packet_are_left_free(case: str, pair: Pair) -> None:
    with pair.ends(frame_size=4096, headroom=128) as (sender, receiver):
        for given in frames(AT_ONCE):
            assert sender.send([given]) == 1
            batch = receiver.recv(timeout=30)
            assert list(map(bytes, batch)) == [given]
            assert int(batch._frames["address"][0]) % 4096 == XDP_HEADROOM + 128


@cases("SEND_RECEIVE_SINGLE_PKT")
def test_one_frame_alone_arrives(case: str, pair: Pair) -> None:
    with pair.ends() as (sender, receiver):
        carry(sender, receiver, frames(1))
        assert not len(receiver.recv(timeout=0.1))


@cases("POLL_RX")
def test_a_receiver_that_waits_is_woken(case: str, pair: Pair) -> None:
    wait, call = ("busy-poll", "recvfrom") if pair.busy else ("poll", "poll")
    with pair.ends(wait=wait) as (sender, receiver), ThreadPoolExecutor(1) as threads:
        for given in frames(20):
            waiting = threads.submit(taken, receiver, 1)
            time.sleep(0.01)
            assert sender.send([given]) == 1
            assert waiting.result() == [given]
        assert counted(receiver)["syscalls"][SYSCALLS.index(call)] > 0


@cases("POLL_TX")
def test_a_sender_whose_ring_is_full_waits_for_room(case: str, pair: Pair) -> None:
    count = 3 * AT_ONCE
    with pair.ends({"ring_size": AT_ONCE}, ring_size=4 * AT_ONCE) as (sender, receiver):
        given = frames(count)
        assert sender.send(given, timeout=30) == count
        assert taken(receiver, count) == given


@cases("POLL_RXQ_FULL")
def test_a_receiver_waits_as_long_as_it_was_told(case: str, pair: Pair) -> None:
    with pair.ends(wait="busy-poll" if pair.busy else "poll") as (sender, receiver):
        begun = time.monotonic()
        assert not len(receiver.recv(timeout=0.1))
        assert time.monotonic() - begun >= 0.1
        carry(sender, receiver, frames(1))


@cases("POLL_TXQ_FULL")
def test_a_sender_from_which_nothing_is_taken_is_told(case: str, pair: Pair) -> None:
    link = ["ip", "link", "set", pair.second.interface.name]
    with pair.ends() as (sender, receiver):
        pair.second.command([*link, "down"]).check_returncode()
        try:
            with pytest.raises(KernelError, match=r"send 192 packets in 0\.2 s") as refused:
                sender.send(frames(COUNT), timeout=0.2)
        finally:
            pair.second.command([*link, "up"]).check_returncode()
        assert isinstance(refused.value.results, int)
        assert refused.value.results < COUNT
        assert receiver.error is None


@cases("TEARDOWN")
def test_both_ends_open_and_close_again_and_again(case: str, pair: Pair) -> None:
    for _ in range(5):
        with pair.ends() as (sender, receiver):
            carry(sender, receiver, frames(AT_ONCE))


@cases("BIDIRECTIONAL")
def test_both_ends_send_and_receive(case: str, pair: Pair) -> None:
    with pair.ends() as (one, other):
        for _ in range(3):
            carry(one, other, frames(RING))
            carry(other, one, frames(RING))
