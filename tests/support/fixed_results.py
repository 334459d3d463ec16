"""Widgets of results with made-up figures, so that they show the same in each run."""

from __future__ import annotations

from xdplab import Engine, Lab
from xdplab.experiments.metrics import METRICS, Figures
from xdplab.experiments.runs import Runs
from xdplab.ledger.account import Account, Stage
from xdplab.ledger.lines import Line
from xdplab.ledger.situation import Situation
from xdplab.tuning.objective import Objective
from xdplab.tuning.result import Tried, Tuning
from xdplab.widgets import Compare, Front, LedgerView, Sweep
from xdplab.widgets.compare.path_runs import Course
from xdplab.widgets.ledger.reader import Reading

_NOON = 43_200.0  # of the first of January 1970, as in fixed_engine.py


def fixed_compare(lab: Lab) -> Compare:
    """Compare three paths: one measured in two rounds of three, one in one, one refused."""
    paths = ["xsk spin", "xsk poll", "xsk epoll"]
    compare = Compare(lab, paths, rate=200_000, seconds=1, rounds=3)
    _measure(compare.runs, [[1.0, 1.2], [0.7], []])
    (refused, *_), courses = compare.runs.of(2), compare._path_runs.courses
    refused.status, refused.reason = "refused", "its queue is taken."
    courses["xsk spin"] = Course(False, [0.1 * n for n in range(1, 11)], [1.2e5, 1.1e5] * 5)
    courses["xsk poll"] = Course(False, [0.5], [7e4])
    compare.refresh()
    return compare


def fixed_sweep(engine: Engine) -> Sweep:
    """Sweep six settings, of which the last was not measured."""
    sweep = Sweep(engine, batch=[16, 64, 256], wait=["poll", "spin"])
    _measure(sweep.runs, [[0.4], [0.5], [0.8], [1.2], [1.0], []])
    sweep.refresh()
    return sweep


def fixed_front(engine: Engine) -> Front:
    """Show a search of five settings, the last of which was refused."""
    waits = ("poll", "adaptive", "spin", "epoll")
    tried = [
        Tried({"wait": wait, "batch": 64}, [_figures(much)], [much])
        for wait, much in zip(waits, (0.4, 1.0, 0.7, 0.2), strict=True)
    ]
    tried.append(Tried({"wait": "spin", "batch": 9999}, reason="batch=9999 is too many"))
    importances = {"wait": 0.7, "batch": 0.3}
    found = Tuning(tried, Objective.of("pps"), importances, engine, None, interrupted=False)
    return Front(found)


def fixed_ledger_view(engine: Engine) -> LedgerView:
    """Show a ledger with losses at two points and packets for the stack."""
    lines = {
        Line.SENT: 100_000,
        Line.OTHERS: 400,
        Line.DEVICE: 100_400,
        Line.STACK: 400,
        Line.NO_SOCKET: 9_000,
        Line.REDIRECTED: 91_000,
        Line.RING_FULL: 21_000,
        Line.RECEIVED: 70_000,
    }
    stages = tuple(Stage(line, packets) for line, packets in lines.items())
    situation = Situation(interface="port0", running=True, simulated=True)
    view = LedgerView(engine)
    reading = Reading(Account(stages, 0, situation), _NOON, False, False)
    view._reader._read = lambda: reading  # type: ignore[method-assign]
    view._reader.read()
    view._show()
    return view


def _measure(runs: Runs, values: list[list[float]]) -> None:
    """Fill in runs of each combination, by how much they received."""
    for number, each in enumerate(values):
        for run, much in zip(runs.of(number), each, strict=False):
            run.figures, run.status = _figures(much), "measured"


def _figures(much: float) -> Figures:
    return {
        **dict.fromkeys(METRICS),
        "pps": 1e5 * much,
        "lost_percent": 2.5,
        "cpu_ns_per_packet": 900 / much,
        "softirq_ns_per_packet": 300 * much,
        "p50_ns": 9000 * much * much,
        "p99_ns": 40_000 * much * much,
    }
