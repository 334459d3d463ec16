"""What of the dashboard needs no browser."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
import weakref

import pytest
from traitlets import TraitError

from xdplab import Engine, Lab
from xdplab.widgets import Dashboard


def test_widget_says_what_it_is_in_plain_text_and_keeps_no_engine_alive(lab: Lab) -> None:
    engine = Engine(lab.port, batch=32)
    dashboard = Dashboard(engine)
    data = dashboard._repr_mimebundle_()
    said = data["text/plain"]
    assert said.replace(" [simulated]", "") == "<Dashboard: port0 queue 0, stopped, poll, batch 32>"
    engine.close()
    assert "engine is closed" in repr(dashboard)
    seen = weakref.ref(engine)
    del engine
    gc.collect()
    assert seen() is None
    assert "nothing held it any more" in repr(dashboard)


def test_dashboard_of_several_engines_says_which_is_which(privileged: None) -> None:
    with Lab() as one, Lab() as other, Engine(one.port) as first:
        second = Engine(other.port, wait="spin")
        dashboard = Dashboard([first, second])
        assert repr(dashboard).replace(" [simulated]", "") == (
            "<Dashboard: 1: port0 queue 0, running, poll, batch 64;"
            " 2: port0 queue 0, stopped, spin, batch 64>"
        )
        second.close()


def test_dashboard_says_why_an_engine_ended(privileged: None) -> None:
    with Lab() as lab, Engine(lab.port) as engine:
        lab.close()
        deadline = time.monotonic() + 30
        while engine.error is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "ended: " in repr(Dashboard(engine))


def test_what_is_shown_is_chosen_among_what_there_is(privileged: None) -> None:
    with Lab(queues=2) as lab, Engine(lab.port, queue=[0, 1]) as engine:
        dashboard = Dashboard(engine)
        dashboard.worker, dashboard.seconds = 1, 600
        with pytest.raises(TraitError, match="no worker 2: choose 0 to 1"):
            dashboard.worker = 2
        with pytest.raises(TraitError):
            dashboard.seconds = 42
        assert (dashboard.worker, dashboard.seconds) == (1, 600)


def test_state_that_a_notebook_saves_holds_no_figure(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        figure = Dashboard(engine).children[-1]
        assert len(json.dumps(figure.get_state())) < 10_000


def test_bokeh_is_imported_only_for_a_widget() -> None:
    script = (
        "import sys, xdplab.widgets;"
        "print({'bokeh', 'ipywidgets', 'anywidget'} & {name.split('.')[0] for name in sys.modules})"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert printed.stdout.strip() == "set()"
