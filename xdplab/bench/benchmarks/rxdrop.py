"""The benchmark `rxdrop`: the rate of packets received and dropped.

These receive all they can: xdplab's worker with each wait strategy and, if installed, DPDK's
`dpdk-testpmd` in rxonly on its AF_XDP driver, by default with busy polling, and without, which
suits veth better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.one_wire import OneWire
from xdplab.bench.options import lengths
from xdplab.bench.peers.testpmd import TestpmdReceiver
from xdplab.bench.receiver import COSTS, OWN, RATES, OurWorker
from xdplab.bench.report.report import (
    COSTS_NOTE,
    Column,
    against_reference,
    costs,
    least_to_most,
    median,
    versions,
)
from xdplab.bench.rounds import Entry, against, fastest, ratio
from xdplab.engine.engine import WAIT_STRATEGIES


def _compare(entries: Sequence[Entry]) -> dict[str, Any]:
    """Compare all entries with the fastest peer."""
    best = fastest(entry for entry in entries if entry.labels["program"] == OurWorker.program)
    reference = fastest(entry for entry in entries if entry.labels["program"] != OurWorker.program)
    for entry in entries:
        entry.labels["ratio"] = reference and ratio(entry, reference, "rx_pps")
    return against(best, reference, "rx_pps")


def _ratio(place: Mapping[str, Any]) -> str:
    return "" if place["ratio"] is None else f"{place['ratio']:.2f}"


BENCHMARK = Benchmark(
    name="rxdrop",
    help="receive and drop all that comes, beside dpdk-testpmd",
    options=lengths(5, 3.0),
    measure=OneWire(
        receivers=lambda: [
            *(OurWorker(wait) for wait in WAIT_STRATEGIES),
            TestpmdReceiver(),
            TestpmdReceiver(busy_budget=0),
        ],
        figures=(*RATES, *COSTS, *OWN),
        compare=_compare,
    ),
    title="million packets a second",
    columns=(
        median("received", "rx_pps", 1e6, 2),
        least_to_most("rx_pps", 1e6, 2),
        median("sent", "sent_pps", 1e6, 2),
        Column("ratio", _ratio),
        *costs(),
    ),
    notes=lambda result: [COSTS_NOTE, versions(result), *against_reference(result)],
)
