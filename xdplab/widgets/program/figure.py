"""The figure of a program: the ways of its packets, and their rates over time."""

from __future__ import annotations

from bokeh.models import (
    BasicTicker,
    ColumnDataSource,
    DataRange1d,
    DatetimeTicker,
    LayoutDOM,
    Range1d,
)
from bokeh.plotting import figure

from xdplab.widgets.program.ways import WAYS
from xdplab.widgets.style.palette import GREY
from xdplab.widgets.style.plots import legend_above, plot_grid, si_ticks, styled_plot, trace
from xdplab.widgets.style.scaling import Scaling

CAME, WORDS, RATES, WINDOW = "came", "words", "rates", "window"
"""Names of the sources of the packets that came, of the words and of the rates, and of the range of
time."""

HEIGHT = 240
"""Pixels of each plot, which are units of the drawing upwards."""

START, PROGRAM, END, EDGE = 0.0, 0.38, 0.6, 1.0
"""Places along the drawing: the wire, the program, the words of its ways, the right edge."""

_LEAST = 10  # packets a second that the axis reaches
_FONT_SIZE = "12px"
_ROOMY = 460  # pixels of width that the words need in this size


def program_figure() -> LayoutDOM:
    """Return the figure, whose sources are those of `ProgramFeeds.feeds`."""
    return plot_grid([_drawing(), _rates()], 2)


def _drawing() -> figure:
    plot = styled_plot(
        x_axis_type="linear",
        x_range=Range1d(start=START, end=EDGE),
        y_range=Range1d(start=0, end=HEIGHT),
        height=HEIGHT,
        min_border=0,
        min_border_left=0,
        min_border_right=0,
    )
    plot.axis.visible = False
    plot.grid.visible = False
    for name, color in ((CAME, GREY), *((way.name, way.color) for way in WAYS)):
        source = ColumnDataSource({"x": [], "y": []}, name=name)
        plot.patch("x", "y", source=source, fill_color=color, line_color=color, alpha=0.8)
    box = ColumnDataSource({"x": [PROGRAM], "y": [HEIGHT / 2], "height": [HEIGHT * 0.62]})
    plot.rect("x", "y", 0.02, "height", source=box, color=GREY)
    words = ColumnDataSource({"x": [], "y": [], "text": []}, name=WORDS)
    scaling = Scaling(plot, _ROOMY)
    plot.text(
        "x", "y", "text", source=words, x_offset=6, text_baseline="middle",
        text_font_size=scaling.text(_FONT_SIZE),
    )  # fmt: skip
    scaling.follow()
    return plot


def _rates() -> figure:
    source = ColumnDataSource(
        {name: [] for name in ("time", *(way.name for way in WAYS))}, name=RATES
    )
    plot = styled_plot(
        title="packets a second, by verdict",
        x_range=Range1d(name=WINDOW),
        y_range=DataRange1d(start=0, min_interval=_LEAST),
        height=HEIGHT,
        min_border_left=58,
        min_border_right=14,
    )
    plot.xaxis.ticker = DatetimeTicker(desired_num_ticks=4)
    plot.yaxis.formatter = si_ticks()
    plot.yaxis.ticker = BasicTicker(desired_num_ticks=4)
    for way in WAYS:
        plot.line(
            "time", way.name, source=source, color=way.color, line_width=2,
            legend_label=way.name, **trace(),
        )  # fmt: skip
    legend_above(plot, label_text_font_size="11px", spacing=12, padding=0, margin=0)
    return plot
