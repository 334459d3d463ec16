"""Closing a widget frees it, with all that it made."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
import traitlets
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure
from ipywidgets.widgets.widget import _instances as registered
from support.seen import box, control
from support.waiting import eventually

from xdplab import GALLERY, Engine, FilterRules, Lab, Ledger, Program, Traffic, tune, widgets
from xdplab.tuning.result import Tuning

Make = Callable[[Engine, Traffic, Tuning], Any]


def some_figure() -> widgets.LiveFigure:
    plot = figure()
    plot.line("x", "y", source=ColumnDataSource({"x": [], "y": []}, name="rows"))
    return widgets.LiveFigure(plot, {"rows": lambda _position: None}, rollover=1)


def program_view() -> widgets.ProgramView:
    lab = Lab()
    return widgets.ProgramView(Program(GALLERY["pass"], lab.port).attach())


def rule_editor() -> widgets.RuleEditor:
    rules = FilterRules(Program(GALLERY["filter"], Lab().port))
    rules["udp 9"] = "drop"
    return widgets.RuleEditor(rules)


def told(controls: widgets.Controls) -> widgets.Controls:
    box(controls, "Batch size").value = "many"
    return controls


WIDGETS: dict[str, Make] = {
    "Dashboard": lambda engine, traffic, _tuning: widgets.Dashboard(engine, traffic),
    "Dashboard of two": lambda engine, _traffic, _tuning: widgets.Dashboard([engine, engine]),
    "Dashboard, compact": lambda engine, _traffic, _tuning: widgets.Dashboard(engine, compact=True),
    "Controls": lambda engine, traffic, _tuning: widgets.Controls(engine, traffic),
    "Controls without traffic": lambda engine, _traffic, _tuning: widgets.Controls(engine),
    "Controls, which said a word": lambda engine, _traffic, _tuning: told(widgets.Controls(engine)),
    "Rings": lambda engine, _traffic, _tuning: widgets.Rings(engine),
    "LatencyView": lambda engine, _traffic, _tuning: widgets.LatencyView(engine),
    "Frames": lambda engine, _traffic, _tuning: widgets.Frames(engine),
    "LedgerView": lambda engine, traffic, _tuning: widgets.LedgerView(engine, traffic),
    "LedgerView of a ledger": lambda engine, _traffic, _tuning: widgets.LedgerView(Ledger(engine)),
    "Timeline": lambda engine, traffic, _tuning: widgets.Timeline(engine, traffic),
    "Sweep": lambda engine, traffic, _tuning: widgets.Sweep(engine, traffic, batch=[1, 64]),
    "Compare": lambda _engine, _traffic, _tuning: widgets.Compare(paths=["xsk"]),
    "Front": lambda _engine, _traffic, tuning: widgets.Front(tuning),
    "Doctor": lambda _engine, _traffic, _tuning: widgets.Doctor({}),
    "ProgramView": lambda _engine, _traffic, _tuning: program_view(),
    "RuleEditor": lambda _engine, _traffic, _tuning: rule_editor(),
    "LiveFigure": lambda _engine, _traffic, _tuning: some_figure(),
}


@pytest.fixture(scope="module")
def subjects() -> Iterator[tuple[Engine, Traffic, Tuning]]:
    """Have what widgets show."""
    with (
        Lab(backend="soft") as lab,
        Engine(lab.port) as engine,
        Traffic(lab.peer, lab.port, rate=1000) as traffic,
    ):
        engine.start()
        knobs = {"batch": [1, 64]}
        tuning = tune(engine, traffic, budget=2, seconds=0.05, knobs=knobs, progress=False)
        yield engine, traffic, tuning


def test_every_widget_is_among_those_that_are_closed_here() -> None:
    made = {name.partition(",")[0].partition(" ")[0] for name in WIDGETS}
    public = {name: getattr(widgets, name) for name in widgets.__all__}
    assert made == {name for name, kind in public.items() if issubclass(kind, ipywidgets.Widget)}


# What shows an XDP program takes a lab that is not simulated.
ON_KERNEL = dict.fromkeys(("ProgramView", "RuleEditor"), pytest.mark.kernel)
EACH = [pytest.param(name, marks=ON_KERNEL.get(name, ())) for name in WIDGETS]


@pytest.mark.parametrize("name", EACH)
def test_a_closed_widget_leaves_no_model_and_no_object(
    subjects: tuple[Engine, Traffic, Tuning], name: str
) -> None:
    before = set(registered)
    widget = WIDGETS[name](*subjects)
    assert registered.keys() - before
    assert not repr(widget).startswith("<closed ")
    widget.close()
    widget.close()
    assert registered.keys() == before
    assert repr(widget).startswith(f"<closed {type(widget).__name__}")
    gone = weakref.ref(widget)
    del widget
    assert is_freed(gone)


def is_freed(gone: weakref.ref[Any]) -> bool:
    """Wait until an object is no more: the pump may hold it until a beat that has begun ends."""

    def freed() -> bool:
        gc.collect()
        return gone() is None

    return eventually(freed)


def test_many_widgets_that_were_closed_take_no_memory(
    subjects: tuple[Engine, Traffic, Tuning],
) -> None:
    def run(times: int) -> int:
        for _ in range(times):
            WIDGETS["Dashboard"](*subjects).close()
            gc.collect()
        return anonymous_bytes()

    before = run(3)
    # A dashboard that is not freed takes five million bytes.
    assert run(10) - before < 10 * 1_000_000


def test_what_a_user_put_into_a_widget_stays_open(
    subjects: tuple[Engine, Traffic, Tuning],
) -> None:
    engine, traffic, _ = subjects
    ours, layout = ipywidgets.Button(), ipywidgets.Layout()
    timeline = widgets.Timeline(engine, traffic)
    timeline.layout = layout
    timeline.children = (*timeline.children, ours)
    timeline.close()
    assert {ours.model_id, layout.model_id} <= registered.keys()
    for model in (ours, layout, ours.layout, ours.style):
        model.close()


def test_a_link_to_a_widget_that_is_open_does_not_keep_a_closed_one(
    subjects: tuple[Engine, Traffic, Tuning],
) -> None:
    engine, _, _ = subjects
    first, second = widgets.Timeline(engine), widgets.Timeline(engine)
    traitlets.link((first, "seconds"), (second, "seconds"))
    first.close()
    gone = weakref.ref(first)
    del first
    assert is_freed(gone)
    second.seconds = 10
    second.close()


def test_a_closed_sweep_and_comparison_keep_their_results(
    subjects: tuple[Engine, Traffic, Tuning],
) -> None:
    for name in ("Sweep", "Compare"):
        series = WIDGETS[name](*subjects)
        series.close()
        assert len(series.results) == len(series.runs.combinations)
        assert "0 of" in repr(series)


def anonymous_bytes() -> int:
    """Return the process's own memory: the telemetry region, which is shared, is not in it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


SHOWN = ("Dashboard", "Controls", "Rings", "LatencyView", "Frames", "LedgerView")


def shown_by_all(engine: Engine, traffic: Traffic) -> list[Any]:
    """Make one of each widget that tells an engine's state."""
    return [getattr(widgets, name)(engine) for name in SHOWN] + [
        widgets.Sweep(engine, traffic, batch=[1, 64])
    ]


def test_an_engine_that_was_closed_is_closed_in_every_widget_also_once_it_is_gone(
    lab: Lab,
) -> None:
    engine = Engine(lab.port)
    with Traffic(lab.peer, lab.port) as traffic:
        shown = shown_by_all(engine, traffic)
        engine.close()
        del engine
        gc.collect()
        for widget in shown:
            assert "engine is closed" in repr(widget)
            assert "nothing held it" not in repr(widget)


def test_no_control_of_an_engine_looks_usable_once_it_ended(privileged: None) -> None:
    with Lab() as lab:
        engine = Engine(lab.port, ring_size=16, batch=1).start()
        traffic = Traffic(lab.peer, lab.port)
        shown = shown_by_all(engine, traffic)
        engine.pace = 0.2
    assert eventually(lambda: engine.state == "ended")
    for widget in shown:
        assert ".," not in repr(widget)
        assert "engine.start()" not in repr(widget)
        for refresh in {getattr(widget, name, None) for name in ("refresh", "_beat")} - {None}:
            refresh()
    dashboard, controls, rings, latency, *_, sweep = shown
    dashboard.children[0]._beats = 0
    dashboard.children[0].beat()
    for widget, words in (
        (dashboard, "Start"),
        (dashboard, "Batch"),
        (controls, "Batch size"),
        (rings, "Run"),
        (rings, "Slow"),
        (rings, "Step"),
        (rings, "A batch every"),
        (latency, "Reset"),
        (sweep, "Run"),
    ):
        assert control(widget, words).disabled, words
    assert control(rings, "Slow").button_style == ""
    engine.close()
