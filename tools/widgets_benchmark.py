"""The benchmark `widgets`: a dashboard's cost, and a slider's delay to the worker.

.venv/bin/python tools/widgets_benchmark.py --help
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from harness import chromium
from harness.chromium import reported
from harness.errors import BrowserError
from harness.far_view import FarView
from harness.session import Session, open_session
from harness.slider import Slider

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.options import Option
from xdplab.bench.report.report import median
from xdplab.bench.rounds import Entry, Rounds, paired_ratio, ratio
from xdplab.cli.benchmarks import add_options, run
from xdplab.core.checks import whole
from xdplab.core.errors import XdplabError
from xdplab.core.output import complain
from xdplab.lab.lab import Lab
from xdplab.telemetry.region import Telemetry

_STEADY_RATE = 20_000.0
_SETTLING_SECONDS = 2.0
_LONG = 8  # the measurement of growth takes so many times as long as the others

_FIGURES = (
    "kernel_cpu_percent",
    "browser_cpu_percent",
    "messages_per_second",
    "rx_pps",
    "slider_ms",
    "slider_p90_ms",
    "kernel_growth_bytes_per_message",
    "page_growth_bytes_per_message",
)

GOALS = {
    "kernel_cpu_percent": ("of a core in the kernel, in percent", 2.0),
    "slider_idle_ms": ("ms from the slider to the worker", 50.0),
    "slider_computing_ms": ("ms from the slider to the worker, while a cell computes", 50.0),
    "rate_ratio": ("of the engine's rate kept, the browser on the same cores", 0.97),
    "rate_ratio_elsewhere": ("of the engine's rate kept, the browser elsewhere", 0.97),
}
"""Goals for a dashboard at ten updates a second: most CPU time and delay, least rate share."""


def _measure(turns: Rounds, moves: int) -> dict[str, Any]:
    """Measure a dashboard in a real JupyterLab and a real browser, on this machine.

    Lab, engine and generator of 64-byte frames are in the notebook's kernel. These are the entries:

    - "dashboard": with the dashboard on the page, at 20,000 packets a second the CPU time of kernel
      and browser and the messages to the page, and then the rate of packets received at full speed.
      If worker and generator share a core with the browser, drawing reduces that rate;
    - "dashboard elsewhere": the same with only a connection that answers like a page with the
      dashboard, as if the browser were on another machine;
    - "no dashboard": the same without either;
    - "slider": moves of the batch slider with the keyboard, from the browser's own time of the
      key's event to the record, one a millisecond, in which the worker has used the new batch size;
    - "slider, computing": the same while a cell computes;
    - "growth": with updates as often as the page takes them, the growth of kernel and page for each
      message.

    Figures of a run: ``kernel_cpu_percent`` (of a core, all threads of the kernel but the engine's
    worker and the generator), ``browser_cpu_percent`` (of a core, all of its processes),
    ``messages_per_second``, ``rx_pps``, ``slider_ms`` and ``slider_p90_ms`` (median and 90th
    percentile of a run's moves), ``kernel_growth_bytes_per_message`` (resident memory of its own)
    and ``page_growth_bytes_per_message`` (of scripts, after garbage collection). None: not
    measured.

    Figures of the whole: ``kernel_cpu_percent``: with the dashboard minus without; ``rate_ratio``
    and ``rate_ratio_elsewhere``: the median rate with it divided by the one without;
    ``paired_ratio_elsewhere``: the median of the rounds' own ratios; ``slider_idle_ms`` and
    ``slider_computing_ms``: medians of the runs' medians; ``goals``: for each of `GOALS` the
    ``figure``, ``goal`` and whether it is ``met``.

    Raises
    ------
    BrowserError
        When Jupyter or the browser does not start.
    """
    traffic = {"rate": _STEADY_RATE, "size": 64}
    if missing := chromium.missing():
        entries = _entries(None, turns.seconds, moves, missing)
    else:
        with open_session(_STEADY_RATE) as session:
            entries = _entries(session, turns.seconds, moves, None)
            turns.take(entries)
    with Lab() as lab:
        return turns.result(lab, entries, _FIGURES, traffic) | _summary(entries)


Turn = Callable[[Session], dict[str, Any]]


def _entries(
    session: Session | None, seconds: float, moves: int, missing: str | None
) -> list[Entry]:
    def measure(turn: Turn) -> dict[str, Any]:
        if session is None:
            raise BrowserError("there is no browser here")
        with reported():
            return dict.fromkeys(_FIGURES) | turn(session)

    turns: dict[str, Turn] = {
        "dashboard": partial(_with_dashboard, seconds=seconds),
        "dashboard elsewhere": partial(_with_dashboard_elsewhere, seconds=seconds),
        "no dashboard": partial(_without_dashboard, seconds=seconds),
        "slider": partial(_slider, moves=moves),
        "slider, computing": partial(_slider_while_computing, moves=moves),
        "growth": partial(_growth, seconds=seconds),
    }
    return [Entry(name, partial(measure, turn), missing=missing) for name, turn in turns.items()]


def _with_dashboard(session: Session, seconds: float) -> dict[str, Any]:
    telemetry = _begin(session)
    session.show()
    return _costs(session, telemetry, seconds)


def _with_dashboard_elsewhere(session: Session, seconds: float) -> dict[str, Any]:
    telemetry = _begin(session)
    with session.elsewhere() as view:
        return _costs(session, telemetry, seconds, view)


def _without_dashboard(session: Session, seconds: float) -> dict[str, Any]:
    return _costs(session, _begin(session), seconds)


def _begin(session: Session, finely: bool = False) -> Telemetry:
    """Open an engine with steady traffic, without a view."""
    session.hide()
    telemetry = session.open_engine(finely)
    session.run("steady traffic")
    return telemetry


def _costs(
    session: Session, telemetry: Telemetry, seconds: float, view: FarView | None = None
) -> dict[str, Any]:
    seen = view or session
    time.sleep(_SETTLING_SECONDS)
    began, messages = time.monotonic(), seen.messages()
    kernel, browser = session.kernel.cpu_by_thread(), session.browser_cpu_seconds()
    time.sleep(seconds)
    took = time.monotonic() - began
    costs = {
        "kernel_cpu_percent": round(session.kernel.cpu_since(kernel) / took / 1e7, 3),
        "browser_cpu_percent": round(100 * (session.browser_cpu_seconds() - browser) / took, 2),
        "messages_per_second": round((seen.messages() - messages) / took, 2),
    }
    seen.run("all traffic")
    time.sleep(_SETTLING_SECONDS)
    before = telemetry.total()
    time.sleep(seconds)
    after = telemetry.total()
    seen.run("no traffic")
    passed = float(after["time_ns"] - before["time_ns"]) / 1e9
    received = float(after["rx_packets"] - before["rx_packets"])
    return costs | {"rx_pps": round(received / passed, 1)}


def _slider(session: Session, moves: int) -> dict[str, Any]:
    return _moved(_shown_slider(session), moves)


def _slider_while_computing(session: Session, moves: int) -> dict[str, Any]:
    slider = _shown_slider(session)
    with session.computing():
        return _moved(slider, moves)


def _shown_slider(session: Session) -> Slider:
    telemetry = _begin(session, finely=True)
    session.show()
    time.sleep(_SETTLING_SECONDS)
    return Slider(session.page, telemetry)


def _moved(slider: Slider, moves: int) -> dict[str, Any]:
    seconds = sorted(slider.move(right=number % 2 == 0) for number in range(moves))
    return {
        "slider_ms": round(1000 * statistics.median(seconds), 3),
        "slider_p90_ms": round(1000 * seconds[int(0.9 * moves)], 3),
    }


def _growth(session: Session, seconds: float) -> dict[str, Any]:
    _begin(session)
    session.show()
    session.run("quicken")
    try:
        time.sleep(_SETTLING_SECONDS + seconds)  # until the longest history is full
        page, kernel, messages = _held(session)
        time.sleep(_LONG * seconds)
        page_later, kernel_later, messages_later = _held(session)
    finally:
        session.run("slow down")
    passed = max(1, messages_later - messages)
    return {
        "kernel_growth_bytes_per_message": round((kernel_later - kernel) / passed, 2),
        "page_growth_bytes_per_message": round((page_later - page) / passed, 2),
    }


def _held(session: Session) -> tuple[int, int, int]:
    return session.page_bytes(), session.kernel.resident_bytes(), session.messages()


def _summary(entries: Sequence[Entry]) -> dict[str, Any]:
    here, elsewhere, nowhere, idle, computing, _ = entries
    with_it, without = (entry.median("kernel_cpu_percent") for entry in (here, nowhere))
    added = None if with_it is None or without is None else round(with_it - without, 3)
    figures = {
        "kernel_cpu_percent": added,
        "slider_idle_ms": idle.median("slider_ms"),
        "slider_computing_ms": computing.median("slider_ms"),
        "rate_ratio": ratio(here, nowhere, "rx_pps"),
        "rate_ratio_elsewhere": ratio(elsewhere, nowhere, "rx_pps"),
    }
    goals = [
        {
            "name": name,
            "figure": figures[name],
            "goal": goal,
            "met": _is_met(figures[name], goal, name),
        }
        for name, (_, goal) in GOALS.items()
    ]
    return figures | {
        "paired_ratio_elsewhere": paired_ratio(elsewhere, nowhere, "rx_pps"),
        "goals": goals,
    }


def _is_met(figure: float | None, goal: float, name: str) -> bool:
    if figure is None:
        return False
    return figure >= goal if name.startswith("rate") else figure <= goal


def _notes(result: Mapping[str, Any]) -> list[str]:
    lines = []
    for goal in result["goals"]:
        words, _ = GOALS[goal["name"]]
        figure = "not measured" if goal["figure"] is None else f"{goal['figure']:g}"
        bound = "at least" if goal["name"].startswith("rate") else "at most"
        met = "" if goal["met"] else ", NOT met"
        lines.append(f"{figure} {words}: the goal is {bound} {goal['goal']:g}{met}")
    return [*lines, "growth is in bytes a message, with updates as often as the page takes them"]


BENCHMARK = Benchmark(
    name="widgets",
    help="what a dashboard costs in a real browser, and how soon a slider reaches the worker",
    options={
        "rounds": Option(5, "runs of each"),
        "seconds": Option(5.0, "of each measurement"),
        "moves": Option(
            20, "of the slider in a run", lambda name, moves: whole(name, moves, 1, 1000)
        ),
    },
    measure=_measure,
    title="a dashboard in JupyterLab",
    columns=(
        median("kernel\n% CPU", "kernel_cpu_percent", digits=2),
        median("browser\n% CPU", "browser_cpu_percent", digits=0),
        median("messages\n/ s", "messages_per_second"),
        median("received\nMpps", "rx_pps", 1e6, 3),
        median("slider\nms", "slider_ms"),
        median("p90\nms", "slider_p90_ms"),
        median("growth:\nkernel", "kernel_growth_bytes_per_message"),
        median("\npage", "page_growth_bytes_per_message"),
    ),
    notes=_notes,
)


def main() -> int:
    """Run it with the options of the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=BENCHMARK.help)
    add_options(parser, BENCHMARK)
    try:
        return run(BENCHMARK, parser.parse_args(), "python", "tools/widgets_benchmark.py")
    except XdplabError as error:
        complain(f"widgets_benchmark.py: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
