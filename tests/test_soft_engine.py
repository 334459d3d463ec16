"""Engines and traffic on simulated NICs: the knobs, actions and ledger of real ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest
from support.waiting import eventually

from xdplab import Sampling
from xdplab.backends.soft.host import SoftNamespace
from xdplab.core.errors import (
    ConfigurationError,
    InterfaceGoneError,
    KernelError,
    QueueBusyError,
    XdplabError,
)
from xdplab.engine.engine import PATHS, WAIT_STRATEGIES, Engine
from xdplab.engine.traffic import Traffic
from xdplab.experiments.measure import measure
from xdplab.lab.lab import Lab
from xdplab.ledger.ledger import Account
from xdplab.net.stream import Stream

COUNT = 5000


@pytest.fixture
def soft() -> Iterator[Lab]:
    with Lab(backend="soft") as made:
        yield made


def measured(lab: Lab, engine: Engine, rate: int = 50_000) -> Account:
    """Send at a rate that every worker keeps up with."""
    generator = Traffic(lab.peer, lab.port, rate=rate, count=COUNT)
    try:
        ledger = engine.ledger(generator)
        generator.start()
        assert generator.wait(30)
        return ledger.settle(30)
    finally:
        generator.close()


def test_the_flows_of_a_simulated_wire_are_marked(soft: Lab) -> None:
    sampled = Sampling(every=1)
    traffic = Traffic(soft.peer, soft.port, rate=500, count=20, flows=2)
    with Engine(soft.port, sampling=sampled) as engine, traffic:
        ledger = engine.ledger(traffic)
        traffic.wait()
        ledger.settle(30)
        flows = engine.flows()
    assert [sum(flow.packets.values()) for flow in flows.flows] == [10, 10]
    assert "2 flows among the samples [simulated]" in str(flows)
    assert repr(flows).startswith("<Flows [simulated]: 2 flows")


@pytest.mark.parametrize("wait", WAIT_STRATEGIES)
def test_every_strategy_loses_nothing_below_saturation(soft: Lab, wait: str) -> None:
    with Engine(soft.port, ring_size=8192) as engine:
        refused = wait not in engine.wait_strategies
        if refused:
            with pytest.raises(KernelError, match=r"choose wait='poll'|choose wait='spin'"):
                engine.wait = wait
            return
        engine.wait = wait
        account = measured(soft, engine)
        assert account.balanced, account
        assert account.packets("received by the worker") == COUNT, account.explain()
        assert account.packets("sent by the generator") == COUNT


def test_strategies_are_switched_while_packets_flow(soft: Lab) -> None:
    with Engine(soft.port, ring_size=8192, inspect=True) as engine:
        generator = Traffic(soft.peer, soft.port, rate=20_000, count=10_000)
        ledger = engine.ledger(generator)
        generator.start()
        turned = 0
        while generator.running:
            engine.wait = engine.wait_strategies[turned % len(engine.wait_strategies)]
            engine.batch = 1 << turned % 8
            turned += 1
        account = ledger.settle(30)
        generator.close()
    assert account.balanced, account
    assert account.packets("received by the worker") == 10_000, account.explain()
    assert turned > 1


@pytest.mark.parametrize("action", ["reflect", "echo"])
def test_what_is_sent_back_arrives(soft: Lab, action: str) -> None:
    with Engine(soft.port, action=action, ring_size=8192) as engine:
        account = measured(soft, engine, 20_000)
    assert account.balanced, account
    assert account.packets("received by the worker") == COUNT
    assert account.packets("completed") == COUNT
    assert account.packets("received at the far end") == COUNT


def test_one_lab_is_forwarded_into_another(soft: Lab) -> None:
    with (
        Lab(number=1, backend="soft") as other,
        Engine(soft.port, forward_to=other.port, ring_size=8192) as bridge,
    ):
        account = measured(soft, bridge, 20_000)
        assert account.balanced, account
        assert account.packets("received at the far end") == COUNT
        pinged = soft.peer.ping(other.peer.ipv4, count=3)
        assert (pinged.sent, pinged.received) == (3, 3)


def test_a_worker_generates_and_another_measures_latency(soft: Lab) -> None:
    stream = Stream(soft.port, rate=20_000, count=COUNT)
    with (
        Engine(soft.port, inspect=True, ring_size=8192) as receiver,
        Engine(soft.peer, stream=stream, ring_size=8192),
    ):
        assert eventually(lambda: receiver.telemetry.total()["rx_packets"] >= COUNT)
        assert eventually(lambda: receiver.telemetry.latency().total == COUNT)
        latency = receiver.telemetry.latency()
    assert 0 < latency.percentile(50) < 10e9


def test_latency_and_samples_are_those_of_its_frames(soft: Lab) -> None:
    with Engine(soft.port, inspect=True, sampling=Sampling(every=1), ring_size=8192) as engine:
        assert measured(soft, engine).balanced
        assert eventually(lambda: engine.telemetry.latency().total == COUNT)
        samples, _ = engine.telemetry.samples()
        assert engine.telemetry.header["simulated"] == 1
    assert len(samples) > 1000
    assert set(samples["length"]) == {64}
    assert (np.diff(samples["frame"].astype(np.int64)) == 1).all()
    assert bytes(samples["bytes"][0][:6]).hex(":") == soft.port.interface.mac


def test_a_paced_worker_takes_a_batch_a_step(soft: Lab) -> None:
    with Engine(soft.port, ring_size=16, batch=1) as engine:
        engine.pace = float("inf")
        engine.step()  # taken by a worker that knows of its pace
        assert eventually(lambda: engine.telemetry.counters()["steps"] == 1)
        with Traffic(soft.peer, soft.port, count=8) as traffic:
            assert traffic.wait(30)
        engine.step(3)
        assert eventually(lambda: engine.telemetry.total()["rx_packets"] == 3)
        rings = engine.telemetry.rings()
        assert rings["ring_size"] == 16
        engine.pace = 0
        assert eventually(lambda: engine.telemetry.total()["rx_packets"] == 8)


def test_its_sockets_are_made_anew_while_packets_flow(soft: Lab) -> None:
    with Engine(soft.port) as engine, Traffic(soft.peer, soft.port, rate=10_000) as traffic:
        before = traffic.sent
        engine.reconfigure(ring_size=512, frame_size=4096, headroom=64)
        assert engine.ring_size == 512
        engine.reconfigure(ring_size=4096, unaligned=True, frame_size=3072)
        assert eventually(lambda: traffic.sent > before + 1000)
        received = int(engine.telemetry.total()["rx_packets"])
        assert eventually(lambda: engine.telemetry.total()["rx_packets"] > received)
        traffic.stop()
        total = engine.verdicts()
    assert total.no_socket == 0 or total.redirected > 0


def test_packets_for_a_queue_without_a_worker_go_to_the_stack() -> None:
    with Lab(queues=2, backend="soft") as lab, Engine(lab.port, queue=1, ring_size=8192) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=50_000, count=COUNT, cpu=0)
        ledger = engine.ledger(traffic)
        traffic.start().wait(30)
        account = ledger.settle(30)
        assert account.balanced, account
        assert account.packets("no socket on the queue") == COUNT
        assert "no engine is" in account.explain()
        traffic.close()


def test_a_ring_that_is_full_is_the_ledgers_to_tell(soft: Lab) -> None:
    with Engine(soft.port, ring_size=64) as engine:
        engine.stop()
        account = sent_at_once(soft, engine)
        assert account.packets("RX ring full") + account.packets("no fill descriptor") > 0
        assert account.packets("waiting in the RX ring") == 64
        assert account.balanced, account
        assert "stopped" in account.explain()


def sent_at_once(lab: Lab, engine: Engine) -> Account:
    """Send as fast as it goes, to an engine that does not keep up."""
    traffic = Traffic(lab.peer, lab.port, count=COUNT)
    try:
        ledger = engine.ledger(traffic)
        traffic.start()
        assert traffic.wait(30)
        return ledger.settle(30)
    finally:
        traffic.close()


def test_a_saturated_worker_accounts_for_every_packet(soft: Lab) -> None:
    with Engine(soft.port, ring_size=64, wait="poll") as engine:
        traffic = Traffic(soft.peer, soft.port, count=20 * COUNT)
        measurement, account = measure(engine, traffic, 30)
        traffic.close()
    assert account.balanced, account
    assert measurement.simulated
    assert measurement.softirq_ns_per_packet is None
    assert measurement.path == "xsk"
    assert measurement.rx_packets > 0


@pytest.mark.parametrize("path", [path for path in PATHS if path != "xsk"])
def test_the_kernels_own_paths_are_refused(soft: Lab, path: str) -> None:
    with pytest.raises(ConfigurationError, match=r"a simulated NIC has AF_XDP's rings only"):
        Engine(soft.port, path=path)


def test_its_own_path_has_no_name() -> None:
    assert "soft" not in PATHS
    with Lab(backend="soft") as lab, pytest.raises(ConfigurationError, match="is none of"):
        Engine(lab.port, path="soft")


@pytest.mark.privilege
def test_simulated_and_real_interfaces_are_not_joined(lab: Lab, soft: Lab) -> None:
    for one, other in ((lab, soft), (soft, lab)):
        with pytest.raises(ConfigurationError, match="simulated interface and a real one"):
            Engine(one.port, forward_to=other.port)


def test_there_is_no_zero_copy_and_no_napi(soft: Lab) -> None:
    with pytest.raises(KernelError, match="zero-copy"):
        Engine(soft.port, bind="zero-copy")
    with Engine(soft.port) as engine:
        assert not engine.zero_copy
        assert engine.napi.read() == ()
        assert engine.napi.threaded is None
        with pytest.raises(ConfigurationError, match="has no NAPI"):
            engine.napi.threaded = True


def test_a_queue_has_one_engine(soft: Lab) -> None:
    with Engine(soft.port), pytest.raises(QueueBusyError):
        Engine(soft.port)
    with Traffic(soft.peer, soft.port), pytest.raises(QueueBusyError):
        Traffic(soft.peer, soft.port)


def test_an_engine_ends_when_its_wire_is_cut(soft: Lab) -> None:
    namespace = soft.port.interface.namespace
    assert isinstance(namespace, SoftNamespace)
    with Engine(soft.port) as engine, Traffic(soft.peer, soft.port, rate=1000) as traffic:
        namespace.wire.cut()
        assert eventually(lambda: engine.error is not None)
        assert isinstance(engine.error, InterfaceGoneError)
        with pytest.raises(XdplabError):
            traffic.wait(30)
        with pytest.raises(XdplabError):
            engine.ledger()


def test_engines_outlive_their_lab_without_harm() -> None:
    lab = Lab(backend="soft")
    engine = Engine(lab.port).start()
    traffic = Traffic(lab.peer, lab.port, rate=1000).start()
    lab.close()
    assert eventually(lambda: engine.error is not None)
    engine.close()
    with suppress(XdplabError):
        traffic.wait(30)
    traffic.close()
