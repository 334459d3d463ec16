"""The benchmark `overhead`: the cost of a worker's telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xdplab.bench.benchmark import Benchmark, Option
from xdplab.bench.receiver import COSTS, RATES, OurWorker, entry
from xdplab.bench.report.report import COSTS_NOTE, costs, least_to_most, median
from xdplab.bench.rounds import Rounds, paired_ratio, ratio
from xdplab.bench.wire import open_wire
from xdplab.configuration.groups import LONGEST_INTERVAL
from xdplab.core.checks import choice
from xdplab.engine.engine import WAIT_STRATEGIES


def overhead(
    rounds: int = 7, seconds: float = 3.0, wait: str = "spin", quiet: bool = False
) -> dict[str, Any]:
    """Let xdplab's worker receive all it can with the default telemetry, and with almost none.

    "on" has a record of the history every 10 ms and keeps 1 frame in 1,000 as a sample; "off" has
    a record every 0.5 s, the longest possible interval, and keeps no sample. One lab, one in-kernel
    generator of 64-byte frames as fast as it can, each on a core of its own; the two take turns,
    in alternating order; each run has a fresh engine and a warm-up.

    Parameters
    ----------
    rounds
        Runs of each, 1 to 1000.
    seconds
        Length of a run, without the warm-up.
    wait
        The worker's wait strategy. A spinning one is the strictest test: it never sleeps.
    quiet
        Whether to do without the progress bar, which is drawn on a terminal only.

    Returns
    -------
    dict
        For JSON:

        - ``benchmark`` ("overhead"), ``simulated`` (False), ``rounds``, ``seconds``, ``traffic``
          and ``machine`` as those of `rxdrop`;
        - ``entries``, two: ``name`` ("on" or "off"), ``settings``, ``status`` ("measured" or
          "failed") with the ``reason``, ``ineffective``, ``runs``, and over the runs
          ``{"median", "least", "most"}`` of the rates and times a packet, all as those of `rxdrop`;
        - ``ratio``: the median rate with telemetry divided by the one without; ``paired_ratio``:
          the median of the ratios of single rounds. None if one of the two failed.

    Raises
    ------
    ConfigurationError
        For values out of range.
    KernelError
        When no lab or no generator can be made here. The result has the errors of single workers.
    """
    turns = Rounds("overhead", rounds, seconds, quiet)
    choice("wait", wait, WAIT_STRATEGIES)
    workers = (
        OurWorker(wait, "on"),
        OurWorker(wait, "off", sample_every=0, publish_interval=LONGEST_INTERVAL),
    )
    with open_wire() as wire:
        entries = [entry(w, wire, seconds, labels={"settings": w.settings}) for w in workers]
        turns.take(entries)
        traffic = {"rate": "max", **wire.as_dict()}
        result = turns.result(wire.lab, entries, (*RATES, *COSTS), traffic)
    on, off = entries
    return result | {
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
    run=overhead,
    help="the rate with telemetry beside the rate without",
    options={
        "rounds": Option(7, "runs of each"),
        "seconds": Option(3.0, "of each run"),
        "wait": Option("spin", "wait strategy"),
    },
    title="million packets a second",
    columns=(
        median("received", "rx_pps", 1e6, 3),
        least_to_most("rx_pps", 1e6, 3),
        median("sent", "sent_pps", 1e6, 3),
        *costs(),
    ),
    notes=_notes,
)
