"""The benchmark `batch`: rate and CPU time by the size of the batches.

xdplab's worker receives and drops all it can, with each limit on the packets taken at once.
"""

from __future__ import annotations

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.one_wire import OneWire
from xdplab.bench.options import lengths, several, wait
from xdplab.bench.receiver import COSTS, OWN, RATES, OurWorker
from xdplab.bench.report.report import COSTS_NOTE, costs, least_to_most, median
from xdplab.core.checks import whole

BENCHMARK = Benchmark(
    name="batch",
    help="what each batch size receives and costs",
    options={
        **lengths(5, 2.0),
        "batches": several(
            (1, 4, 16, 64, 256, 1024),
            "most packets taken at once",
            "batch size",
            lambda name, size: whole(name, size, 1, OurWorker.RING_SIZE),
        ),
        "wait": wait("poll"),
    },
    measure=OneWire(
        receivers=lambda batches, wait: [
            OurWorker(wait, f"{size:,}", batch=size) for size in batches
        ],
        figures=(*RATES, *COSTS, *OWN),
    ),
    title="million packets a second",
    columns=(
        median("received", "rx_pps", 1e6, 3),
        least_to_most("rx_pps", 1e6, 3),
        median("lost\n%", "lost_percent"),
        *costs(),
        median("calls\na packet", "syscalls_per_packet", digits=4, drawn="system calls a packet"),
    ),
    notes=lambda result: [f"wait={result['entries'][0]['settings']['wait']}; {COSTS_NOTE}"],
)
