"""A batch is a view of UMEM: right as long as it is its own, and an error or still right after."""

from __future__ import annotations

import gc
import re
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import consecutive, numbers
from support.child_programs import line, python
from support.frames import raw_socket
from support.loads import HOLDABLE_RATE, RING
from support.waiting import eventually

from xdplab import Capture, ClosedError, ConfigurationError, Lab, Memory, Traffic
from xdplab.capture.area import Area
from xdplab.capture.batch import Batch
from xdplab.capture.loan import FrameLoan
from xdplab.native.records import FRAME

FRAMES = 2 * RING  # that a capture has for what it receives
AFTER = "no longer its own"


@pytest.fixture
def capture(lab: Lab) -> Iterator[Capture]:
    with Capture(lab.port, ring_size=RING, batch=32) as made:
        yield made


@pytest.fixture
def send(lab: Lab) -> Iterator[Callable[[int], None]]:
    """Send so many numbered frames, and wait until they are sent."""

    def run(count: int) -> None:
        with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, count=count) as traffic:
            traffic.wait()

    yield run


def held(capture: Capture) -> int:
    capture.refresh()
    return int(capture.telemetry.total()["held"])


def pass_by(capture: Capture, send: Callable[[int], None]) -> None:
    """Let more packets come than there are frames, so that each frame is filled again."""
    for _ in range(FRAMES // 2000 + 2):
        send(2000)
        while len(capture.recv(0.01)):
            pass


def test_a_batch_tells_lengths_times_and_queues(
    capture: Capture, send: Callable[[int], None]
) -> None:
    send(32)
    batch = capture.recv()
    assert len(batch) == 32
    assert set(batch.lengths) == {64}
    assert batch.frames.shape[0] == 32
    assert set(batch.queues) == {0}
    assert not batch.options.any()
    assert (np.abs(batch.timestamps - batch.timestamps[0]) < 1e9).all()
    for number in range(32):
        assert bytes(batch[number]) == batch.frames[number, :64].tobytes()
    assert bytes(batch[-1]) == bytes(batch[31])
    assert "32 packets" in repr(batch)


def test_parts_are_batches_without_copies(capture: Capture, send: Callable[[int], None]) -> None:
    send(32)
    batch = capture.recv()
    odd = np.arange(32) % 2 == 1
    assert numbers(batch[4:8]) == [4, 5, 6, 7]
    assert numbers(batch[odd]) == list(range(1, 32, 2))
    assert numbers(batch[odd][2:4][[1, 0]]) == [7, 5]
    assert numbers(batch[np.ma.masked_array(odd, mask=np.arange(32) > 8)]) == [1, 3, 5, 7]
    batch[odd][0][0:6] = b"\xff" * 6  # written through every view
    assert batch.frames[1, :6].tobytes() == b"\xff" * 6
    batch[3:5].frames[0, 0] = 7
    assert batch[3][0] == 7


@pytest.mark.parametrize("key", [1.5, [40], np.zeros(3, bool), [[1, 2], [3, 4]], None, [1, 1]])
def test_a_part_that_is_none_is_refused(
    capture: Capture, send: Callable[[int], None], key: Any
) -> None:
    send(32)
    with pytest.raises(ConfigurationError, match=r"batch\["):
        capture.recv()[key]


def test_a_packet_that_is_not_there_ends_a_loop(
    capture: Capture, send: Callable[[int], None]
) -> None:
    send(32)
    with pytest.raises(IndexError, match="32 packets"):
        capture.recv()[32]


@pytest.mark.parametrize(
    "use",
    [
        lambda batch: batch.frames,
        lambda batch: batch.lengths,
        lambda batch: batch[0],
        lambda batch: batch[:1].lengths,
        lambda batch: batch[[1]][0],
        list,
        lambda batch: batch.copy(),
        lambda batch: batch.keep(),
    ],
)
def test_a_batch_ends_when_the_next_is_received(
    capture: Capture, send: Callable[[int], None], use: Callable[[Batch], object]
) -> None:
    send(64)
    first = capture.recv()
    part = first[1:3]
    capture.recv()
    for batch in (first, part):
        with pytest.raises((ClosedError, IndexError), match=AFTER):
            use(batch)


@pytest.mark.parametrize(
    "view",
    [
        lambda batch: batch.frames,
        lambda batch: batch.frames[::2, 20:],
        lambda batch: batch[5:9].frames.T,
        lambda batch: batch[0],
        lambda batch: memoryview(batch[7])[10:],
        lambda batch: np.frombuffer(batch[1], np.uint8)[42:],
        lambda batch: batch[[3, 1]][0],
        list,
    ],
)
def test_a_view_shows_the_same_packet_for_ever(
    capture: Capture, send: Callable[[int], None], view: Callable[[Batch], Any]
) -> None:
    send(32)
    batch = capture.recv()
    seen = view(batch)
    before = bytes(seen[0]) if isinstance(seen, list) else bytes(seen)
    if isinstance(seen, list):
        seen = seen[0]
    del batch
    pass_by(capture, send)
    assert bytes(seen) == before
    assert held(capture) == 32
    del seen
    gc.collect()
    capture.try_recv()
    assert held(capture) == 0


def test_a_view_may_be_let_go_by_another_thread(
    capture: Capture, send: Callable[[int], None]
) -> None:
    send(32)
    views = [capture.recv().frames]
    capture.try_recv()
    assert held(capture) == 32
    thread = threading.Thread(target=views.clear)
    thread.start()
    thread.join()
    capture.try_recv()
    assert held(capture) == 0


def test_kept_frames_stay_until_they_are_released_or_forgotten(
    capture: Capture, send: Callable[[int], None]
) -> None:
    send(32)
    kept = capture.recv().keep()
    pass_by(capture, send)
    assert consecutive(numbers(kept), 32)
    kept[:10].release()
    capture.try_recv()
    assert held(capture) == 22
    assert numbers(kept[10:]) == list(range(10, 32))
    with pytest.raises(ClosedError, match=f"10 of this batch's 32.*{AFTER}"):
        numbers(kept)
    kept.release()
    kept.release()
    capture.try_recv()
    assert held(capture) == 0
    send(32)
    forgotten = capture.recv().keep()
    capture.try_recv()
    assert held(capture) == 32
    del forgotten
    gc.collect()
    capture.try_recv()
    assert held(capture) == 0


def test_some_packets_of_a_batch_are_kept_apart(
    capture: Capture, send: Callable[[int], None]
) -> None:
    send(32)
    batch = capture.recv()
    kept = batch[[3, 5]].keep()
    assert numbers(batch[:3]) == [0, 1, 2]
    with pytest.raises(ClosedError, match="2 of this batch's 32"):
        numbers(batch)
    pass_by(capture, send)
    assert numbers(kept) == [3, 5]
    assert held(capture) == 2


def test_a_view_of_what_was_kept_apart_keeps_it_too(
    capture: Capture, send: Callable[[int], None]
) -> None:
    send(32)
    batch = capture.recv()
    view = batch[3]
    batch[[3]].keep().release()
    del batch
    before = bytes(view)
    pass_by(capture, send)
    assert bytes(view) == before


def test_a_copy_outlives_everything(lab: Lab, send: Callable[[int], None]) -> None:
    with Capture(lab.port, ring_size=RING) as capture:
        send(32)
        batch = capture.recv()
        copies = [batch.copy(), batch[[4, 2]].copy()]
        pass_by(capture, send)
    assert consecutive(numbers(copies[0]), 32)
    assert numbers(copies[1].copy()) == [4, 2]
    assert set(copies[0].lengths) == {64}


@pytest.mark.parametrize("end", [Capture.close, lambda c: c.reconfigure(ring_size=RING // 2)])
def test_what_was_kept_can_be_read_after_close_and_reconfigure(
    capture: Capture, send: Callable[[int], None], end: Callable[[Capture], None]
) -> None:
    send(64)
    kept, other = capture.recv().keep(), capture.recv()
    view = other.frames
    before = view.tobytes()
    end(capture)
    assert consecutive(numbers(kept), 32)
    assert view.tobytes() == before
    kept.release()
    del kept, view, other


def test_a_batch_of_before_can_not_be_used_after_close(
    capture: Capture, send: Callable[[int], None]
) -> None:
    send(32)
    batch = capture.recv()
    capture.close()
    with pytest.raises(ClosedError, match=AFTER):
        numbers(batch)


def test_who_keeps_too_much_starves_itself_and_is_told(
    lab: Lab, send: Callable[[int], None]
) -> None:
    with Capture(lab.port, ring_size=64) as capture:
        ledger = capture.ledger()
        kept = []
        while held(capture) < 128:
            send(40)
            kept.append(capture.recv(0.1).keep())
        send(40)
        account = ledger.settle()
        assert account.packets("received by the worker") == 128
        assert account.unaccounted == 0
        assert "kept" in account.explain()
        (larger,) = re.findall(r"capture\.reconfigure\(ring_size=\d+\)", account.explain())
        kept.clear()
        gc.collect()
        assert eventually(lambda: not len(capture.recv(0.01)))
        send(10)
        assert len(capture.recv()) == 10
        exec(larger, {"capture": capture})
        assert capture.ring_size > 64


def test_a_forked_child_is_refused_its_parents_packets(lab: Lab) -> None:
    script = """
import os, sys
from xdplab import Capture, ClosedError, Lab, Traffic
with Lab() as lab, Capture(lab.port) as capture:
    with Traffic(lab.peer, lab.port, count=10):
        batch = capture.recv(30)
    copy = batch.copy()
    child = os.fork()
    if child == 0:
        refused = 0
        for use in (
            lambda: batch["udp.dport"], lambda: batch.frames, lambda: list(batch),
            lambda: batch.where("udp"), batch.copy, batch.keep, capture.recv,
            lambda: capture.send(batch), lambda: batch.to_pcapng("x.pcapng"), lambda: str(batch[0]),
        ):
            try:
                use()
            except ClosedError:
                refused += 1
        print(refused, set(copy["udp.dport"]) == {9}, flush=True)
        os._exit(0)
    print(os.waitpid(child, 0)[1], set(batch["udp.dport"]) == {9}, flush=True)
"""
    with python(script) as process:
        assert line(process) == "10 True"
        assert line(process) == "0 True"


def test_packets_that_nobody_asked_for_yet_wait_and_the_ledger_says_so(
    capture: Capture, send: Callable[[int], None]
) -> None:
    ledger = capture.ledger()
    send(10)
    account = ledger.settle()
    assert account.packets("waiting in the RX ring") == 10
    assert "capture.recv() gives them" in account.explain()


@pytest.mark.kernel
def test_who_chooses_a_part_of_a_long_packet_has_it_whole(privileged: None) -> None:
    memory = Memory(multi_buffer=True)
    short, long = bytes(60), bytes(range(256)) * 20
    with (
        Lab(mtu=9000) as lab,
        Capture(lab.port, memory=memory) as capture,
        Capture(lab.peer, memory=memory) as peer,
        raw_socket(lab.peer) as raw,
    ):
        for number, payload in enumerate((short, long, short, long), 1):
            raw.send(b"\xff" * 6 + bytes([2, 0, 0, 0, 0, number]) + b"\x88\xb5" + payload)
        assert eventually(lambda: capture.verdicts().redirected == 4)
        batch = capture.recv()
        sources = [0x020000000001 + number for number in range(4)]
        assert batch["eth.src"].compressed().tolist() == sources
        part = len(batch) - 1  # the last of the last packet
        for some, expected in (
            (batch[part:], sources[3:]),
            (batch[[2, 0]], [sources[1], sources[0]]),
            (batch.where(f"eth.src == {sources[1]}"), sources[1:2]),
            (batch[0:0], []),
        ):
            assert some["eth.src"].compressed().tolist() == expected
        assert capture.send(batch.where(f"eth.src == {sources[3]}")) == 3
        assert b"".join(peer.recv(30))[14:] == long


@pytest.mark.kernel
def test_a_long_packet_fills_several_elements(privileged: None) -> None:
    memory = Memory(multi_buffer=True)
    payload = bytes(range(256)) * 20
    with Lab(mtu=9000) as lab, Capture(lab.port, memory=memory) as capture:
        with raw_socket(lab.peer) as raw:
            raw.send(b"\xff" * 6 + b"\2\0\0\0\0\1" + b"\x88\xb5" + payload)
        batch = capture.recv(30)
        assert list(batch.options) == [1] * (len(batch) - 1) + [0]
        assert b"".join(batch)[14:] == payload


@given(
    st.lists(
        st.tuples(st.integers(0, 63), st.integers(0, 200)), max_size=12, unique_by=lambda x: x[0]
    ),
    st.data(),
)
@settings(max_examples=100)
def test_any_part_of_any_layout_has_the_bytes_of_its_frames(
    places: list[tuple[int, int]], data: st.DataObject
) -> None:
    array = np.random.default_rng(1).integers(0, 256, 64 * 256, np.uint8)
    frames = np.zeros(len(places), FRAME)
    frames["address"] = [place * 256 + offset for place, offset in places]
    frames["length"] = [min(56, 256 - offset) for _, offset in places]
    returned: list[Any] = []
    batch = Batch(FrameLoan(Area(array, 256), frames, lambda *what: returned.append(what)), 0, 0)
    chosen = data.draw(
        st.lists(st.sampled_from(range(len(places))), unique=True) if places else st.just([])
    )
    part = batch[np.array(chosen, np.intp)]
    expected = [
        array[frames["address"][n] : frames["address"][n] + frames["length"][n]].tobytes()
        for n in chosen
    ]
    assert [bytes(packet) for packet in part] == expected
    assert [
        row[:length].tobytes() for row, length in zip(part.frames, part.lengths, strict=True)
    ] == expected
    assert [bytes(packet) for packet in part.copy()] == expected
    part.release()
    del part
    batch.release()
    gc.collect()
    given_back = [address for _, gone in returned for address in gone["address"]]
    assert sorted(given_back) == sorted(frames["address"])


def test_a_closed_capture_has_no_memory_but_that_of_batches_that_were_kept(
    capture: Capture, send: Callable[[int], None]
) -> None:
    send(32)
    kept = capture.recv().keep()
    area = weakref.ref(capture.receivers[0].area)
    gc.disable()
    try:
        capture.close()
        assert numbers(kept) == list(range(32))
        del kept
        assert area() is None
    finally:
        gc.enable()
