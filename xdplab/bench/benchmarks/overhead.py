"""The benchmark `overhead`: the cost of a worker's telemetry.

xdplab's worker receives and drops all it can. "on" has the default telemetry: a record of the
history every 10 ms, and 1 frame in 1,000 as a sample. "off" has a record every 0.5 s, the longest
possible interval, and no sample. A strategy that spins is the strictest test: it never sleeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.one_wire import OneWire
from xdplab.bench.options import lengths, wait
from xdplab.bench.receiver import COSTS, RATES, OurWorker
from xdplab.bench.report.report import COSTS_NOTE, costs, least_to_most, median
from xdplab.bench.rounds import Entry, paired_ratio, ratio
from xdplab.configuration.groups import LONGEST_INTERVAL


def _compare(entries: Sequence[Entry]) -> dict[str, Any]:
    """Compare the rate with telemetry to the one without: by medians, and by each round."""
    on, off = entries
    return {
        "ratio": ratio(on, off, "rx_pps"),
        "paired_ratio": paired_ratio(on, off, "rx_pps"),
    }


def _notes(result: Mapping[str, Any]) -> list[str]:
    on = result["entries"][0]["settings"]
    notes = [
        COSTS_NOTE,
        f"wait={on['wait']}; on: a record every 10 ms and 1 sample in {on['sample_every']:,}; "
        "off: a record every 0.5 s",
    ]
    if result["ratio"] is not None and result["paired_ratio"] is not None:
        notes.append(
            f"with telemetry {result['ratio']:.3f} of the rate without (ratio of medians), "
            f"{result['paired_ratio']:.3f} (median of the rounds' ratios)"
        )
    return notes


BENCHMARK = Benchmark(
    name="overhead",
    help="the rate with telemetry beside the rate without",
    options={**lengths(7, 3.0), "wait": wait("spin")},
    measure=OneWire(
        receivers=lambda wait: [
            OurWorker(wait, "on"),
            OurWorker(wait, "off", sample_every=0, publish_interval=LONGEST_INTERVAL),
        ],
        figures=(*RATES, *COSTS),
        compare=_compare,
    ),
    title="million packets a second",
    columns=(
        median("received", "rx_pps", 1e6, 3),
        least_to_most("rx_pps", 1e6, 3),
        median("sent", "sent_pps", 1e6, 3),
        *costs(),
    ),
    notes=_notes,
)
