"""Several sockets of an engine on one queue, among which the user's program chooses."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from support.loads import DEEP_RING, HOLDABLE_RATE
from support.waiting import eventually
from support.xskmaps import steering

from xdplab import Account, Capture, ConfigurationError, Engine, Lab, Memory, Program, Traffic
from xdplab.capture.batch import Batch

pytestmark = pytest.mark.kernel  # which runs the programs

SIZE = 200  # bytes of a frame that no other sender on the wire makes
OURS = f"if (data + {SIZE} > end || data + {SIZE + 1} <= end) return XDP_PASS;"
"""Leaves to the stack what others send."""


FRAMES = 3 * 2 * 64  # of three sockets with rings of 64


def in_turn(sockets: int) -> bytes:
    """Compile a program that gives packets to a queue's sockets in turn."""
    entry = f"context->rx_queue_index * {sockets} + nth % {sockets}"
    return steering(f"{OURS} return bpf_redirect_map(&sockets, {entry}, XDP_DROP);")


def each(engine: Engine, name: str = "rx_packets") -> list[int]:
    workers = range(engine.telemetry.workers)
    return [int(engine.telemetry.counters(worker)[name]) for worker in workers]


def send(lab: Lab, engine: Engine, count: int, rate: Any = HOLDABLE_RATE) -> Account:
    """Send frames, and account for them."""
    traffic = Traffic(lab.peer, lab.port, rate=rate, size=SIZE, count=count)
    ledger = engine.ledger(traffic)
    with traffic:
        assert traffic.wait(60)
        account = ledger.settle(30)
    assert account.balanced, account
    assert account.packets("sent by the generator") == count
    return account


@pytest.mark.parametrize("sockets", [2, 3, 4])
def test_each_socket_gets_what_the_program_gives_it(lab: Lab, sockets: int) -> None:
    with (
        Program(in_turn(sockets), lab.port) as program,
        Engine(lab.port, program=program, sockets=sockets, ring_size=DEEP_RING // 4) as engine,
    ):
        count = 300 * sockets
        assert send(lab, engine, count).packets("received by the worker") == count
        assert sum(each(engine)) == count
        # Others' packets are counted by the program, too, so its turn may begin anywhere.
        assert max(each(engine)) - min(each(engine)) <= count // 10
        assert len(engine.cpus) == sockets
        assert "4 sockets each" in str(engine) or sockets != 4
        assert "queue 0 socket 1" in str(engine.rates())


@pytest.mark.parametrize(
    "memory",
    [Memory(), Memory(unaligned=True), Memory(multi_buffer=True)],
    ids=["plain", "unaligned", "multi-buffer"],
)
def test_frames_that_were_sent_come_back_to_their_sender(lab: Lab, memory: Memory) -> None:
    """Far more packets than there are frames go through the rings that the sockets share."""
    with (
        Program(in_turn(3), lab.port) as program,
        Engine(
            lab.port, program=program, sockets=3, ring_size=64, action="reflect", memory=memory
        ) as engine,
    ):
        taken = 0
        for _ in range(20):  # a busy machine may lose most of them
            account = send(lab, engine, 2_000, rate=5_000)
            taken += account.packets("received by the worker")
            if taken > 10 * FRAMES:
                break
        assert taken > FRAMES
        assert eventually(
            lambda: each(engine, "completion_consumer") == each(engine, "tx_producer")
        )
        assert each(engine, "tx_packets") == each(engine)
        # All frames are in the fill ring again, and the next ones arrive.
        before = each(engine)
        assert eventually(lambda: int(engine.telemetry.total()["fill_producer"]) == taken + FRAMES)
        send(lab, engine, 100)
        assert sum(each(engine)) > sum(before)


def test_a_full_ring_of_one_socket_takes_nothing_from_the_others(lab: Lab) -> None:
    with (
        Program(in_turn(2), lab.port) as program,
        Capture(lab.port, program=program, sockets=2, ring_size=64) as capture,
    ):
        traffic = Traffic(lab.peer, lab.port, rate=2_000, size=SIZE)
        ledger = capture.ledger(traffic)

        taken = 0

        def is_full() -> bool:
            nonlocal taken
            while batch := capture.receivers[1].try_recv():
                taken += len(batch)
            return taken > 64 and ledger.read().packets("RX ring full") > 0

        with traffic:
            assert eventually(is_full)
            traffic.stop()
            sent = traffic.sent
        is_full()
        account = ledger.settle(1)
        assert account.balanced, account
        waiting = account.packets("waiting in the RX ring")
        assert waiting <= 64
        assert account.packets("no fill descriptor") == 0
        assert taken + waiting + account.packets("RX ring full") == sent


def test_frames_that_are_kept_are_missed_by_all_sockets_of_the_queue(lab: Lab) -> None:
    kept: list[Batch] = []
    with (
        Program(in_turn(2), lab.port) as program,
        Capture(lab.port, program=program, sockets=2, ring_size=64) as capture,
    ):
        traffic = Traffic(lab.peer, lab.port, rate=2_000, size=SIZE)
        ledger = capture.ledger(traffic)

        def none_left() -> bool:
            while batch := capture.receivers[0].try_recv():
                kept.append(batch.keep())
            return ledger.read().packets("no fill descriptor") > 0

        with traffic:
            assert eventually(none_left)
            traffic.stop()
            account = ledger.settle(1)
            sent = traffic.sent
        assert account.balanced, account
        waiting = account.packets("waiting in the RX ring")
        held = sum(map(len, kept))
        assert held + waiting == 2 * 2 * 64  # all frames that there are
        lost = account.packets("no fill descriptor") + account.packets("RX ring full")
        assert held + waiting + lost == sent
        for each_batch in kept:
            each_batch.release()
        capture.receivers[0].try_recv()  # gives them back to the fill ring
        with Traffic(lab.peer, lab.port, rate=2_000, size=SIZE, count=20) as more:
            assert more.wait(60)
            assert len(capture.receivers[0].recv(timeout=20))


def test_packets_in_python_by_a_thread_for_each_socket(lab: Lab) -> None:
    count, got, over = 3_000, [0, 0, 0], threading.Event()

    def receive(capture: Capture, number: int) -> None:
        receiver = capture.receivers[number]
        while not over.is_set():
            batch = receiver.recv(timeout=0.2)
            got[number] += len(batch)
            receiver.send(batch, timeout=30)

    with (
        Program(in_turn(3), lab.port) as program,
        Capture(lab.port, program=program, sockets=3, ring_size=4096) as capture,
    ):
        assert [each.queue for each in capture.receivers] == [0, 0, 0]
        threads = [threading.Thread(target=receive, args=(capture, number)) for number in range(3)]
        traffic = Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE / 5, size=SIZE, count=count)
        ledger = capture.ledger(traffic)
        with traffic:
            for thread in threads:
                thread.start()
            assert traffic.wait(60)
            assert eventually(lambda: sum(got) == count)
            over.set()
            for thread in threads:
                thread.join(60)
        account = ledger.settle(30)
        assert account.balanced, account
        assert all(got), got


def test_sockets_of_several_queues_have_entries_of_their_own() -> None:
    with (
        Lab(queues=2) as lab,
        Program(in_turn(2), lab.port) as program,
        Engine(
            lab.port, queue=[0, 1], sockets=2, program=program, ring_size=DEEP_RING // 4
        ) as engine,
    ):
        assert send(lab, engine, 400).packets("received by the worker") == 400
        assert engine.queues == (0, 1)
        assert engine.telemetry.workers == 4
        assert sum(each(engine)) == 400
        assert min(max(each(engine)[:2]), max(each(engine)[2:])) >= 0


def test_an_engine_with_several_sockets_is_reconfigured_and_its_program_replaced(lab: Lab) -> None:
    with Program(in_turn(2), lab.port) as one, Program(in_turn(2), lab.port) as other:
        link = one.attach()
        with Engine(lab.port, program=one, sockets=2, ring_size=DEEP_RING // 4) as engine:
            assert send(lab, engine, 200).packets("received by the worker") == 200
            engine.reconfigure(ring_size=DEEP_RING // 8)
            assert send(lab, engine, 200).packets("received by the worker") == 200
            link.replace(other)
            assert send(lab, engine, 200).packets("received by the worker") == 200
            assert sum(each(engine)) == 600


def test_what_can_not_work_is_refused(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match=r"sockets=2 on a queue take a program"):
        Engine(lab.port, sockets=2)
    with (
        Lab(queues=5, number=1) as wide,
        Program(in_turn(2), wide.port) as program,
        pytest.raises(ConfigurationError, match=r"sockets has 256 entries.* take 320: declare"),
    ):
        Engine(wide.port, queue=4, sockets=64, program=program)
    with Program(in_turn(2), lab.port) as program:
        for wrong in (0, 65, "2", True):
            with pytest.raises(ConfigurationError, match="sockets="):
                Engine(lab.port, sockets=wrong, program=program)  # type: ignore[arg-type]
        with Engine(lab.port, sockets=2, program=program) as engine:
            with pytest.raises(ConfigurationError):
                engine.reconfigure(sockets=3)
            assert "2 sockets each" in str(engine)
