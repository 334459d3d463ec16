"""Static pictures: what an executed notebook keeps of its figures."""

from __future__ import annotations

import base64
import dataclasses
import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import nbformat
import numpy as np
import numpy.typing as npt
import pytest
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, LayoutDOM, Range1d
from bokeh.models.annotations import BoxAnnotation, Label, Span
from bokeh.plotting import figure
from nbclient import NotebookClient
from nbconvert import HTMLExporter, MarkdownExporter
from PIL import Image
from support.seen import without_code

from xdplab import Engine, Lab, Sampling, Traffic, widgets
from xdplab.widgets.frames.picture import picture_of
from xdplab.widgets.pictures.drawing import MARK, draw
from xdplab.widgets.pictures.glyphs import CannotDrawError
from xdplab.widgets.pictures.picture import WIDTH, pictured
from xdplab.widgets.style import palette
from xdplab.widgets.style.sheet import SHEET

RED = "#ff0000"

COLUMNS = {
    "one": np.array([1.0, 4.0, 7.0]),
    "two": np.array([3.0, 6.0, 9.0]),
    "low": np.array([2.0, 2.0, 2.0]),
    "high": np.array([8.0, 8.0, 8.0]),
    "text": ["first", "second", "third"],
}
ROUND: dict[str, Any] = {"x": 5, "y": 5, "start_angle": 0, "end_angle": 3, "color": RED}

GLYPHS: dict[str, dict[str, Any]] = {
    "line": {"x": "one", "y": "two", "color": RED},
    "segment": {"x0": "one", "y0": "low", "x1": "two", "y1": "high", "color": RED},
    "vspan": {"x": "one", "color": RED},
    "hbar": {"y": "one", "height": 1, "right": "high", "color": RED},
    "rect": {"x": "one", "y": "two", "width": 1, "height": 1, "color": RED},
    "varea": {"x": "one", "y1": "low", "y2": "high", "color": RED},
    "patch": {"x": "one", "y": "two", "color": RED},
    "annular_wedge": {**ROUND, "inner_radius": 2, "outer_radius": 4},
    "arc": {**ROUND, "radius": 4, "line_width": 4},
    "scatter": {"x": "one", "y": "two", "size": 10, "color": RED},
    "text": {"x": "one", "y": "two", "text": "text", "text_color": RED, "text_font_size": "30px"},
}


def empty_plot() -> figure:
    return figure(x_range=Range1d(0, 10), y_range=Range1d(0, 10), height=300)


def plot_with(glyph: str) -> figure:
    plot = empty_plot()
    source = ColumnDataSource({name: [] for name in COLUMNS}, name="rows")
    getattr(plot, glyph)(source=source, **GLYPHS[glyph])
    return plot


def pixels(png: bytes) -> npt.NDArray[np.int_]:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"), dtype=int)


def red_share(png: bytes) -> float:
    """Return the share of the picture that is red."""
    red, green, blue = np.moveaxis(pixels(png), -1, 0)
    return float(((red > 200) & (green < 80) & (blue < 80)).mean())


@pytest.mark.parametrize("glyph", GLYPHS)
def test_a_glyph_is_drawn_from_the_rows_of_its_source(glyph: str) -> None:
    nothing = {name: column[:0] for name, column in COLUMNS.items()}
    assert red_share(draw(plot_with(glyph), {"rows": COLUMNS})) > 0.0005
    if any(isinstance(value, str) and value in COLUMNS for value in GLYPHS[glyph].values()):
        assert red_share(draw(plot_with(glyph), {"rows": nothing})) == 0


def test_what_cannot_be_drawn_is_named_and_not_left_out() -> None:
    plot = empty_plot()
    plot.ellipse(x=[5], y=[5], width=2, height=2)
    with pytest.raises(CannotDrawError, match="Ellipse"):
        draw(plot, {})
    plot = empty_plot()
    plot.scatter(x=[5], y=[5], marker="star")
    with pytest.raises(CannotDrawError, match="star"):
        draw(plot, {})
    for annotation in (Span(location=5), Label(x=5, y=5, text="a label"), BoxAnnotation(left=2)):
        plot = empty_plot()
        plot.add_layout(annotation)
        with pytest.raises(CannotDrawError, match=type(annotation).__name__):
            draw(plot, {})


def test_what_is_beyond_the_frame_is_cut_off() -> None:
    plot = empty_plot()
    plot.rect(x=[25], y=[5], width=10, height=10, color=RED)
    plot.text(x=[-20], y=[5], text=["outside"], text_color=RED)
    assert red_share(draw(plot, {})) == 0


def test_the_area_of_a_bar_is_what_its_row_says() -> None:
    def bar(length: float) -> float:
        plot = empty_plot()
        plot.hbar(y=[5], height=2, right=[length], color=RED, line_alpha=0)
        return red_share(draw(plot, {}))

    assert bar(8) == pytest.approx(2 * bar(4), rel=0.05)


def test_rows_and_columns_of_plots_stand_where_they_do_in_the_browser() -> None:
    red, plain = empty_plot(), empty_plot()
    red.rect(x=[5], y=[5], width=10, height=10, color=RED)
    layout: LayoutDOM = column(row(plain, red, sizing_mode="stretch_width"), empty_plot())
    seen = pixels(draw(layout, {}))
    height, width, _ = seen.shape
    assert (width / height) == pytest.approx(WIDTH / 600, rel=0.01)
    is_red = (seen[..., 0] > 200) & (seen[..., 1] < 80)
    rows, columns = np.nonzero(is_red)
    assert columns.min() > width / 2
    assert rows.max() < height / 2


def test_colours_stay_what_they_are_however_few_points_have_them() -> None:
    colors = (palette.BLUE, palette.VERMILLION, palette.GREEN, palette.PURPLE, palette.ORANGE)
    plot = empty_plot()
    for place, color in enumerate(colors):
        plot.line([place, place + 0.1], [2, 2], color=color, line_width=3)
    plot.rect(x=[5], y=[6.5], width=10, height=7, color=palette.SKY)
    seen = pixels(draw(plot, {})).reshape(-1, 3)
    for color in colors:
        wanted = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
        assert np.abs(seen - wanted).max(axis=1).min() <= 2


def test_the_style_sheet_knows_our_images_by_their_mark() -> None:
    png = draw(empty_plot(), {})
    mark = base64.b64encode(MARK).decode()
    assert mark in base64.b64encode(png).decode()
    assert f'img[src*="{mark}"]' in SHEET


@pytest.fixture
def capture(lab: Lab) -> Iterator[tuple[Engine, Traffic]]:
    with (
        Engine(
            lab.port,
            ring_size=32,
            batch=16,
            inspect=True,
            sampling=Sampling(every=100),
            action="reflect",
        ) as engine,
        Traffic(lab.peer, lab.port, rate=5_000) as traffic,
    ):
        while engine.telemetry.total()["rx_packets"] < 500:
            time.sleep(0.05)
        engine.batch = 8
        yield engine, traffic


@pytest.mark.parametrize("name", ["Dashboard", "Timeline", "LatencyView", "LedgerView", "Rings"])
def test_the_figure_of_every_widget_is_drawn_small(
    capture: tuple[Engine, Traffic], name: str
) -> None:
    engine, traffic = capture
    widget = getattr(widgets, name)(*((engine, traffic) if name == "LedgerView" else (engine,)))
    (figure,) = pictured(widget)
    take = figure.static_picture()
    assert take is not None
    image = take()["image/png"]
    assert len(image) < 64_000
    seen = pixels(base64.b64decode(image))
    assert (seen.min(axis=2) < 200).mean() > 0.005  # not a blank sheet


def test_the_table_of_frames_has_the_newest_and_none_of_its_text_is_markup(
    capture: tuple[Engine, Traffic],
) -> None:
    engine, _ = capture
    (table,) = pictured(widgets.Frames(engine))
    take = table.static_picture()
    assert take is not None
    bundle = take()
    assert 1 <= bundle["text/html"].count("<tr>") - 1 <= 20
    assert "UDP" in bundle["text/plain"]
    (row,) = (dataclasses.replace(table.passing()[0], summary="<script>alert(1)</script>"),)
    assert "<script>" not in picture_of([row])["text/html"]


FIGURE = """
import ipywidgets, numpy
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure
from xdplab.widgets import LiveFigure
from xdplab.widgets.base.feed import Update

values = numpy.array([1.0, 2.0])

def feed(position):
    if position != len(values):
        return Update({"x": numpy.arange(len(values)), "y": values}, len(values), True)

def make():
    plot = figure(height=200)
    plot.line("x", "y", source=ColumnDataSource({"x": [], "y": []}, name="rows"))
    return LiveFigure(plot, {"rows": feed}, rollover=10)

live = make()
"""


@pytest.fixture
def execute() -> Callable[..., nbformat.NotebookNode]:
    """Execute a notebook of these cells, as `nbconvert --execute` and papermill do."""

    def run(*cells: str) -> nbformat.NotebookNode:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
        return notebook

    return run


def images(cell: nbformat.NotebookNode) -> list[bytes]:
    return [
        base64.b64decode(output["data"]["image/png"])
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]


def test_an_executed_notebook_shows_each_figure_behind_its_widget(
    execute: Callable[..., nbformat.NotebookNode],
) -> None:
    boxed = "ipywidgets.VBox([ipywidgets.IntSlider(), ipywidgets.HBox([live, make()])])"
    notebook = execute(FIGURE + "live", boxed, "ipywidgets.IntSlider()")
    first, second, third = notebook.cells
    widget, picture = first.outputs
    assert "application/vnd.jupyter.widget-view+json" in widget["data"]
    assert picture["data"]["text/plain"] == "<LiveFigure: a live figure>"
    assert set(picture["data"]) == {"text/plain", "image/png"}
    assert len(images(first)) == 1
    assert len(images(second)) == 2
    assert len(third.outputs) == 1


def test_a_picture_follows_the_rows_until_the_last_cell_and_is_drawn_only_where_they_changed(
    execute: Callable[..., nbformat.NotebookNode],
) -> None:
    shown = FIGURE + "live"
    count = """
import xdplab.widgets.pictures.drawing as drawing
drawn, draw = [], drawing.draw
drawing.draw = lambda *given: (drawn.append(1), draw(*given))[1]
"""
    before = execute(shown).cells[0]
    after = execute(shown, count, "1", "values = numpy.array([2.0, 1.0, 4.0])", "print(len(drawn))")
    assert after.cells[-1].outputs[0]["text"] == "1\n"
    assert images(before) != images(after.cells[0])
    assert (
        execute(shown.replace("[1.0, 2.0]", "[2.0, 1.0, 4.0]")).cells[0].outputs[1]["data"]
        == after.cells[0].outputs[1]["data"]
    )


def test_a_figure_that_fails_says_why_in_the_place_of_its_picture_and_harms_no_cell(
    execute: Callable[..., nbformat.NotebookNode],
) -> None:
    broken = (
        FIGURE + "def feed(position):\n    raise RuntimeError('the feed ran dry')\nlive = make()"
    )
    (cell,) = execute(broken + "\nlive").cells
    assert "RuntimeError: the feed ran dry" in cell.outputs[1]["data"]["text/html"]
    assert len(cell.outputs) == 2


def test_nbconvert_shows_the_picture_in_html_and_in_markdown(
    execute: Callable[..., nbformat.NotebookNode],
) -> None:
    notebook = execute(FIGURE + "live")
    del notebook.metadata["widgets"]  # as JupyterLab saves it
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert base64.b64encode(MARK).decode() in page
    text, resources = MarkdownExporter().from_notebook_node(notebook)
    ((name, png),) = resources["outputs"].items()
    assert name in text
    assert png == images(notebook.cells[0])[0]


def test_the_state_that_an_executed_notebook_holds_has_neither_figure_nor_rows(
    execute: Callable[..., nbformat.NotebookNode],
) -> None:
    notebook = execute(FIGURE + "values = numpy.arange(1000.0)", "live")
    (states,) = notebook.metadata["widgets"].values()
    for entry in states["state"].values():
        assert len(str(without_code(entry["state"]))) < 2_000
