"""The check of a page's layout finds what covers something else or is cut off, and nothing more."""

from __future__ import annotations

import pytest
from harness.notebook_page import NotebookPage
from support.layout import faults
from support.pages import OpenNotebook

SOUND = """
import numpy as np
from IPython.display import HTML
from bokeh.models import ColumnDataSource, Range1d
from xdplab.widgets import LiveFigure
from xdplab.widgets.base.feed import SnapshotFeed
from xdplab.widgets.style.plots import styled_plot
display(HTML('''<div style="width: 200px; overflow: hidden"><span id="one">some words</span>
<button id="two">press</button><p id="three">a line of its own</p></div>'''))
plot = styled_plot(x_axis_type="linear", x_range=Range1d(0, 1), y_range=Range1d(0, 1), height=200)
plot.text("x", "y", "text", source=ColumnDataSource({"x": [], "y": [], "text": []}, name="texts"))
feed = SnapshotFeed(("x", "y"), ("text",))
feed.show({"x": np.array([0.1, 0.5]), "y": np.array([0.5, 0.5]), "text": ["first", "second"]})
LiveFigure(plot, {"texts": feed}, rollover=0)
"""

# Where the second text of the figure begins, as a share of the width.
AT_ITS_PLACE = 0.5
PAINTED = {
    "a painted text over another": (0.11, "covers"),
    "one beyond the edge": (0.99, "cut off"),
}

PLANTED = {
    "a text over another": ("#three", "margin-top: -16px", "covers"),
    "a button over a text": ("#two", "margin-left: -30px", "covers"),
    "a text beyond its frame": ("#three", "white-space: nowrap; padding-left: 150px", "cut off"),
}


def style(page: NotebookPage, place: str, text: str) -> None:
    page.page.locator(place).evaluate("(element, text) => { element.style = text; }", text)


def paint(page: NotebookPage, place: float, font: str = "sans-serif") -> None:
    """Move the second text of the figure, or change the font of both."""
    page.page.locator(".xdplab-live").wait_for()
    page.page.evaluate(
        """([place, font]) => {
            const figure = window.Bokeh.documents[0];
            const source = figure.get_model_by_name('texts');
            source.data = {...source.data, x: [0.1, place]};
            for (const model of figure.roots()[0].references()) {
                if (model.properties.text_font) model.text_font = font;
            }
        }""",
        [place, font],
    )


def test_what_is_sound_is_found_so_also_in_another_font(go_on: OpenNotebook) -> None:
    page = go_on(SOUND)
    for font in ("sans-serif", "serif", "monospace"):
        style(page, "#one", f"font: 100% {font}")
        paint(page, AT_ITS_PLACE, font)
        assert faults(page) == []


@pytest.mark.parametrize("planted", PAINTED)
def test_what_a_figure_paints_is_seen_too(go_on: OpenNotebook, planted: str) -> None:
    page = go_on(SOUND)
    place, kind = PAINTED[planted]
    for font in ("sans-serif", "serif"):
        paint(page, place, font)
        assert {fault[0] for fault in faults(page)} == {kind}
    paint(page, AT_ITS_PLACE)
    assert faults(page) == []


@pytest.mark.parametrize("planted", PLANTED)
def test_what_was_planted_is_found(go_on: OpenNotebook, planted: str) -> None:
    page = go_on(SOUND)
    place, text, kind = PLANTED[planted]
    style(page, place, text)
    assert kind in {fault[0] for fault in faults(page)}
    style(page, place, "")
    assert faults(page) == []
