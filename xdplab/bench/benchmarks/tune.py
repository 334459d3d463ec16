"""The benchmark `tune`: a search from a wrong setting, compared with a grid of all settings.

NAPI runs in a thread that is bound to the core of a worker that spins. A grid measures every
setting of some knobs once; a search, with a quarter of its runs, begins with the wrong one. Then
the search's result, the grid's best settings and the wrong setting take turns, since the best of so
many single runs is partly luck.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from typing import Any

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.options import Option
from xdplab.bench.receiver import told_later
from xdplab.bench.report.report import least_to_most, median
from xdplab.bench.rounds import Entry, Rounds, fastest, paired_ratio
from xdplab.bench.wire import open_wire
from xdplab.core.checks import whole
from xdplab.core.errors import ConfigurationError, PermissionRefusedError
from xdplab.engine.engine import Engine
from xdplab.engine.traffic import Traffic
from xdplab.experiments.metrics import take
from xdplab.experiments.runs import words
from xdplab.experiments.sweep import Grid
from xdplab.settings import settings
from xdplab.tuning.search import LARGEST_SEED, tune  # imports Optuna when called

_KNOBS: dict[str, Any] = {
    "threaded": [False, True],
    "wait": ["spin", "poll", "uring-multishot", "adaptive"],
    "batch": [16, 64, 256],
    "ring_size": [512, 2048, 8192],
}
_WRONG: dict[str, object] = {"threaded": True, "wait": "spin", "batch": 64, "ring_size": 2048}
_SHARE = 4  # the search has a quarter of the grid's runs
_LEADERS = 3


def _measure(turns: Rounds, seed: int, knobs: Mapping[str, Any] = _KNOBS) -> dict[str, Any]:
    """Bind NAPI, let grid and search find their best, and compare these in turns."""
    progress, seconds = not turns.quiet and sys.stderr.isatty(), turns.seconds
    with (
        open_wire() as wire,
        told_later(),
        Engine(wire.lab.port, cpu=wire.worker) as engine,
    ):
        settings.apply(engine, _WRONG)
        _bind_napi(engine)
        wire.warm_up()
        grid = Grid(engine, wire.traffic, seconds=seconds, **knobs)
        grid.run(progress=progress)
        settings.apply(engine, _WRONG)  # as the grid left it
        tuning = tune(
            engine,
            wire.traffic,
            budget=grid.runs.total // _SHARE,
            seconds=seconds,
            knobs=knobs,
            seed=seed,
            progress=progress,
        )
        found = _entry("found by the search", tuning.settings, engine, wire.traffic, seconds)
        leaders = [
            _entry(f"grid's place {place}", setting, engine, wire.traffic, seconds)
            for place, setting in enumerate(_leaders(grid), 1)
        ]
        wrong = _entry("wrong", _WRONG, engine, wire.traffic, seconds)
        entries = [found, *leaders, wrong]
        turns.take(entries)
        best = fastest(leaders, "pps")
        traffic = {"rate": "max", **wire.as_dict()}
        return {
            **turns.result(
                wire.lab, entries, ("pps", "lost_percent", "cpu_ns_per_packet"), traffic
            ),
            "grid_runs": grid.runs.total,
            "search_runs": int(tuning.trials["runs"].sum()),
            "best": best and best.name,
            "ratio": best and paired_ratio(found, best, "pps"),
            "sentence": tuning.sentence,
            "importances": tuning.importances,
        }


def _bind_napi(engine: Engine) -> None:
    """Bind the threads of NAPI to the worker's core."""
    for instance in engine.napi.read():
        if instance.thread is None:
            raise ConfigurationError("NAPI has no thread here: it takes Linux 6.17.")
        try:
            os.sched_setaffinity(instance.thread, {engine.cpu})
        except PermissionError as error:
            tried = f"bind the thread of NAPI {instance.id} to core {engine.cpu}"
            raise PermissionRefusedError(
                tried, errno.EPERM, "It needs CAP_SYS_NICE: run as root."
            ) from error


def _leaders(grid: Grid) -> list[dict[str, object]]:
    results = grid.results
    # nan (nothing measured) sorts last.
    order = (-results["pps"]).argsort()[:_LEADERS]
    return [dict(grid.runs.combinations[int(number)]) for number in order]


def _entry(
    name: str, setting: Mapping[str, object], engine: Engine, traffic: Traffic, seconds: float
) -> Entry:
    def turn() -> dict[str, Any]:
        settings.apply(engine, setting, traffic)
        return dict(take(engine, traffic, seconds).figures)

    return Entry(name, turn, {"settings": dict(setting)})


def _notes(result: Mapping[str, Any]) -> list[str]:
    told = [f"{entry['name']}: {words(entry['settings'])}" for entry in result["entries"]]
    ratio = "" if result["ratio"] is None else f"{result['ratio']:.3f} of {result['best']}, "
    return [
        *told,
        f"found by the search: {ratio}with {result['search_runs']} runs, where the grid took "
        f"{result['grid_runs']}",
        result["sentence"],
    ]


BENCHMARK = Benchmark(
    name="tune",
    help="from a wrong setting, a search beside a grid of all settings",
    options={
        "rounds": Option(5, "turns of each in the end"),
        "seconds": Option(0.5, "of each run"),
        "seed": Option(0, "of the search", lambda name, value: whole(name, value, 0, LARGEST_SEED)),
    },
    measure=_measure,
    title="million packets a second",
    columns=(
        median("received", "pps", 1e6, 3),
        least_to_most("pps", 1e6, 3),
        median("lost\n%", "lost_percent"),
        median("CPU\nns", "cpu_ns_per_packet"),
    ),
    notes=_notes,
)
