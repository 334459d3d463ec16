"""Plots in the style of all figures: axes, ticks and legends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

from bokeh.models import (
    ColumnDataSource,
    CustomJSTickFormatter,
    DatetimeTickFormatter,
    FactorRange,
    GridBox,
    LayoutDOM,
    LinearScale,
    NoOverlap,
    Plot,
    Range1d,
)
from bokeh.models.annotations import LegendItem, Title
from bokeh.models.renderers import GlyphRenderer
from bokeh.plotting import figure

from xdplab.core.text import short
from xdplab.widgets.style.palette import PLATE

FRAME_RANGE = "frame"
"""Name of a second y range of each plot with a numeric y axis: 0 at the bottom, 1 at the top."""

FOLDS = "folds"
"""Tag of a grid of plots that has one plot a row where the page is narrow."""

_EQUAL: Any = "minmax(0, 1fr)"
_GAPS: Any = (6, 0)  # pixels between rows and columns
_MEDIUM = "12px"

# 1.5 M, 20 k, 300; Bokeh's own formatters write "m" for a million, or 1.5e+6.
SI_JAVASCRIPT = """
const prefixes = [[1e9, " G"], [1e6, " M"], [1e3, " k"], [0, ""]];
const [size, letter] = prefixes.find(([size]) => Math.abs(number) >= size) ?? [0, ""];
return `${+(number / (size || 1)).toPrecision(3)}${letter}`;
"""
"""Body of a function of `number`."""

_PYTHON: dict[str, Callable[[float], str]] = {}


def si_ticks() -> CustomJSTickFormatter:
    """Return a formatter of axis ticks: 1.5 M, 20 k, 300."""
    return coded_ticks(f"const number = tick;{SI_JAVASCRIPT}", short)


def coded_ticks(javascript: str, python: Callable[[float], str]) -> CustomJSTickFormatter:
    """Return a formatter of axis ticks.

    Parameters
    ----------
    javascript
        Body of a function of `tick`, for browsers.
    python
        The same for static pictures.
    """
    _PYTHON[javascript] = python
    return CustomJSTickFormatter(code=javascript)


def python_of(formatter: CustomJSTickFormatter) -> Callable[[float], str]:
    """Return the function that `coded_ticks` was given for static pictures."""
    return _PYTHON[str(formatter.code)]


def clock_ticks() -> DatetimeTickFormatter:
    """Return a formatter of axis ticks: local time, hours to seconds."""
    clock = "%H:%M:%S"
    return DatetimeTickFormatter(
        milliseconds=clock, seconds=clock, minsec=clock, minutes=clock, hourmin=clock, hours=clock
    )


def styled_plot(
    y_label: str = "",
    *,
    x_axis_type: Literal["datetime", "linear", "log", "auto"] = "datetime",
    **options: Any,
) -> figure:
    """Return an empty plot in xdplab's style.

    It takes the full width and is transparent; live/figure.js gives text, axes and grid the page's
    colour and font, so that it suits light and dark themes.

    Parameters
    ----------
    y_label
        The label of the y axis.
    x_axis_type
        As in Bokeh; ``"datetime"`` shows local time, given in milliseconds, and ``"auto"`` shows
        names if the range is one of names.
    options
        More options of `bokeh.plotting.figure`, such as `x_range`, `y_range` and `height`.
    """
    looks: dict[str, Any] = {
        "sizing_mode": "stretch_width",
        "tools": "",
        "toolbar_location": None,
        "background_fill_alpha": 0,
        "border_fill_alpha": 0,
        "outline_line_color": None,
        "min_border_left": 72,  # the same for all, so that their time axes are aligned
        "min_border_right": 20,
    }
    plot = figure(y_axis_label=y_label, x_axis_type=x_axis_type, **(looks | options))
    # BokehJS (3.9) refuses a range of numbers beside one of names, with any scale.
    if not isinstance(plot.y_range, FactorRange):
        plot.extra_y_ranges[FRAME_RANGE] = Range1d(start=0, end=1)
        plot.extra_y_scales[FRAME_RANGE] = LinearScale()
    plot.axis.axis_label_text_font_style = "normal"
    plot.axis.axis_label_text_font_size = _MEDIUM
    plot.axis.major_label_text_font_size = _MEDIUM
    plot.axis.axis_line_alpha = 0.4
    plot.axis.major_tick_line_alpha = 0.4
    plot.axis.minor_tick_line_color = None
    plot.axis.major_label_policy = NoOverlap()
    plot.grid.grid_line_alpha = 0.15
    if isinstance(plot.title, Title):
        plot.title.text_font_size = _MEDIUM
        plot.title.text_font_style = "normal"
    if x_axis_type == "datetime":
        plot.xaxis.formatter = clock_ticks()
    return plot


def trace() -> dict[str, Any]:
    """Return options of a line or an area over rows of increasing x, which spares the browser work.

    It can't be hit by a mouse, selected or muted, and its colour stays. live/spare.js paints it.
    """
    return {"tags": ["trace"]}


def plates() -> dict[str, Any]:
    """Return options of `figure.text` for text that hides what is below it."""
    return {
        "background_fill_color": "white",
        "background_fill_alpha": 0.85,
        "padding": 1,
        "tags": [PLATE],
    }


def plot_grid(plots: Sequence[Plot], columns: int) -> LayoutDOM:
    """Return plots in rows, side by side where there is room.

    live/figure.js puts them below each other where the page is narrow.
    """
    places: Any = [(plot, *divmod(place, columns)) for place, plot in enumerate(plots)]
    return GridBox(
        children=places, cols=_EQUAL, spacing=_GAPS, sizing_mode="stretch_width", tags=[FOLDS]
    )


def legend_above(plot: figure, **options: Any) -> None:
    """Move the legend of a plot's labelled glyphs above it, by default in one row.

    Parameters
    ----------
    plot
        A plot with at least one glyph that has a `legend_label`.
    options
        More properties of `bokeh.models.Legend`, such as `ncols`.
    """
    legend = plot.legend[0]
    legend.update(
        orientation="horizontal",
        location="top_left",
        background_fill_alpha=0,
        border_line_color=None,
        label_text_font_size=_MEDIUM,
        margin=4,
        spacing=20,
    )
    legend.update(**options)
    # Bokeh (3.9) rebuilds the whole legend whenever the rows of one of its glyphs change, which
    # took the browser more time than the plot itself. So the legend gets glyphs whose rows never
    # change: one row at no place, since without rows it would draw no sample of the line.
    for item in legend.items:
        if isinstance(item, LegendItem):
            item.renderers = [_beside_rows(plot, renderer) for renderer in item.renderers]
    plot.add_layout(legend, "above")


def _beside_rows(plot: figure, renderer: GlyphRenderer[Any]) -> GlyphRenderer[Any]:
    source = renderer.data_source
    names = source.column_names if isinstance(source, ColumnDataSource) else []
    columns = {name: [math.nan] for name in names}
    return plot.add_glyph(ColumnDataSource(columns), renderer.glyph.clone())
