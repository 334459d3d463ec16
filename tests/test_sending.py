"""What a capture is given to send leaves the interface whole, in order, and is counted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.batches import arrived, consecutive, numbers
from support.loads import HOLDABLE_RATE, RING
from support.waiting import eventually

from xdplab import Capture, ClosedError, ConfigurationError, KernelError, Lab, Traffic
from xdplab.capture.batch import Batch

HEADER = b"\xff" * 6 + b"\2\0\0\0\0\1" + b"\x88\xb5"  # of an experimental protocol, to all


@pytest.fixture
def ends(lab: Lab) -> Iterator[tuple[Capture, Capture]]:
    with Capture(lab.port, ring_size=RING) as port, Capture(lab.peer, ring_size=RING) as peer:
        yield port, peer


def frame(number: int, size: int = 60) -> bytes:
    return HEADER + number.to_bytes(4, "little") + bytes(size - len(HEADER) - 4)


def collected(capture: Capture, count: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < count and len(batch := capture.recv(timeout=30)):
        found += map(bytes, batch)
    return found


def sizes() -> list[int]:
    return [int(size) for size in np.random.default_rng(1).integers(60, 1515, 200)]


@pytest.mark.parametrize(
    "given",
    [
        [frame(number, size) for number, size in enumerate(sizes())],
        [bytearray(frame(number)) for number in range(5)],
        [np.frombuffer(frame(number), np.uint8) for number in range(5)],
        np.frombuffer(b"".join(frame(number) for number in range(100)), np.uint8).reshape(100, 60),
    ],
)
def test_frames_of_ones_own_arrive_as_they_were_given(
    ends: tuple[Capture, Capture], given: Any
) -> None:
    port, peer = ends
    assert port.send(given) == len(given)
    assert collected(peer, len(given)) == [bytes(each) for each in given]


def test_a_batch_is_sent_back_without_a_copy(ends: tuple[Capture, Capture], lab: Lab) -> None:
    port, peer = ends
    ledger = port.ledger()
    with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE / 2, count=1000):
        returned, sent = [], 0
        while sent < 1000:
            batch = port.recv(timeout=30)
            sent += port.send(batch)
            with pytest.raises(ClosedError, match="no longer its own"):
                numbers(batch)
            while len(batch := peer.try_recv()):
                returned += numbers(batch)
    while len(returned) < 1000 and len(batch := peer.recv(timeout=30)):
        returned += numbers(batch)
    assert consecutive(returned, 1000)
    account = ledger.settle(30)
    assert account.packets("handed to the TX ring") == 1000
    assert account.unaccounted == 0
    assert port.telemetry.total()["held"] == 0


def test_a_part_is_sent_and_the_rest_goes_back(ends: tuple[Capture, Capture], lab: Lab) -> None:
    port, peer = ends
    with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, count=32):
        assert eventually(lambda: arrived(port) == 32)
        batch = port.recv()
        assert port.send(batch[[5, 3]]) == 2
        assert numbers(batch[:3]) == [0, 1, 2]
        with pytest.raises(ClosedError, match="2 of this batch's 32"):
            numbers(batch)
        port.try_recv()
        port.refresh()
        assert port.telemetry.total()["held"] == 0
    assert eventually(lambda: arrived(peer) == 2)
    assert numbers(peer.recv()) == [5, 3]


def test_more_than_the_ring_holds_is_sent_in_one_call(ends: tuple[Capture, Capture]) -> None:
    port, peer = ends
    count = 3 * RING
    found: list[int] = []
    sent = threading.Event()

    def take() -> None:
        while len(batch := peer.recv(0.5)) or not sent.is_set():
            found.extend(int.from_bytes(bytes(each[14:18]), "little") for each in batch)

    taking = threading.Thread(target=take)
    taking.start()
    assert port.send([frame(number) for number in range(count)], timeout=30) == count
    sent.set()
    taking.join()
    assert port.telemetry.total()["tx_invalid_descs"] == 0
    # A busy machine may lose some at the far end, whose ring holds a third.
    assert found == sorted(set(found))
    assert len(found) > RING / 2


def test_what_is_longer_than_the_interface_takes_is_told(ends: tuple[Capture, Capture]) -> None:
    port, peer = ends
    ledger = port.ledger()
    assert port.send([frame(0, 1514), frame(1, 1600)]) == 2
    assert len(peer.recv(30)) == 1
    account = ledger.settle(30)
    assert account.packets("dropped by the device") == 1
    assert "capture.send(...) may be given packets of 1,514 bytes" in account.explain()


def test_a_batch_of_another_capture_is_sent_as_a_copy(ends: tuple[Capture, Capture]) -> None:
    port, peer = ends
    port.send([frame(1), frame(2)])
    batch = peer.recv(30)
    with pytest.raises(ConfigurationError, match=r"send\(batch\.copy\(\)\)"):
        port.send(batch)
    assert port.send(batch.copy()) == len(batch)
    assert collected(peer, len(batch))


@pytest.mark.parametrize(
    ("packets", "words"),
    [
        (b"packet", r"one alone: \[packet\]"),
        ("text", "must be a list of frames"),
        (None, "must be a list of frames"),
        ([b"short"], r"packets\[0\] has 5 bytes"),
        ([frame(0), frame(0, 5000)], r"packets\[1\] has 5,000 bytes.*2,048"),
        ([frame(0), 7], r"packets\[1\]=7 is not bytes"),
        (np.zeros((2, 60), np.int32), "array of int32"),
        ([frame(0), np.zeros(60)], r"packets\[1\] has items of 8 bytes"),
        (np.zeros(60, np.uint8), "1 dimensions"),
        (np.zeros((2, 3000), np.uint8), r"packets\[0\] has 3,000 bytes"),
    ],
)
def test_what_is_no_packet_is_refused_and_nothing_is_sent(
    ends: tuple[Capture, Capture], packets: Any, words: str
) -> None:
    port, _peer = ends
    with pytest.raises(ConfigurationError, match=words):
        port.send(packets)
    port.refresh()
    assert port.telemetry.total()["tx_packets"] == 0


def test_nothing_is_sent_by_sending_nothing(ends: tuple[Capture, Capture]) -> None:
    port, _peer = ends
    assert port.send([]) == 0
    assert port.send(port.try_recv()) == 0
    assert port.send(np.zeros((0, 60), np.uint8)) == 0


@pytest.mark.kernel
def test_what_the_kernel_does_not_take_in_time_is_told(lab: Lab) -> None:
    with Capture(lab.port, ring_size=64) as capture:
        assert lab.port.command(["ip", "link", "set", "port0", "down"]).returncode == 0
        with pytest.raises(KernelError, match=r"send 1,000 packets in 0\.2 s") as refused:
            capture.send([frame(number) for number in range(1000)], timeout=0.2)
        taken = refused.value.results
        assert isinstance(taken, int)
        assert 0 <= taken < 1000
        capture.refresh()
        assert capture.telemetry.total()["tx_packets"] == taken


def test_two_captures_answer_each_other_for_long_without_losing_a_frame(
    ends: tuple[Capture, Capture],
) -> None:
    port, peer = ends

    def answer(batch: Batch) -> None:
        peer.send(batch)

    with peer.on_batch(answer):
        for turn in range(200):
            port.send([frame(turn)])
            answers = port.recv(timeout=30)
            assert bytes(answers[0]) == frame(turn)
    for each in ends:
        each.try_recv()
        each.refresh()
        assert each.telemetry.total()["held"] == 0


def test_a_closed_capture_says_so_whatever_it_is_given(ends: tuple[Capture, Capture]) -> None:
    port, peer = ends
    peer.send([frame(0)])
    kept = port.recv(30).keep()
    port.close()
    for given in (kept, kept.copy(), [frame(0)], None):
        with pytest.raises(ClosedError, match=r"this capture was closed.*Capture\(lab\.port\)"):
            port.send(given)
    with pytest.raises(ClosedError, match=r"this capture was closed"):
        port.batch = 7
