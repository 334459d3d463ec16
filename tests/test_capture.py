"""What the kernel delivers through AF_XDP arrives: counted, in order, with the right bytes."""

from __future__ import annotations

import os
import random
import socket
import time

import pytest
from support.loads import DEEP_RING, HOLDABLE_RATE, lost_on_the_wire
from support.threads import threads_of
from support.waiting import eventually

from xdplab import (
    WAIT_STRATEGIES,
    Engine,
    Interface,
    Lab,
    Ledger,
    Sampling,
    Traffic,
    Worker,
)

# The kernel's alone: what sends from sockets, or takes other links than the lab's wire.


def test_a_million_numbered_frames_arrive_each_exactly_once(lab: Lab) -> None:
    million, portion = 1_000_000, 25_000
    with Engine(lab.port, wait="uring-multishot", ring_size=DEEP_RING, inspect=True) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=4 * HOLDABLE_RATE, count=portion)
        ledger = Ledger(engine, traffic)
        # Never more at once than the ring holds.
        for sent in range(portion, million + 1, portion):
            assert traffic.start().wait(60)
            assert eventually(
                lambda sent=sent: engine.telemetry.counters()["rx_packets"] == sent  # type: ignore[misc]
            )
        account = ledger.settle(30)
        counters = engine.telemetry.counters()
    assert account.balanced
    assert account.packets("sent by the generator") == million
    assert counters["rx_packets"] == counters["stream_frames"] == million
    # In order, none missing, none late: with as many frames as numbers, each came once.
    assert counters["stream_missing"] == counters["stream_late"] == 0


@pytest.mark.parametrize("attach", ["native", "skb"])
def test_at_full_speed_what_was_not_delivered_is_in_the_ledger(lab: Lab, attach: str) -> None:
    with Engine(lab.port, attach=attach, ring_size=64) as engine:
        traffic = Traffic(lab.peer, lab.port, rate="max", seconds=1)
        ledger = Ledger(engine, traffic)
        assert traffic.start().wait(30)
        account = ledger.settle(30)
    lost = sum(stage.packets for stage in account.stages if stage.lost)
    left = account.packets("left to the stack")
    assert account.balanced
    assert lost > 0
    assert account.packets("received by the worker") > 0
    assert account.packets("sent by the generator") + account.packets("sent by others") == (
        account.packets("received by the worker") + lost + left
    )


@pytest.mark.kernel
def test_a_packet_too_long_for_a_frame_is_not_taken_for_a_missing_descriptor(
    privileged: None,
) -> None:
    with Lab(mtu=3400) as lab, Engine(lab.port) as engine, lab.peer.socket() as udp:
        ledger = Ledger(engine)
        for _ in range(10):
            udp.sendto(bytes(2500), (lab.port.ipv4, 4000))
        assert eventually(lambda: ledger.read().packets("larger than a UMEM frame") == 10)
        account = ledger.settle(30)
    assert account.balanced
    assert account.packets("no fill descriptor") == 0


@pytest.mark.kernel
def test_the_ledger_of_a_veth_without_napi_begins_at_the_program(lab: Lab) -> None:
    for command in ("add plain0 type veth peer plain1", "set plain0 up", "set plain1 up"):
        lab.port.command(["ip", "link", *command.split()]).check_returncode()
    plain = Interface.find("plain0", lab.port.interface.namespace)
    with (
        Engine(plain, attach="skb") as engine,
        lab.port.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire,
    ):
        ledger = Ledger(engine)
        wire.bind(("plain1", 0))
        for _ in range(10):
            wire.send(bytes(60))
        assert eventually(lambda: ledger.read().packets("received by the worker") >= 10)
        assert ledger.settle(30).balanced


def test_knobs_turn_while_packets_flow_and_none_is_lost(lab: Lab) -> None:
    dice = random.Random(1)
    with Engine(lab.port, ring_size=DEEP_RING, inspect=True) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE)
        ledger = Ledger(engine, traffic)
        traffic.start()
        for _ in range(500):
            engine.wait = dice.choice(WAIT_STRATEGIES)
            engine.batch = dice.choice([1, 7, 64, 256])
            engine.burst = dice.choice([1, 64, 1024])
            engine.sample_every = dice.choice([0, 1, 1000])
            time.sleep(0.002)
        traffic.stop()
        account = ledger.settle(30)
        counters = engine.telemetry.counters()
    lost = lost_on_the_wire(account, *WAIT_STRATEGIES)
    assert account.balanced
    assert counters["stream_frames"] == traffic.sent - lost > 0
    assert counters["stream_missing"] <= lost
    assert counters["stream_late"] == 0


def test_the_worker_says_which_batch_and_strategy_it_uses(lab: Lab) -> None:
    with Engine(lab.port) as engine:

        def used() -> tuple[int, int]:
            counters = engine.telemetry.counters()
            return int(counters["control_batch"]), int(counters["control_wait"])

        for index, wait in enumerate(WAIT_STRATEGIES):
            engine.batch, engine.wait = 17 + index, wait
            assert eventually(lambda index=index: used() == (17 + index, index))
            assert (engine.batch, engine.wait) == (17 + index, wait)


@pytest.mark.kernel  # the bytes are those of ping(8)
def test_pings_appear_as_sampled_frames_with_the_right_bytes(lab: Lab) -> None:
    from scapy.layers.inet import ICMP, IP
    from scapy.layers.l2 import Ether

    with Engine(lab.port, sampling=Sampling(every=1)) as engine:
        assert lab.peer.ping(lab.port.ipv4, count=100, interval=0.002).sent == 100
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == 100)
        samples, _ = engine.telemetry.samples()
    frames = [Ether(bytes(sample["bytes"][: sample["captured"]])) for sample in samples]
    assert [frame[ICMP].seq for frame in frames] == list(range(1, 101))
    for frame, sample in zip(frames, samples, strict=True):
        assert (frame.dst, frame.src) == (lab.port.interface.mac, lab.peer.interface.mac)
        assert (frame[IP].src, frame[IP].dst) == (lab.peer.ipv4, lab.port.ipv4)
        # Eight bytes of time, then what ping counts up (ping(8) fills with 0x10, 0x11, ...).
        assert bytes(frame[ICMP].payload)[16:] == bytes(range(0x10, 0x10 + 40))
        assert sample["length"] == len(frame) == 98


@pytest.mark.kernel
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_udp_sockets_reach_the_capture_and_resolve_addresses_through_it(
    lab: Lab, family: socket.AddressFamily
) -> None:
    target = lab.port.ipv4 if family == socket.AF_INET else lab.port.ipv6
    message = b"seen by the capture"
    with (
        Engine(lab.port, sampling=Sampling(every=1)) as engine,
        lab.peer.socket(family, socket.SOCK_DGRAM) as udp,
    ):
        udp.sendto(message, (target, 4000))
        assert eventually(lambda: len(engine.telemetry.samples()[0]) == 1)
        (sample,), _ = engine.telemetry.samples()
        # It could only be sent once the capture had let ARP or neighbour discovery pass.
        assert engine.verdicts().passed > 0
    assert bytes(sample["bytes"][: sample["captured"]]).endswith(message)


def test_a_stopped_engine_starts_again_where_it_was(lab: Lab) -> None:
    with Engine(lab.port, ring_size=1024, inspect=True) as engine:
        first = Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE / 2, count=1000)
        assert first.start().wait(30)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == 1000)
        engine.stop()
        assert not engine.running
        # What comes meanwhile waits in the RX ring.
        first.close()
        assert Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE / 2, count=500).start().wait(30)
        assert engine.telemetry.counters()["rx_packets"] == 1000
        engine.start()
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == 1500)


def test_an_engine_can_be_made_again_on_the_queue_of_one_that_was_closed(lab: Lab) -> None:
    for _ in range(5):
        with Engine(lab.port, wait="uring-multishot") as engine:
            assert engine.running
        assert engine.closed
        assert not engine.running


def test_a_worker_takes_its_share_of_what_its_queue_receives(privileged: None) -> None:
    with Lab(queues=2) as lab, Engine(lab.port, queue=1) as engine:
        # Core 0 leads to queue 0, where no engine is.
        traffic = Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, count=1000, cpu=0)
        ledger = Ledger(engine, traffic)
        assert traffic.start().wait(30)
        account = ledger.settle(30)
    assert account.balanced
    assert account.packets("no socket on the queue") == 1000


def test_latency_is_measured_from_the_timestamp_in_the_frame(lab: Lab) -> None:
    with Engine(lab.port, inspect=True, ring_size=DEEP_RING) as engine:
        assert Traffic(lab.peer, lab.port, rate=10_000, count=2000).start().wait(30)
        assert eventually(lambda: engine.telemetry.latency().total == 2000)
        latency = engine.telemetry.latency()
        samples, _ = engine.telemetry.samples()
    assert 0 < latency.percentile(50) <= latency.percentile(99) <= latency.percentile(100)
    assert all(samples["time_ns"] >= samples["sent_ns"])
    assert all(samples["sent_ns"] > 0)


def test_a_second_stream_is_followed_from_its_own_first_number(lab: Lab) -> None:
    with Engine(lab.port, inspect=True, ring_size=DEEP_RING) as engine:
        for _ in range(2):
            with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, count=1000) as traffic:
                assert traffic.wait(30)
        assert eventually(lambda: engine.telemetry.counters()["stream_frames"] == 2000)
        counters = engine.telemetry.counters()
    assert counters["stream_late"] == counters["stream_missing"] == 0


def test_a_stream_that_is_looked_at_late_misses_nothing(lab: Lab) -> None:
    with Engine(lab.port, ring_size=DEEP_RING) as engine:
        with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE) as traffic:
            assert eventually(lambda: engine.telemetry.counters()["rx_packets"] > 1000)
            engine.inspect = True
            seen = traffic.sent
            assert eventually(lambda: traffic.sent > seen + 1000)
        assert eventually(lambda: engine.telemetry.counters()["stream_frames"] > 1000)
        assert engine.telemetry.counters()["stream_missing"] == 0


def test_a_reset_empties_the_latency_histogram_and_it_fills_again(lab: Lab) -> None:
    with Engine(lab.port, inspect=True, ring_size=DEEP_RING) as engine:
        for _ in range(2):
            with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, count=1000) as traffic:
                assert traffic.wait(30)
            assert eventually(lambda: engine.telemetry.latency().total == 1000)
            engine.reset_latency()
            assert eventually(lambda: engine.telemetry.latency().total == 0)


@pytest.mark.privilege  # it takes CAP_SYS_NICE
def test_a_worker_runs_at_the_realtime_priority_asked_for(lab: Lab) -> None:
    before = threads_of()  # one that has ended may be seen for a moment still
    with Engine(lab.port, worker=Worker(realtime=7)):
        now = threads_of()
        (worker,) = (n for n in now.keys() - before.keys() if now[n] == "xdplab-worker")
        assert os.sched_getscheduler(worker) == os.SCHED_FIFO
        assert os.sched_getparam(worker).sched_priority == 7
