"""What of the dashboard needs no browser."""

from __future__ import annotations

import base64
import gc
import io
import json
import subprocess
import sys
import time
import weakref

import pytest
from bokeh.models.glyphs import Line, VArea
from PIL import Image
from support.seen import box, control, text_of, without_code, word
from support.waiting import eventually
from traitlets import TraitError

from xdplab import Engine, Lab, Traffic, c_handler
from xdplab.errors import ConfigurationError
from xdplab.widgets import Controls, Dashboard, Rings, Timeline
from xdplab.widgets.dashboard.figure import PLOTS, dashboard_figure
from xdplab.widgets.dashboard.status_line import BEATS_A_STATUS, EngineHead
from xdplab.widgets.parts.engine_view import EngineView
from xdplab.widgets.pictures.picture import pictured
from xdplab.widgets.style import palette


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
    assert "nothing held it any more" not in repr(dashboard)  # it was closed, before it was gone


def test_dashboard_of_several_engines_says_which_is_which(privileged: None) -> None:
    with Lab() as one, Lab() as other, Engine(one.port) as first:
        second = Engine(other.port, wait="spin")
        dashboard = Dashboard([first, second])
        assert repr(dashboard).replace(" [simulated]", "") == (
            "<Dashboard: 1: port0 queue 0, running, poll, batch 64;"
            " 2: port0 queue 0, stopped, spin, batch 64>"
        )
        second.close()


def test_engines_go_by_the_names_that_they_were_given(privileged: None) -> None:
    with Lab() as one, Lab() as other:
        left, right = Engine(one.port, name="left"), Engine(other.port, name="right")
        dashboard = Dashboard([left, right])
        assert repr(dashboard).replace(" [simulated]", "") == (
            "<Dashboard: left: port0 queue 0, stopped, poll, batch 64;"
            " right: port0 queue 0, stopped, poll, batch 64>"
        )
        for shown in (left, left.ledger().read(), Controls(left), Rings(left), Timeline(left)):
            assert "left" in repr(shown)
        same = Engine(Lab().port, name="left")
        assert "1: left: port0 queue 0" in repr(Dashboard([left, same]))
        for engine in (left, right, same):
            engine.close()
        assert "left" in repr(left)


@pytest.mark.parametrize("name", ["a\nb", " left", "x" * 41, 3])
def test_a_name_is_a_few_words_in_one_line(lab: Lab, name: object) -> None:
    with pytest.raises(ConfigurationError, match="name="):
        Engine(lab.port, name=name)  # type: ignore[arg-type]


def test_the_menu_of_workers_shows_what_is_chosen(privileged: None) -> None:
    with Lab(queues=2) as lab, Engine(lab.port, queue=[0, 1]) as engine:
        dashboard = Dashboard(engine)
        menu = control(dashboard, "Worker")
        assert menu.label == "all, together"
        menu.label = "1"
        assert dashboard.worker == 1
        dashboard.worker = None
        assert menu.label == "all, together"


def test_a_colour_has_one_meaning_and_lines_of_a_plot_differ_in_colour() -> None:
    for plot, *_ in dashboard_figure([""]).children:
        lines = [renderer.glyph for renderer in plot.renderers if isinstance(renderer.glyph, Line)]
        seen = [line.line_color for line in lines if line.line_alpha]
        # Of each line, a sample in the legend.
        assert all(seen.count(color) == 2 for color in seen)
    meanings = (
        *(palette.RECEIVED, palette.SENT, palette.FILL, palette.COMPLETION, palette.LOST),
        *(palette.TOO_LONG, palette.INVALID, palette.USER, palette.SYSTEM, palette.IDLE),
        palette.KERNEL_THREAD,
    )
    assert len(set(meanings)) == len(meanings)


def test_the_line_of_the_rx_ring_is_drawn_above_all_others() -> None:
    ((plot, *_),) = dashboard_figure([""], ["rings"]).children
    drawn = [
        renderer.glyph
        for renderer in plot.renderers
        if isinstance(renderer.glyph, VArea | Line) and renderer.data_source.name
    ]
    bands, lines = drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :]
    assert {type(band) for band in bands} == {VArea}
    assert [line.y for line in lines][-1] == "rx"


def test_several_engines_differ_in_colour_and_their_lines_in_dash() -> None:
    ((plot, *_),) = dashboard_figure(["left", "right"], ["rate"]).children
    lines = [
        renderer.glyph
        for renderer in plot.renderers
        if isinstance(renderer.glyph, Line) and renderer.data_source.name
    ]
    assert len({line.line_color for line in lines}) == 2
    assert len({(line.line_color, tuple(line.line_dash)) for line in lines}) == 4


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
        state = figure.get_state()
        assert len(json.dumps(without_code(state))) < 1_000


def pixels(dashboard: Dashboard) -> int:
    """Return the height of a dashboard's picture."""
    (figure,) = pictured(dashboard)
    draw = figure.static_picture()
    with Image.open(io.BytesIO(base64.b64decode(draw()["image/png"]))) as image:
        return image.height


def test_plots_are_chosen_by_name_and_in_order(lab: Lab) -> None:
    grid = dashboard_figure([""], ["drops", "rate"])
    titles = [plot.title.text for plot, *_ in grid.children]
    assert titles == ["drops a second", "packets a second"]
    with Engine(lab.port) as engine:
        one_row, all_rows = (pixels(Dashboard(engine, plots=p)) for p in (["drops", "rate"], None))
        assert one_row < all_rows / 2
        assert pixels(Dashboard(engine, plots="rate")) == one_row
        with pytest.raises(
            ConfigurationError, match=r"rate, bits, cpu, drops, rings, wakeups\. .*'rings'"
        ):
            Dashboard(engine, plots=["rate", "ring"])
        with pytest.raises(ConfigurationError, match="rate, bits, cpu, drops, rings, wakeups"):
            Dashboard(engine, plots=[])


@pytest.mark.parametrize("count", range(1, len(PLOTS) + 1))
def test_the_lowest_plot_of_each_column_has_the_time_axis(count: int) -> None:
    grid = dashboard_figure([""], PLOTS[:count])
    lowest = {column: plot for plot, _, column in grid.children}
    for plot, _, column in grid.children:
        assert plot.xaxis.visible == (plot is lowest[column])


def test_a_compact_dashboard_has_lower_plots_and_no_controls(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        compact, usual = Dashboard(engine, compact=True), Dashboard(engine)
        assert pixels(compact) < pixels(usual)
        compact.seconds, compact.paused = 10, True
        with pytest.raises(ConfigurationError, match="compact='yes' must be True or False"):
            Dashboard(engine, compact="yes")  # type: ignore[arg-type]
    (head, _), (usual_head, _) = compact.children, usual.children
    assert len(head.children) == len(usual_head.children) - 1


def test_bokeh_is_imported_only_for_a_widget() -> None:
    script = (
        "import sys, xdplab.widgets;"
        "print({'bokeh', 'ipywidgets', 'anywidget'} & {name.split('.')[0] for name in sys.modules})"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert printed.stdout.strip() == "set()"


def test_pause_looks_pressed_while_it_is(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        dashboard = Dashboard(engine)
        pause = control(dashboard, "Pause")
        dashboard.paused = True
        assert (pause.button_style, pause.description) == ("primary", "Resume")
        head = dashboard.children[0]
        head.beat()
        for _ in range(BEATS_A_STATUS):
            head.beat()
        assert "plots paused · running" in text_of(head)
        dashboard.paused = False
        assert (pause.button_style, pause.description) == ("", "Pause")


def test_a_batch_is_typed_in_the_head_of_an_engine(lab: Lab) -> None:
    with Engine(lab.port, batch=64, ring_size=256) as engine:
        head = EngineHead(EngineView(engine))
        for text, batch, said in (
            ("100", 100, ""),
            ("1k", 256, "1k is above the most, 256."),
            ("much", 256, "'much' is no number, such as 200, 200k or 1.5M."),
            ("32", 32, ""),
        ):
            box(head, "Batch").value = text
            head.beat()
            assert engine.batch == control(head, "Batch").value == batch
            assert box(head, "Batch").value == str(batch)
            assert word(head, "Batch") == said


def test_a_handler_that_exceeds_its_budget_is_told_in_the_head_of_an_engine(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        head = EngineHead(EngineView(engine))
        engine.handler_budget = 0
        engine.handler = c_handler(
            "uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state)"
            "{ return XDPLAB_DROP; }"
        )
        with Traffic(lab.peer, lab.port, rate=1000, count=10) as traffic:
            assert traffic.wait(60)
        assert eventually(lambda: engine.handler_note)
        for _ in range(BEATS_A_STATUS):
            head.beat()
        assert "The handler took" in text_of(head)
