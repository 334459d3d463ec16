"""What of the dashboard needs no browser."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np

from xdplab import Engine, Lab, Traffic
from xdplab.widgets import Dashboard
from xdplab.widgets.last_minute import LastMinute


def test_rows_do_not_depend_on_how_often_anybody_looks(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        often, once = LastMinute(engine), LastMinute(engine)
        with Traffic(lab.peer, lab.port, rate=5_000):
            for _ in range(30):
                often(None)
                time.sleep(0.05)
        engine.stop()
        seen, position = often(None)
        looked, same_position = once(None)
    assert position == same_position
    for name, column in seen.items():
        np.testing.assert_array_equal(column, looked[name])


def test_rows_come_in_pieces_without_gap_or_overlap(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        rows = LastMinute(engine)
        columns, position = rows(None)
        times = [columns["time"]]
        for _ in range(10):
            time.sleep(0.15)
            columns, position = rows(position)
            times.append(columns["time"])
        whole, _ = rows(None)
    pieces = np.concatenate(times)
    np.testing.assert_array_equal(pieces, whole["time"][: len(pieces)])


def test_standing_still_breaks_the_lines(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        rows = LastMinute(engine)
        time.sleep(0.5)
        engine.stop()
        time.sleep(1)
        engine.start()
        time.sleep(0.5)
        columns, _ = rows(None)
    assert np.isnan(columns["received"]).sum() == 1


def test_widget_says_what_it_is_in_plain_text_and_keeps_no_engine_alive(lab: Lab) -> None:
    engine = Engine(lab.port, batch=32)
    dashboard = Dashboard(engine)
    data = dashboard._repr_mimebundle_()
    assert data["text/plain"] == "<Dashboard: port0 queue 0, stopped, poll, batch 32>"
    engine.close()
    assert "engine is closed" in repr(dashboard)
    del engine
    assert dashboard._engine_reference() is None
    assert "engine is closed" in repr(dashboard)


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
