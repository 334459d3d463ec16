"""The dashboard's figure: plots over time, drawn from the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bokeh.models import (
    BasicTicker,
    ColumnDataSource,
    CrosshairTool,
    DataRange1d,
    DatetimeTicker,
    FixedTicker,
    LayoutDOM,
    Range1d,
)
from bokeh.models.annotations import Span
from bokeh.plotting import figure

from xdplab.widgets.history.bins import of_bins
from xdplab.widgets.history.feed import COLUMNS
from xdplab.widgets.history.hover import TimeHover
from xdplab.widgets.history.marks import add_marks, marks_source
from xdplab.widgets.history.window import window_range
from xdplab.widgets.style.palette import BLUE, DASHES, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from xdplab.widgets.style.plots import legend_above, plot_grid, si_ticks, styled_plot

MARKS = "marks"
"""Name of the data source of the marks."""

_HEIGHT, _COMPACT_HEIGHT = 156, 112
_TIMES_HEIGHT = 24  # added to the bottom plots, which have a time axis
# Widths of two lines that often coincide, so that both are visible.
_UNDER, _OVER = 2.6, 1.2
_COLUMNS = 2
_BAND_ALPHA = 0.25
_LOG_REACH = [1, 1000]  # is always in view
_LOG_TICKS = [1, 100, 10_000, 1_000_000, 100_000_000]  # up to a packet each ten seconds


class Line(NamedTuple):
    """One figure of the rows: its mean as a line, in a band from its least to its most."""

    label: str
    color: str
    width: float = 2


class Plot(NamedTuple):
    """One plot: its lines by figure, and its y axis."""

    title: str
    lines: Mapping[str, Line]
    unit: str
    y_axis: Mapping[str, Any]


def _from_zero(least: float) -> dict[str, Any]:
    """Return options for a y axis that begins at 0 and reaches at least `least`."""
    return {"y_range": DataRange1d(start=0, min_interval=least)}


def _plots() -> dict[str, Plot]:
    return {
        "rate": Plot(
            "packets a second",
            {"received": Line("in", BLUE, _UNDER), "sent": Line("out", ORANGE, _OVER)},
            "pps",
            _from_zero(10),
        ),
        "bits": Plot(
            "bits a second",
            {"bits_in": Line("in", BLUE, _UNDER), "bits_out": Line("out", ORANGE, _OVER)},
            "bit/s",
            _from_zero(1000),
        ),
        "cpu": Plot(
            "CPU nanoseconds a packet",
            {
                "user": Line("user", GREEN),
                "system": Line("system", VERMILLION),
                "idle": Line("idle", SKY),
                "sqpoll": Line("SQPOLL thread", PURPLE),
            },
            "ns",
            # Empty polls are a thousand times dearer than packets where these are few.
            {"y_axis_type": "log", "y_range": DataRange1d(start=1)},
        ),
        "drops": Plot(
            "drops a second",
            {
                "ring_full": Line("RX ring full", VERMILLION),
                "no_fill": Line("no fill", PURPLE),
                "too_long": Line("too long", ORANGE),
                "invalid": Line("invalid", GREY),
            },
            "pps",
            _from_zero(10),
        ),
        "rings": Plot(
            "% of each ring",
            {
                "rx": Line("RX, peak", GREEN),
                "fill": Line("fill", PURPLE),
                "tx": Line("TX", ORANGE),
                "completion": Line("completion", SKY),
            },
            "%",
            {"y_range": Range1d(start=0, end=104)},
        ),
        "wakeups": Plot(
            "wakeups and system calls a second",
            {
                "syscalls": Line("system calls", VERMILLION, _UNDER),
                "wakeups": Line("wakeups", GREEN, _OVER),
            },
            "",
            _from_zero(10),
        ),
    }


PLOTS = tuple(_plots())
"""The names of all plots, in their order."""


def rows_name(number: int) -> str:
    """Return the name of the source of an engine's rows, counted from 0."""
    return f"rows {number}"


def dashboard_figure(
    engines: Sequence[str], plots: Sequence[str] = PLOTS, *, compact: bool = False
) -> LayoutDOM:
    """Return the dashboard's plots.

    Parameters
    ----------
    engines
        The engines' names on hover. Their lines differ in dash, and each engine has a source of
        rows (`rows_name`) with the columns of `history.rows.COLUMNS`.
    plots
        Names of plots, from `PLOTS`.
    compact
        Whether the plots are lower.
    """
    sources = [
        ColumnDataSource({column: [] for column in COLUMNS}, name=rows_name(number))
        for number in range(len(engines))
    ]
    marks = marks_source(MARKS)
    window = window_range()
    # All plots share one line, so that it shows the same moment in each.
    hover = TimeHover(sources, engines)
    crosshair = Span(dimension="height", line_color=GREY, line_alpha=0.8, line_dash="dotted")
    height = _COMPACT_HEIGHT if compact else _HEIGHT
    known = _plots()
    shown = []
    for place, plot in enumerate(known[name] for name in plots):
        at_bottom = place + _COLUMNS >= len(plots)
        drawn = styled_plot(
            title=plot.title,
            x_range=window,
            height=height + at_bottom * _TIMES_HEIGHT,
            min_border_left=58,
            min_border_right=14,
            min_border_bottom=8,
            **plot.y_axis,
        )
        drawn.xaxis.visible = at_bottom
        drawn.xaxis.ticker = DatetimeTicker(desired_num_ticks=4)
        _draw_lines(drawn, plot, sources)
        hover.add(
            drawn, {key: (line.label, line.color) for key, line in plot.lines.items()}, plot.unit
        )
        add_marks(drawn, marks, "10px" if place < _COLUMNS else None)
        drawn.add_tools(CrosshairTool(overlay=crosshair))
        shown.append(drawn)
    return plot_grid(shown, _COLUMNS)


def _draw_lines(drawn: figure, plot: Plot, sources: Sequence[ColumnDataSource]) -> None:
    for number, source in enumerate(sources):
        dash = DASHES[number % len(DASHES)]
        for name, line in plot.lines.items():
            mean, least, most = of_bins(name)
            drawn.varea(
                "time",
                least,
                most,
                source=source,
                fill_color=line.color,
                fill_alpha=_BAND_ALPHA,
            )
            # Colours mean the same for all engines: the legend has them once.
            options: dict[str, Any] = {"legend_label": line.label} if number == 0 else {}
            drawn.line(
                "time",
                mean,
                source=source,
                color=line.color,
                line_width=line.width,
                line_dash=dash,
                **options,
            )
    if plot.unit == "%":
        drawn.yaxis.ticker = FixedTicker(ticks=[0, 25, 50, 75, 100])
    else:
        drawn.yaxis.formatter = si_ticks()
        drawn.yaxis.ticker = BasicTicker(desired_num_ticks=4)
    if plot.y_axis.get("y_axis_type") == "log":
        drawn.yaxis.ticker = FixedTicker(ticks=_LOG_TICKS)
        drawn.line([0, 1], _LOG_REACH, line_alpha=0)
    legend_above(
        drawn,
        label_text_font_size="11px",
        spacing=12,
        padding=0,
        margin=0,
        glyph_width=14,
        glyph_height=14,
        label_height=14,
        label_standoff=4,
    )
