"""The latency widget's figure: a histogram with percentiles, or the curve of its tail."""

from __future__ import annotations

from bokeh.layouts import column
from bokeh.models import (
    ColumnDataSource,
    FixedTicker,
    LayoutDOM,
    NumeralTickFormatter,
    Range1d,
)
from bokeh.models.annotations import Title
from bokeh.plotting import figure

from xdplab.widgets.latency.shape import BINS_A_DECADE
from xdplab.widgets.style.log_time import duration_ticks
from xdplab.widgets.style.palette import BLUE, ORANGE
from xdplab.widgets.style.plots import coded_ticks, styled_plot

BAR_SPACE = 0.66
"""The share of the height for bars; the percentiles' flags are above."""

FLAG_TOPS = (1.0, 0.935, 0.87, 0.805, 0.74)
"""Heights of the percentiles' flags, fastest first: each is above all to its right."""

_LIVE, _FROZEN = "solid", "dashed"

# The share that took longer, 0.01, is the percentile 99 %.
_PERCENTILE = """
return `${+(100 * (1 - tick)).toPrecision(12)} %`;
"""


def latency_figure() -> LayoutDOM:
    """Return both plots; the widget shows one of them.

    Their sources are those of `LatencyFeeds.feeds`; it sets the ranges ``time``, ``share`` and
    ``tail`` and the ``time ticks``; the plots ``histogram`` and ``curve`` can be made visible, and
    their ``title`` can say what is frozen.
    """
    time = Range1d(start=1e3, end=1e5, name="time")
    ticks = FixedTicker(ticks=[], name="time ticks")
    plots = [_histogram(time), _curve(time)]
    for plot in plots:
        plot.title = Title(text="", name="title", text_font_size="12px", text_font_style="normal")
        plot.xaxis.ticker = ticks
        plot.xgrid.ticker = ticks
        plot.xaxis.formatter = duration_ticks()
    return column(*plots, sizing_mode="stretch_width")


def _histogram(time: Range1d) -> figure:
    plot = styled_plot(
        f"% of frames, {BINS_A_DECADE} bins a decade",
        x_axis_type="log",
        x_range=time,
        y_range=Range1d(start=0, end=100, name="share"),
        height=300,
        name="histogram",
    )
    plot.extra_y_ranges = {"flags": Range1d(start=0, end=1.03)}
    plot.yaxis.formatter = NumeralTickFormatter(format="0.[00]")
    for name, color, dash, alpha in (("frozen", ORANGE, _FROZEN, 0.2), ("live", BLUE, _LIVE, 0.5)):
        source = ColumnDataSource({"x": [], "y": []}, name=name)
        plot.patch("x", "y", source=source, color=color, fill_alpha=alpha, line_alpha=0)
        plot.line("x", "y", source=source, color=color, line_width=2, line_dash=dash)
    for name, color, dash in (("frozen flags", ORANGE, _FROZEN), ("flags", BLUE, _LIVE)):
        source = ColumnDataSource({"x": [], "top": [], "text": []}, name=name)
        pole = plot.segment(
            "x", 0, "x", "top", source=source, color=color, line_width=1.5, line_dash=dash
        )
        words = plot.text("x", "top", "text", source=source, x_offset=4, text_font_size="12px")
        words.glyph.text_baseline = "top"
        pole.y_range_name = words.y_range_name = "flags"
    return plot


def _curve(time: Range1d) -> figure:
    plot = styled_plot(
        "percentile",
        x_axis_type="log",
        x_range=time,
        y_axis_type="log",
        y_range=Range1d(start=1, end=1e-3, name="tail"),
        height=300,
        visible=False,
        name="curve",
    )
    marks = FixedTicker(ticks=[0.5, *(10.0**-power for power in range(1, 10))])
    plot.yaxis.ticker = marks
    plot.ygrid.ticker = marks
    plot.yaxis.formatter = coded_ticks(_PERCENTILE, lambda share: f"{100 * (1 - share):.12g} %")
    for name, color, dash in (("frozen curve", ORANGE, _FROZEN), ("live curve", BLUE, _LIVE)):
        source = ColumnDataSource({"x": [], "y": []}, name=name)
        plot.line("x", "y", source=source, color=color, line_width=2, line_dash=dash)
    return plot
