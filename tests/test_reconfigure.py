"""What takes new sockets to change leaves the engine, its telemetry and its widgets alive."""

from __future__ import annotations

import signal
import threading
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from support.capabilities import without
from support.loads import HOLDABLE_RATE
from support.rings import fresh
from support.typed_remedies import in_own_namespace
from support.waiting import eventually

from xdplab import ConfigurationError, Engine, KernelError, Lab, Traffic
from xdplab.backends.kernel import backend as kernel
from xdplab.native import lib

COUNT = 1000


def send(lab: Lab) -> None:
    with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE / 2, count=COUNT) as traffic:
        assert traffic.wait(30)


@pytest.mark.parametrize(
    "change",
    [
        {"ring_size": 16384},
        {"ring_size": 2048},
        {"frame_size": 4096},
        {"headroom": 64},
        {"unaligned": True, "frame_size": 3000},
        pytest.param({"multi_buffer": True}, marks=pytest.mark.kernel),
        {"huge_pages": "auto"},
        {"bind": "copy"},
        {"attach": "skb"},
        {"queue": 1},
        {"cpu": 0},
    ],
)
def test_the_same_engine_goes_on_counting(privileged: None, change: dict[str, Any]) -> None:
    with Lab(queues=2) as lab, Engine(lab.port, queue=0, ring_size=4096) as engine:
        telemetry, path = engine.telemetry, engine.telemetry_path
        with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE / 2, count=COUNT, cpu=0) as traffic:
            assert traffic.wait(30)
        assert eventually(lambda: telemetry.counters()["rx_packets"] == COUNT)
        engine.reconfigure(**change)
        assert engine.running
        assert (engine.telemetry, engine.telemetry_path) == (telemetry, path)
        core = change.get("queue", 0)  # on veth a frame's queue is its sender's core
        with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE / 2, count=COUNT, cpu=core) as traffic:
            assert traffic.wait(30)
        assert eventually(lambda: telemetry.counters()["rx_packets"] == 2 * COUNT)
        assert engine.verdicts().redirected == 2 * COUNT
        # Positions go on from where they were, and the new rings begin empty.
        counters = fresh(engine)
        assert counters["rx_producer"] == counters["rx_consumer"] == 2 * COUNT
        assert counters["fill_producer"] - counters["fill_consumer"] == 2 * engine.ring_size


def test_a_batch_above_the_new_ring_becomes_the_ring(lab: Lab) -> None:
    with Engine(lab.port, ring_size=1024, batch=512) as engine:
        engine.reconfigure(ring_size=256)
        assert (engine.ring_size, engine.batch) == (256, 256)


def test_a_stopped_engine_stays_stopped(lab: Lab) -> None:
    engine = Engine(lab.port)
    engine.reconfigure(ring_size=1024)
    assert not engine.running
    with engine:
        send(lab)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == COUNT)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"ring_size": 1000}, ConfigurationError),
        ({"queue": 7}, ConfigurationError),
        ({"queue": [0, 1]}, ConfigurationError),
        ({"sample_bytes": 128}, ConfigurationError),
        ({"frame_size": 3000}, KernelError),
        ({"bind": "zero-copy"}, KernelError),
    ],
)
def test_what_is_refused_leaves_the_engine_as_it_was(
    lab: Lab, wrong: dict[str, Any], error: type[Exception]
) -> None:
    with Engine(lab.port, ring_size=1024) as engine:
        with pytest.raises(error):
            engine.reconfigure(**wrong)
        assert engine.running
        assert engine.ring_size == 1024
        send(lab)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == COUNT)


@pytest.mark.privilege  # elsewhere no thread of its own opens a port
def test_an_interrupted_change_is_taken_back_once_its_thread_is_through(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    interrupted = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.default_int_handler(number, frame)

    def open_port(*arguments: object) -> int:
        calls.append("begun")
        if len(calls) == 1:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            assert interrupted.wait(30)
        result = int(lib.xdplab_engine_open_port(*arguments))
        calls.append("ended")
        return result

    with Engine(lab.port, ring_size=1024) as engine:
        before = signal.signal(signal.SIGINT, interrupt)
        try:
            with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                patch.setattr(kernel, "lib", SimpleNamespace(xdplab_engine_open_port=open_port))
                engine.reconfigure(ring_size=2048)
        finally:
            signal.signal(signal.SIGINT, before)
        assert calls == ["begun", "ended", "begun", "ended"]
        assert engine.ring_size == 1024
        send(lab)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == COUNT)


def test_the_ledger_balances_across_a_change(lab: Lab) -> None:
    with Engine(lab.port, ring_size=1024) as engine:
        ledger = engine.ledger()
        send(lab)
        engine.reconfigure(ring_size=2048)
        send(lab)
        account = ledger.settle(30)
    assert account.balanced
    assert account.packets("received by the worker") == 2 * COUNT


@pytest.mark.kernel
@pytest.mark.privilege
def test_workers_that_can_not_start_with_new_settings_go_on_with_the_old_ones() -> None:
    refused, *after = in_own_namespace(
        """
        engine = Engine("v0", batch=64).start()
        tried(lambda: engine.reconfigure(realtime=1, ring_size=32))
        realtime = engine.configuration.worker.realtime
        print(json.dumps([engine.running, engine.ring_size, engine.batch, realtime]))
        """,
        without("sys_nice"),
    )
    assert "CAP_SYS_NICE" in refused
    assert after == [[True, 2048, 64, 0]]
