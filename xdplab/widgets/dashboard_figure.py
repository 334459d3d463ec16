"""What the dashboard draws: packets a second above what the rings hold, over one minute."""

from __future__ import annotations

from bokeh.layouts import column
from bokeh.models import (
    ColumnDataSource,
    CustomJSTickFormatter,
    DataRange1d,
    DatetimeTickFormatter,
    FixedTicker,
    LayoutDOM,
    Range,
    Range1d,
)
from bokeh.plotting import figure

from xdplab.widgets.last_minute import COLUMNS, SECONDS

# Okabe and Ito's colours, of which these stand out on white and on black alike.
BLUE, VERMILLION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"

# 1.5 M, 20 k, 300; of Bokeh's own formatters one writes "m" for a million, the others 1.5e+6.
SI = """
const prefixes = [[1e9, " G"], [1e6, " M"], [1e3, " k"], [0, ""]];
const [size, letter] = prefixes.find(([size]) => tick >= size);
return `${+(tick / (size || 1)).toPrecision(3)}${letter}`;
"""


def dashboard_figure() -> LayoutDOM:
    """Return the dashboard's plots, with one source of the columns that `LastMinute` gives."""
    source = ColumnDataSource({name: [] for name in COLUMNS})
    minute = DataRange1d(
        follow="end", follow_interval=SECONDS * 1000, range_padding=0, default_span=SECONDS * 1000
    )
    rates = _plot(
        source,
        "packets a second",
        minute,
        DataRange1d(start=0, min_interval=10),
        {"received": ("received", BLUE), "dropped": ("dropped by the kernel", VERMILLION)},
    )
    rates.height = 230
    rates.yaxis.formatter = CustomJSTickFormatter(code=SI)
    rings = _plot(
        source,
        "% of the ring",
        minute,
        Range1d(start=0, end=104),
        {"rx": ("RX ring, at its fullest", GREEN), "fill": ("fill ring", PURPLE)},
    )
    rings.height = 180
    rings.yaxis.ticker = FixedTicker(ticks=[0, 25, 50, 75, 100])
    return column(rates, rings, sizing_mode="stretch_width")


def _plot(
    source: ColumnDataSource,
    label: str,
    x_range: Range,
    y_range: Range,
    lines: dict[str, tuple[str, str]],
) -> figure:
    """Return a plot with a line a column; text and axes get the page's colour in live_figure.js."""
    plot = figure(
        sizing_mode="stretch_width",
        x_range=x_range,
        y_range=y_range,
        y_axis_label=label,
        x_axis_type="datetime",
        tools="",
        toolbar_location=None,
        background_fill_alpha=0,
        border_fill_alpha=0,
        outline_line_color=None,
        min_border_left=72,  # the same for both plots, so that their times stand above each other
        min_border_right=20,
    )
    plot.axis.axis_label_text_font_style = "normal"
    plot.axis.axis_label_text_font_size = "12px"
    plot.axis.major_label_text_font_size = "12px"
    plot.axis.axis_line_alpha = 0.4
    plot.axis.major_tick_line_alpha = 0.4
    plot.axis.minor_tick_line_color = None
    plot.grid.grid_line_alpha = 0.15
    clock = "%H:%M:%S"
    plot.xaxis.formatter = DatetimeTickFormatter(
        milliseconds=clock, seconds=clock, minsec=clock, minutes=clock, hourmin=clock, hours=clock
    )
    for key, (name, color) in lines.items():
        plot.line("time", key, source=source, legend_label=name, color=color, line_width=2)
    plot.legend.orientation = "horizontal"
    plot.legend.location = "top_left"
    plot.legend.background_fill_alpha = 0
    plot.legend.border_line_color = None
    plot.legend.label_text_font_size = "12px"
    plot.legend.margin = 4
    plot.legend.spacing = 20
    plot.add_layout(plot.legend[0], "above")
    return plot
