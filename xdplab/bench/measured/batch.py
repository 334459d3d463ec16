"""The benchmark `batch`: rate and CPU time by the size of the batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdplab.bench.benchmark import Benchmark, Option
from xdplab.bench.receiver import COSTS, OWN, RATES, OurWorker, entry
from xdplab.bench.report.report import COSTS_NOTE, costs, least_to_most, median
from xdplab.bench.rounds import Rounds
from xdplab.bench.wire import open_wire
from xdplab.core.checks import choice, whole
from xdplab.core.errors import ConfigurationError
from xdplab.engine.engine import WAIT_STRATEGIES

_BATCHES = (1, 4, 16, 64, 256, 1024)


def batch(
    rounds: int = 5,
    seconds: float = 2.0,
    batches: Sequence[int] = _BATCHES,
    wait: str = "poll",
    quiet: bool = False,
) -> dict[str, Any]:
    """Let xdplab's worker receive all it can, with each limit on the packets taken at once.

    One lab, one in-kernel generator of 64-byte frames as fast as it can, each on a core of its own.
    The sizes take turns, every second round backwards; each run has a fresh engine and a warm-up.

    Parameters
    ----------
    rounds
        Runs of each, 1 to 1000.
    seconds
        Length of a run, without the warm-up.
    batches
        Most packets taken at once, 1 to 2048.
    wait
        The worker's wait strategy.
    quiet
        Whether to do without the progress bar, which is drawn on a terminal only.

    Returns
    -------
    dict
        For JSON: as that of `rxdrop`, an entry for each size.

    Raises
    ------
    ConfigurationError
        For values out of range.
    KernelError
        When no lab or no generator can be made here. The result has the errors of single entries.
    """
    turns = Rounds("batch", rounds, seconds, quiet)
    choice("wait", wait, WAIT_STRATEGIES)
    sizes = [whole("batches", size, 1, OurWorker.RING_SIZE) for size in dict.fromkeys(batches)]
    if not sizes:
        raise ConfigurationError("batches=() must be at least one batch size.")
    workers = [OurWorker(wait, f"{size:,}", batch=size) for size in sizes]
    with open_wire() as wire:
        entries = [entry(w, wire, seconds, labels={"settings": w.settings}) for w in workers]
        turns.take(entries)
        traffic = {"rate": "max", **wire.as_dict()}
        return turns.result(wire.lab, entries, (*RATES, *COSTS, *OWN), traffic)


BENCHMARK = Benchmark(
    run=batch,
    help="what each batch size receives and costs",
    options={
        "rounds": Option(5, "runs of each"),
        "seconds": Option(2.0, "of each run"),
        "batches": Option(_BATCHES, "most packets taken at once"),
        "wait": Option("poll", "wait strategy"),
    },
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
