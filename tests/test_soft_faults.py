"""Faults of a simulated wire: each is counted where the kernel counts it, and has its words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.waiting import eventually

from xdplab.core.errors import ClosedError, ConfigurationError
from xdplab.engine.engine import Engine
from xdplab.engine.traffic import Traffic
from xdplab.lab.lab import Lab

COUNT = 2000


@pytest.fixture
def soft() -> Iterator[Lab]:
    with Lab(backend="soft") as made:
        yield made


@pytest.mark.parametrize(
    ("fault", "stage", "counter"),
    [
        ("ring_full_every", "RX ring full", "rx_ring_full"),
        ("no_fill_every", "no fill descriptor", "rx_fill_ring_empty_descs"),
        ("bad_descriptor_every", "invalid TX descriptor", "tx_invalid_descs"),
    ],
)
def test_one_frame_in_so_many_is_lost_and_told(
    soft: Lab, fault: str, stage: str, counter: str
) -> None:
    setattr(soft.port.faults, fault, 100)
    with Engine(soft.port, action="reflect", ring_size=4096) as engine:
        traffic = Traffic(soft.peer, soft.port, rate=20_000, count=COUNT)
        ledger = engine.ledger(traffic)
        traffic.start().wait(30)
        account = ledger.settle(30)
        traffic.close()
        lost = account.packets(stage)
        assert lost == COUNT // 100, account
        assert account.balanced, account
        assert engine.telemetry.total()[counter] == lost
    words = account.explain()
    assert "on purpose" in words
    assert fault in words


def test_a_fault_is_switched_on_and_off_while_packets_flow(soft: Lab) -> None:
    with (
        # So deep that nothing else is lost, however late a busy machine runs the worker.
        Engine(soft.port, ring_size=1 << 16) as engine,
        Traffic(soft.peer, soft.port, rate=2000),
    ):

        def lost() -> int:
            return int(engine.telemetry.total()["rx_ring_full"])

        assert eventually(lambda: engine.telemetry.total()["rx_packets"] > 500)
        soft.port.faults.ring_full_every = 2
        assert eventually(lambda: lost() > 100)
        soft.port.faults.ring_full_every = 0
        received = int(engine.telemetry.total()["rx_packets"])
        assert eventually(lambda: engine.telemetry.total()["rx_packets"] > received + 100)
        after = lost()
        received = int(engine.telemetry.total()["rx_packets"])
        assert eventually(lambda: engine.telemetry.total()["rx_packets"] > received + 500)
        assert lost() == after


def test_jitter_delays_and_loses_nothing(soft: Lab) -> None:
    soft.port.faults.jitter = 0.01
    with Engine(soft.port, inspect=True, ring_size=8192) as engine:
        traffic = Traffic(soft.peer, soft.port, rate=2000, count=COUNT)
        ledger = engine.ledger(traffic)
        traffic.start().wait(30)
        account = ledger.settle(30)
        traffic.close()
        latency = engine.telemetry.latency()
        assert account.packets("received by the worker") == COUNT
        assert account.balanced, account
    assert latency.percentile(99) > 1e6  # of up to 10 ms, which no wait for a packet explains


@pytest.mark.parametrize(
    "wrong",
    [
        {"jitter": -1},
        {"jitter": 1.1},
        {"jitter": float("nan")},
        {"jitter": "1"},
        {"ring_full_every": -1},
        {"no_fill_every": 1.5},
        {"bad_descriptor_every": True},
        {"ring_ful_every": 1},
    ],
)
def test_a_fault_that_cannot_be_is_refused(soft: Lab, wrong: dict[str, object]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(ConfigurationError, match=name):
        setattr(soft.port.faults, name, value)
    assert repr(soft.port.faults) == (
        "<Faults: jitter=0, ring_full_every=0, no_fill_every=0, bad_descriptor_every=0>"
    )


def test_each_end_has_faults_of_its_own(soft: Lab) -> None:
    soft.port.faults.ring_full_every = 10
    assert (soft.port.faults.ring_full_every, soft.peer.faults.ring_full_every) == (10, 0)


def test_a_closed_lab_has_no_faults_to_set(soft: Lab) -> None:
    faults = soft.port.faults
    soft.close()
    with pytest.raises(ClosedError):
        faults.jitter = 0.1


@pytest.mark.privilege
def test_a_real_host_has_none(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match=r"this host is real.*Lab\(backend='soft'\)"):
        lab.port.faults.jitter = 0.1
