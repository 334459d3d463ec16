"""The sweep widget's figure: a cell for each combination of two knobs' values."""

from __future__ import annotations

from typing import Any

from bokeh.models import ColumnDataSource, CustomJS, FactorRange, HoverTool, TapTool
from bokeh.plotting import figure

from xdplab.widgets.style.palette import KEEP_INK
from xdplab.widgets.style.plots import styled_plot
from xdplab.widgets.sweep.cells import NUMBERS, TEXTS

_LABELS = 62  # pixels for the names and the knob's name below the map, and for the space above
_HIGHEST_ROW, _LOWEST_ROW, _HIGHEST = 44, 14, 460  # pixels
_WIDTH, _HEIGHT = 0.97, 0.94  # of a cell; the rest is a gap

# Writes into a text box, as a person would. The time makes the text of each click unique.
_TELL = """
const [row] = cells.inspected.indices;
for (const box of row === undefined ? [] : document.querySelectorAll(`.${name} input`)) {
    box.value = `${cells.data.combination[row]} ${Date.now()}`;
    box.dispatchEvent(new Event("change", {bubbles: true}));
}
"""


def height(rows: int) -> int:
    """Return the pixels of a map of so many rows."""
    row = max(_LOWEST_ROW, min(_HIGHEST_ROW, _HIGHEST // rows))
    return _LABELS + row * max(rows, 2)


def sweep_figure(click_box: str) -> figure:
    """Return the map, with a source for each of `cells.NUMBERS`.

    The ranges ``columns`` and ``rows`` can be given other ``factors``, the axes ``x axis`` and ``y
    axis`` another ``axis_label``, and the plot ``map`` another ``height``.

    Parameters
    ----------
    click_box
        CSS class of the box into which a click on a cell writes its combination's number and a
        time, so that each click is a change.
    """
    sources = {
        name: ColumnDataSource({column: [] for column in (*NUMBERS[name], *TEXTS[name])}, name=name)
        for name in NUMBERS
    }
    plot = styled_plot(
        x_axis_type="auto",
        x_range=FactorRange(name="columns"),
        y_range=FactorRange(name="rows"),
        height=height(1),
        min_border_left=130,
        name="map",
    )
    plot.grid.visible = False
    plot.axis.major_tick_line_color = None
    plot.axis.axis_line_color = None
    plot.xaxis[0].name, plot.yaxis[0].name = "x axis", "y axis"
    drawn = plot.rect(
        "x",
        "y",
        _WIDTH,
        _HEIGHT,
        source=sources["cells"],
        fill_color="color",
        fill_alpha="alpha",
        line_color=None,
    )
    plot.rect(
        "x",
        "y",
        _WIDTH,
        _HEIGHT,
        source=sources["marks"],
        fill_alpha=0,
        line_color="color",
        line_width=3,
    )
    looks: dict[str, Any] = {
        "text_color": "ink",
        "text_align": "center",
        "text_baseline": "middle",
        "text_font_size": "12px",
        "tags": [KEEP_INK],
    }
    plot.text("x", "y", "text", source=sources["cells"], **looks)
    tell = CustomJS(args={"cells": sources["cells"], "name": click_box}, code=_TELL)
    plot.add_tools(
        HoverTool(renderers=[drawn], tooltips="@said{safe}"),
        TapTool(renderers=[drawn], behavior="inspect", callback=tell),
    )
    return plot
