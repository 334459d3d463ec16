"""The benchmark `programs`: what the XDP programs of the gallery cost.

Each is given all that comes. A packet that is passed goes on to the stack, which costs far more
than any program: so each is compared with the least program that gives the same verdict. The
sharder, which delivers to four sockets, is compared with a capture that delivers to one. Its four
workers share a core here: by the timer none is woken, which would take the core from another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.gallery_program import GalleryReceiver
from xdplab.bench.one_wire import OneWire
from xdplab.bench.options import lengths
from xdplab.bench.receiver import RATES, Receiver
from xdplab.bench.report.report import Column, least_to_most, median
from xdplab.bench.rounds import Entry, paired_ratio
from xdplab.bench.sharded_receiver import SHARDS, CaptureReceiver

_BESIDE = {
    "drop": "drop",
    "filter": "drop",
    "policy": "drop",
    "reflect": "drop",
    "balancer": "drop",
    "pass": "pass",
    "count": "pass",
    "sample": "pass",
    "router": "pass",
    "overlay": "pass",
    "decapsulate": "pass",
    "capture": "capture",
    "sharder": "capture",
    "capture by timer": "capture",
    "sharder by timer": "capture",
}
_CAPTURES = {
    "capture": (1, "poll"),
    "sharder": (SHARDS, "poll"),
    "capture by timer": (1, "timer"),
    "sharder by timer": (SHARDS, "timer"),
}
"""Those whose packets go to sockets, and are counted there: how many, and how each worker waits."""


def _receiver(name: str, beside: str) -> Receiver:
    if name in _CAPTURES:
        return CaptureReceiver(name, beside, *_CAPTURES[name])
    return GalleryReceiver(name, beside)


def _compare(entries: Sequence[Entry]) -> dict[str, Any]:
    """Compare each entry with the least program, round by round."""
    by_name = {entry.name: entry for entry in entries}
    for entry in entries:
        entry.labels["ratio"] = paired_ratio(entry, by_name[_BESIDE[entry.name]], "rx_pps")
    return {}


def _ratio(place: Mapping[str, Any]) -> str:
    ratio, beside = place["ratio"], place["settings"]["beside"]
    return "" if ratio is None or beside == place["name"] else f"{ratio:.2f} of {beside}"


BENCHMARK = Benchmark(
    name="programs",
    help="what the XDP programs of the gallery cost, beside a bare drop or pass",
    options=lengths(8, 1.0),
    measure=OneWire(
        receivers=lambda: [_receiver(*each) for each in _BESIDE.items()],
        figures=(*RATES, "run_ns"),
        compare=_compare,
    ),
    title="million packets a second",
    columns=(
        median("packets", "rx_pps", 1e6, 2),
        least_to_most("rx_pps", 1e6, 2),
        Column("rate", _ratio),
        median("ns a run", "run_ns"),
    ),
    notes=lambda _result: [
        "ns a run: of the program alone, on one frame of the generator's, without a wire; of the "
        "balancer on the wire, with some 20 ns for the clock."
    ],
)
