"""The figures by which runs are compared, and a function to measure one run for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xdplab.core.calls import public_function
from xdplab.core.checks import instance_of
from xdplab.core.named import Named
from xdplab.experiments.links import broken_link
from xdplab.experiments.measure import Measurement, measure_whole
from xdplab.ledger.subjects import check_engine
from xdplab.telemetry.region import LATENCY_STARTS, Latency, Telemetry

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic

Figures = Mapping[str, float | None]
"""A run's figures by the names of `METRICS`; None: could not be measured."""


class Metric(NamedTuple):
    """The definition of a figure."""

    label: str
    """The name to show."""
    unit: str
    """The unit; empty for a plain number."""
    more_is_better: bool
    of: Callable[[Measurement, Latency], float | None]

    def __repr__(self) -> str:
        better = "more" if self.more_is_better else "less"
        unit = f", {self.unit}" if self.unit else ""
        return f"<Metric {self.label}{unit}: {better} is better>"


class Taken(NamedTuple):
    """A measured run, its figures, and the latencies that were measured in it."""

    measurement: Measurement
    figures: Figures
    latency: Latency


def _lost(measured: Measurement, _latency: Latency) -> float | None:
    if not measured.sent:
        return None
    return 100 * max(measured.sent - measured.rx_packets, 0) / measured.sent


def _cpu(measured: Measurement, _latency: Latency) -> float | None:
    parts = (
        measured.user_ns_per_packet,
        measured.idle_ns_per_packet,
        measured.sys_ns_per_packet,
        measured.sqpoll_ns_per_packet,
    )
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _syscalls(measured: Measurement, _latency: Latency) -> float | None:
    # Without telemetry's own calls, whose number depends on time and not on packets.
    calls = sum(number for kind, number in measured.syscalls.items() if kind != "publish")
    return calls / measured.rx_packets if measured.rx_packets else None


def _percentile(percent: float) -> Callable[[Measurement, Latency], float | None]:
    return lambda _measured, latency: latency.percentile(percent) if latency.total else None


METRICS: Mapping[str, Metric] = Named(
    "metric",
    {
        "pps": Metric("received", "packets/s", True, lambda measured, _latency: measured.rx_pps),
        "asked_pps": Metric(
            "asked", "packets/s", True, lambda measured, _latency: measured.asked_pps
        ),
        "sent_pps": Metric("sent", "packets/s", True, lambda measured, _latency: measured.sent_pps),
        "lost_percent": Metric("lost", "%", False, _lost),
        "cpu_ns_per_packet": Metric("worker's CPU", "ns/packet", False, _cpu),
        "softirq_ns_per_packet": Metric(
            "softirqs",
            "ns/packet",
            False,
            lambda measured, _latency: measured.softirq_ns_per_packet,
        ),
        "p50_ns": Metric("latency p50", "ns", False, _percentile(50)),
        "p99_ns": Metric("latency p99", "ns", False, _percentile(99)),
        "syscalls_per_packet": Metric("system calls", "1/packet", False, _syscalls),
    },
)
"""By name: packets received a second, asked for (nan for "max") and sent; the share of the sent
packets that were lost; the worker's CPU time per packet (with idle polls and io_uring's
submission thread); the CPU time per packet of the network softirqs on the cores of worker and
generator; percentiles of the latency; and the worker's system calls per packet, without telemetry's
own."""


def metrics(measurement: Measurement, latency: Latency) -> dict[str, float | None]:
    """Compute the figures of one run.

    Parameters
    ----------
    measurement
        The result of `measure`.
    latency
        The latencies measured in that run: of all frames from xdplab's generators with
        `Engine.inspect`, else of sampled ones.

    Returns
    -------
    dict
        The figures by the names of `METRICS`; None: could not be measured.
    """
    instance_of("measurement", measurement, Measurement, "what measure returned")
    instance_of("latency", latency, Latency, "a Latency")
    return {name: metric.of(measurement, latency) for name, metric in METRICS.items()}


@public_function
def take(
    engine: Engine,
    traffic: Traffic | None,
    seconds: float,
    watch: Callable[[], None] = lambda: None,
) -> Taken:
    """Measure one run as `measure_whole` does, with its latencies.

    Parameters
    ----------
    engine, traffic, seconds, watch
        As for `measure`.

    Raises
    ------
    KeyboardInterrupt, KernelError
        As `measure_whole` does; and when a link is down at its end.
    """
    check_engine(engine)
    before = _latency(engine.telemetry)
    measurement = measure_whole(engine, traffic, seconds, watch)
    if broken := broken_link(engine, traffic):
        raise broken
    after = _latency(engine.telemetry)
    # The histogram may have been reset meanwhile.
    is_grown = bool((after.counts >= before.counts).all())
    latency = after - before if is_grown else after
    return Taken(measurement, metrics(measurement, latency), latency)


def _latency(telemetry: Telemetry) -> Latency:
    """Add up the histograms of all workers."""
    counts = np.zeros(len(LATENCY_STARTS), np.uint64)
    for worker in range(telemetry.workers):
        counts += telemetry.latency(worker).counts
    return Latency(counts)
