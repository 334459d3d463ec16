"""Interrupts and softirqs: read as the kernel counts them, and told in a measurement."""

from __future__ import annotations

import pytest
from support.frames import raw_socket
from support.waiting import eventually

from xdplab import Engine, Lab
from xdplab.experiments.measure import measure
from xdplab.telemetry.interrupts import InterruptCounts


def test_what_was_counted_since_is_a_difference_without_idle_cores() -> None:
    before = InterruptCounts(10, {0: 5, 1: 7})
    assert InterruptCounts(13, {0: 5, 1: 9, 2: 1}).since(before) == InterruptCounts(3, {1: 2, 2: 1})


def test_a_device_without_interrupts_has_no_count() -> None:
    counts = InterruptCounts.read(())
    assert counts.device is None
    assert counts.since(counts).device is None
    assert InterruptCounts.read({1 << 30}).device == 0


@pytest.mark.kernel  # which has softirqs
def test_a_measurement_tells_the_softirqs_of_the_cores_and_that_a_veth_has_no_interrupts(
    lab: Lab,
) -> None:
    sent = 0
    with Engine(lab.port) as engine, raw_socket(lab.peer) as wire:

        def send() -> None:
            nonlocal sent
            for _ in range(100):
                sent += bool(wire.send(bytes(60)))  # each has a softirq of its own

        assert engine.interface.interrupts == frozenset()
        measurement, _ = measure(engine, None, 0.3, send)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == sent)
    assert measurement.interrupts is None
    assert sum(measurement.softirqs.values()) >= sent > 0
    assert "softirqs of the machine" in str(measurement)
    assert "interrupts" not in str(measurement).split("softirqs of the machine")[0]
