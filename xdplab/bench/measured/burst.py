"""The benchmark `burst`: rate and CPU time by the limit on each burst of receiving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdplab.bench.benchmark import Benchmark, Option
from xdplab.bench.receiver import COSTS, RATES, OurWorker, entry
from xdplab.bench.report.report import COSTS_NOTE, costs, least_to_most, median
from xdplab.bench.rounds import Rounds
from xdplab.bench.wire import open_wire
from xdplab.core.checks import choice, whole
from xdplab.core.errors import ConfigurationError
from xdplab.engine.engine import WAIT_STRATEGIES
from xdplab.native import lib

_ACTIONS = ("drop", "reflect")
_BURSTS = (1, 8, 64, 256, 4096, 1_048_576)


def burst(
    rounds: int = 5,
    seconds: float = 2.0,
    bursts: Sequence[int] = _BURSTS,
    wait: str = "spin",
    quiet: bool = False,
) -> dict[str, Any]:
    """Let xdplab's worker drop, and send back, all it can with each burst budget.

    One lab, one in-kernel generator of 64-byte frames as fast as it can, each on a core of its own.
    All take turns, every second round backwards; each run has a fresh engine and a warm-up.

    Parameters
    ----------
    rounds
        Runs of each, 1 to 1000.
    seconds
        Length of a run, without the warm-up.
    bursts
        Burst budgets, in packets: 1 to 1,048,576.
    wait
        The worker's wait strategy.
    quiet
        Whether to do without the progress bar, which is drawn on a terminal only.

    Returns
    -------
    dict
        For JSON: as that of `rxdrop`, an entry for each action and burst.

    Raises
    ------
    ConfigurationError
        For values out of range.
    KernelError
        When no lab or no generator can be made here. The result has the errors of single entries.
    """
    turns = Rounds("burst", rounds, seconds, quiet)
    choice("wait", wait, WAIT_STRATEGIES)
    budgets = [whole("bursts", n, 1, lib.XDPLAB_LARGEST_BURST) for n in dict.fromkeys(bursts)]
    if not budgets:
        raise ConfigurationError("bursts=() must be at least one burst budget.")
    workers = [
        OurWorker(wait, f"{budget:,}", action=action, burst=budget)
        for action in _ACTIONS
        for budget in budgets
    ]
    with open_wire() as wire:
        entries = [entry(w, wire, seconds, labels={"settings": w.settings}) for w in workers]
        turns.take(entries)
        traffic = {"rate": "max", **wire.as_dict()}
        return turns.result(wire.lab, entries, (*RATES, *COSTS), traffic)


BENCHMARK = Benchmark(
    run=burst,
    help="what each burst budget costs and saves",
    options={
        "rounds": Option(5, "runs of each"),
        "seconds": Option(2.0, "of each run"),
        "bursts": Option(_BURSTS, "burst budgets, in packets"),
        "wait": Option("spin", "wait strategy"),
    },
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
