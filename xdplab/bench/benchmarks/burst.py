"""The benchmark `burst`: rate and CPU time by the limit on each burst of receiving.

xdplab's worker drops, and sends back, all it can with each burst budget.
"""

from __future__ import annotations

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.one_wire import OneWire
from xdplab.bench.options import lengths, several, wait
from xdplab.bench.receiver import COSTS, RATES, OurWorker
from xdplab.bench.report.report import COSTS_NOTE, costs, least_to_most, median
from xdplab.core.checks import whole
from xdplab.native import lib

BENCHMARK = Benchmark(
    name="burst",
    help="what each burst budget costs and saves",
    options={
        **lengths(5, 2.0),
        "bursts": several(
            (1, 8, 64, 256, 4096, 1_048_576),
            "burst budgets, in packets",
            "burst budget",
            lambda name, budget: whole(name, budget, 1, lib.XDPLAB_LARGEST_BURST),
        ),
        "wait": wait("spin"),
    },
    measure=OneWire(
        receivers=lambda bursts, wait: [
            OurWorker(wait, f"{budget:,}", action=action, burst=budget)
            for action in ("drop", "reflect")
            for budget in bursts
        ],
        figures=(*RATES, *COSTS),
    ),
    title="million packets a second",
    columns=(
        median("received", "rx_pps", 1e6, 3),
        least_to_most("rx_pps", 1e6, 3),
        median("lost\n%", "lost_percent"),
        *costs(),
    ),
    group=lambda entry: str(entry["settings"]["action"]),
    notes=lambda _result: [COSTS_NOTE],
)
