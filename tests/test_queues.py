"""Several queues: each has a worker and rings of its own, and what enters on one leaves on it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest
from support.loads import RING, SENDABLE_RATE
from support.pings import all_answered
from support.rings import all_at_rest, fresh
from support.threads import threads_of
from support.waiting import eventually

from xdplab import (
    ConfigurationError,
    Engine,
    InterfaceGoneError,
    Lab,
    Ledger,
    QueueBusyError,
    Stream,
    Traffic,
)

# The kernel's alone: what sends from sockets, or takes a link that goes away.

QUEUES = 4
ALL = range(QUEUES)


@pytest.fixture
def lab(privileged: None) -> Iterator[Lab]:
    with Lab(queues=QUEUES) as made:
        yield made


def each(engine: Engine, name: str) -> list[int]:
    """Return one counter of every worker."""
    return [int(fresh(engine, number)[name]) for number in range(engine.telemetry.workers)]


def rest(engine: Engine) -> bool:
    return all(all_at_rest(engine, worker) for worker in range(engine.telemetry.workers))


def send_from_many_ports(lab: Lab, datagrams: int, ports: int = 64) -> None:
    """Send from many sockets: the sender's kernel chooses a queue for each."""
    for _ in range(ports):
        with lab.peer.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.connect((lab.port.ipv4, 9))
            for _ in range(datagrams // ports):
                udp.send(b"one of many")


@pytest.mark.parametrize("action", ["drop", "reflect"])
def test_af_xdp_transmit_keeps_its_queue_both_ways(lab: Lab, action: str) -> None:
    count = 500
    stream = Stream(lab.port, rate=SENDABLE_RATE / QUEUES, count=count)
    with (
        Engine(lab.port, queue=ALL, action=action, inspect=True, ring_size=RING) as engine,
        Engine(lab.peer, queue=ALL, stream=stream, inspect=True, ring_size=RING) as sender,
    ):
        assert eventually(lambda: each(engine, "rx_packets") == [count] * QUEUES)
        back = 0 if action == "drop" else count
        assert eventually(lambda: each(sender, "rx_packets") == [back] * QUEUES)
        assert eventually(lambda: rest(engine))
        for end in (engine, sender):
            assert sum(each(end, "stream_missing")) == sum(each(end, "stream_late")) == 0
    assert each(engine, "tx_packets") == [back] * QUEUES


@pytest.mark.parametrize("queue", ALL)
def test_one_queue_of_several_gets_what_is_sent_on_it(lab: Lab, queue: int) -> None:
    stream = Stream(lab.port, rate=SENDABLE_RATE, count=500)
    with Engine(lab.port, queue=ALL) as engine, Engine(lab.peer, queue=queue, stream=stream):
        expected = [500 if number == queue else 0 for number in ALL]
        assert eventually(lambda: each(engine, "rx_packets") == expected)
        samples, _ = engine.telemetry.samples(0, queue)
        assert set(samples["queue"]) == {queue}


@pytest.mark.kernel
def test_sockets_spread_over_the_queues_and_telemetry_adds_them_up(lab: Lab) -> None:
    with Engine(lab.port, queue=ALL, ring_size=RING) as engine:
        ledger = Ledger(engine)
        send_from_many_ports(lab, 1024)
        assert eventually(lambda: engine.telemetry.total()["rx_packets"] == 1024)
        account = ledger.settle(30)
        assert eventually(lambda: rest(engine))
        engine.stop()
        total = engine.telemetry.total()
        for name in ("rx_packets", "rx_bytes", "batches", "rx_consumer", "fill_producer"):
            workers = [engine.telemetry.counters(number)[name] for number in ALL]
            assert np.array_equal(total[name], sum(workers))
    assert all(each(engine, "rx_packets"))
    assert account.balanced


@pytest.mark.parametrize("queues", [2, QUEUES])
def test_generated_frames_arrive_on_the_queue_of_the_sending_core(
    privileged: None, queues: int
) -> None:
    with Lab(queues=queues) as lab, Engine(lab.port, queue=range(queues), ring_size=RING) as engine:
        expected = [0] * queues
        for core in sorted(os.sched_getaffinity(0))[:4]:
            # Of however many flows.
            traffic = Traffic(lab.peer, lab.port, rate=SENDABLE_RATE, count=500, flows=16, cpu=core)
            assert traffic.start().wait(30)
            traffic.close()
            expected[core % queues] += 500
            assert eventually(lambda: each(engine, "rx_packets") == expected)


@pytest.mark.kernel
def test_echo_answers_on_every_queue(lab: Lab) -> None:
    with Engine(lab.port, queue=ALL, action="echo", ring_size=RING) as engine:
        for number in range(64):
            with lab.peer.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.settimeout(30)
                udp.connect((lab.port.ipv4, 7))
                udp.send(str(number).encode())
                assert udp.recv(100) == str(number).encode()
        assert eventually(lambda: rest(engine))
    assert all(each(engine, "tx_packets"))


def test_two_labs_joined_on_two_queues_keep_flows_apart(privileged: None) -> None:
    count = 500
    with Lab(queues=2) as left, Lab(queues=2, number=1) as right:
        stream = Stream(right.peer, rate=SENDABLE_RATE, count=count)
        with (
            Engine(left.port, forward_to=right.port, queue=[0, 1], ring_size=RING) as engine,
            Engine(right.peer, queue=[0, 1], inspect=True, ring_size=RING) as end,
            Engine(left.peer, queue=[0, 1], stream=stream),
        ):
            assert eventually(lambda: each(end, "stream_frames") == [count] * 2)
            assert each(end, "stream_missing") == each(end, "stream_late") == [0, 0]
            # From the left on both queues, and nothing from the right.
            assert each(engine, "rx_packets") == [count, count, 0, 0]
            assert eventually(lambda: rest(engine))


def test_hosts_find_each_other_through_labs_joined_on_all_queues(privileged: None) -> None:
    with (
        Lab(queues=QUEUES) as left,
        Lab(queues=QUEUES, number=1) as right,
        Engine(left.port, forward_to=right.port, queue=ALL) as engine,
    ):
        # Each ping is a flow of its own, which the sender's kernel gives a queue.
        for _ in range(5):
            assert all_answered(left.peer, right.peer.ipv6, 5)
            assert all_answered(right.peer, left.peer.ipv4, 5)
        assert eventually(lambda: rest(engine))


def test_a_queue_without_an_engine_is_left_to_the_stack(lab: Lab) -> None:
    with Engine(lab.port, queue=[1, 3], action="echo") as engine:
        ledger = Ledger(engine)
        stream = Stream(lab.port, rate=SENDABLE_RATE, count=100)
        with Engine(lab.peer, queue=ALL, stream=stream):
            assert eventually(lambda: each(engine, "rx_packets") == [100, 100])
            assert eventually(lambda: engine.verdicts().no_socket == 200)
        account = ledger.settle(30)
    assert account.balanced


def worker_cores_in_use() -> list[set[int]]:
    """Return the cores that each worker thread of this process may run on."""
    found = []
    for number, name in threads_of().items():
        if name == "xdplab-worker":
            with suppress(ProcessLookupError):  # it ends just now
                found.append(os.sched_getaffinity(number))
    return sorted(found, key=sorted)


def test_each_worker_is_pinned_to_the_core_that_was_asked_for(lab: Lab) -> None:
    first, last = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
    for cpu, expected in (
        ([first, last, last, last], [first, last, last, last]),
        (first, [first] * QUEUES),
        (np.array([first] * QUEUES), [first] * QUEUES),
    ):
        with Engine(lab.port, queue=ALL, cpu=cpu) as engine:
            assert list(engine.cpus) == expected
            assert worker_cores_in_use() == sorted([{core} for core in expected], key=sorted)
        # The kernel takes a thread that has ended off the list in its own time.
        assert eventually(lambda: worker_cores_in_use() == [])


def test_left_alone_workers_take_turns_on_the_cores(lab: Lab) -> None:
    cores = os.sched_getaffinity(0)
    with Engine(lab.port, queue=ALL) as engine:
        assert set(engine.cpus) <= cores
        assert len(set(engine.cpus)) == min(len(cores), QUEUES)
        assert engine.cpu == max(cores)


def test_the_cores_that_are_told_are_the_workers_wherever_others_may_run_by_now(lab: Lab) -> None:
    allowed = os.sched_getaffinity(0)
    with Engine(lab.port, queue=[0, 1]) as engine, Engine(lab.peer, cpu=max(allowed)) as other:
        cpus = engine.cpus
        os.sched_setaffinity(0, {min(allowed)})
        try:
            assert engine.cpus == cpus
            assert other.cpu == max(allowed)
        finally:
            os.sched_setaffinity(0, allowed)


def test_a_knob_turns_for_all_workers(lab: Lab) -> None:
    with Engine(lab.port, queue=ALL) as engine:
        engine.batch, engine.wait, engine.action = 7, "spin", "reflect"
        assert eventually(lambda: each(engine, "control_batch") == [7] * QUEUES)
        spin = engine.wait_strategies.index("spin")
        assert eventually(lambda: each(engine, "control_wait") == [spin] * QUEUES)
        engine.wait = "poll"


@pytest.mark.kernel
def test_engines_share_an_interface_no_more_than_a_queue(lab: Lab) -> None:
    with Engine(lab.port, queue=[0, 1]) as engine:
        for queue in (1, [2, 3]):
            with pytest.raises(QueueBusyError):
                Engine(lab.port, queue=queue)
        send_from_many_ports(lab, 64)
        assert eventually(lambda: engine.telemetry.total()["rx_packets"] > 0)


@pytest.mark.kernel
def test_an_interface_that_disappears_ends_all_its_workers(lab: Lab) -> None:
    with Engine(lab.port, queue=ALL) as engine:
        states = set(each(engine, "state"))
        assert lab.peer.command(["ip", "link", "del", "peer0"]).returncode == 0
        assert eventually(lambda: not states & set(each(engine, "state")))
        assert isinstance(engine.error, InterfaceGoneError)
        assert "port0 queue" in str(engine.error)


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"queue": []}, "at least one queue, each once"),
        ({"queue": [0, 0]}, "at least one queue, each once"),
        ({"queue": [0, QUEUES]}, "queue=4 must be a whole number, 0 to 3"),
        ({"queue": None}, "queue=None must be a whole number"),
        ({"queue": 0.5}, "queue=0.5 must be a whole number"),
        ({"queue": "1"}, "queue='1' must be a whole number"),
        ({"queue": [0, 1], "cpu": [0]}, "one core, or one for each of 2 workers"),
        ({"queue": [0], "cpu": []}, "one core, or one for each of 1 workers"),
        ({"cpu": 0.5}, "cpu=0.5 must be one of"),
    ],
)
def test_queues_and_cores_that_can_not_be_are_refused(
    lab: Lab, wrong: dict[str, object], remedy: str
) -> None:
    with pytest.raises(ConfigurationError, match=remedy):
        Engine(lab.port, **wrong)  # type: ignore[arg-type]


def test_numbers_may_be_numpys(lab: Lab) -> None:
    with Engine(lab.port, queue=np.int64(1), cpu=np.int64(max(os.sched_getaffinity(0)))) as engine:
        assert engine.queues == (1,)
    with Engine(lab.port, queue=np.arange(2)) as engine:
        assert engine.queues == (0, 1)
