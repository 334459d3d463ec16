"""The benchmark `waits`: the rate and the CPU time per packet of each wait strategy.

xdplab's worker receives and drops packets with each wait strategy, at two loads: at a rate, and as
fast as the generator can. The lost share shows whether the rate is below saturation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.one_wire import OneWire
from xdplab.bench.options import lengths, load
from xdplab.bench.receiver import CALLS, COSTS, RATES, OurWorker
from xdplab.bench.report.report import COSTS_NOTE, costs, median
from xdplab.engine.engine import WAIT_STRATEGIES


def _load(place: Mapping[str, Any]) -> str:
    return "at saturation" if place["rate"] == "max" else f"at {place['rate']:,.0f} a second"


BENCHMARK = Benchmark(
    name="waits",
    help="what each wait strategy receives and costs, below and at saturation",
    options={**lengths(3, 2.0), "rate": load(200_000.0)},
    measure=OneWire(
        receivers=lambda: [OurWorker(wait) for wait in WAIT_STRATEGIES],
        figures=(*RATES, *COSTS, *CALLS),
    ),
    title="million packets a second",
    columns=(
        median("recv", "rx_pps", 1e6, 2),
        median("lost\n%", "lost_percent"),
        *costs(),
        median("sqpoll\nns", "sqpoll_ns_per_packet"),
        median("wake\nk/s", "wakeups_per_second", 1e3),
        median("calls\nk/s", "syscalls_per_second", 1e3),
        median("rearm\nk/s", "rearms_per_second", 1e3),
    ),
    group=_load,
    notes=lambda _result: [COSTS_NOTE],
)
