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
from xdplab.widgets.history.generator import COLUMNS as GENERATOR_COLUMNS
from xdplab.widgets.history.hover import TimeHover
from xdplab.widgets.history.marks import add_marks, marks_source
from xdplab.widgets.history.window import window_range
from xdplab.widgets.style.palette import (
    COMPLETION,
    DASHES,
    ENGINES,
    FILL,
    GENERATED,
    GREY,
    IDLE,
    INVALID,
    KERNEL_THREAD,
    LOST,
    RECEIVED,
    SENT,
    SYSTEM,
    TOO_LONG,
    USER,
)
from xdplab.widgets.style.plots import legend_above, plot_grid, si_ticks, styled_plot, trace

MARKS, GENERATOR = "marks", "generator"
"""Names of the data sources of the marks and of a generator's rows."""

_MADE = {"made": ("generator", "solid"), "asked": ("asked", "dashed")}

_HEIGHT, _COMPACT_HEIGHT = 156, 112
_TIMES_HEIGHT = 24  # added to the bottom plots, which have a time axis
_SOLID = ("solid",) * len(DASHES)
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
            {"received": Line("in", RECEIVED, _OVER), "sent": Line("out", SENT, _UNDER)},
            "pps",
            _from_zero(10),
        ),
        "bits": Plot(
            "bits a second",
            {"bits_in": Line("in", RECEIVED, _OVER), "bits_out": Line("out", SENT, _UNDER)},
            "bit/s",
            _from_zero(1000),
        ),
        "cpu": Plot(
            "CPU nanoseconds a packet",
            {
                "user": Line("user", USER),
                "system": Line("system", SYSTEM),
                "idle": Line("idle", IDLE),
                "sqpoll": Line("SQPOLL thread", KERNEL_THREAD),
            },
            "ns",
            # Empty polls are a thousand times dearer than packets where these are few.
            {"y_axis_type": "log", "y_range": DataRange1d(start=1)},
        ),
        "drops": Plot(
            "drops a second",
            {
                "ring_full": Line("RX ring full", LOST),
                "no_fill": Line("no fill", FILL),
                "too_long": Line("too long", TOO_LONG),
                "invalid": Line("invalid", INVALID),
            },
            "pps",
            _from_zero(10),
        ),
        "rings": Plot(
            "% of each ring",
            {
                "rx": Line("RX, peak", RECEIVED, _OVER),
                "fill": Line("fill", FILL, _UNDER),
                "tx": Line("TX", SENT),
                "completion": Line("completion", COMPLETION),
            },
            "%",
            {"y_range": Range1d(start=0, end=104)},
        ),
        "wakeups": Plot(
            "wakeups and system calls a second",
            {
                "wakeups": Line("wakeups", IDLE, _OVER),
                "syscalls": Line("system calls", SYSTEM, _UNDER),
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
    engines: Sequence[str],
    plots: Sequence[str] = PLOTS,
    *,
    compact: bool = False,
    generator: bool = False,
) -> LayoutDOM:
    """Return the dashboard's plots.

    Parameters
    ----------
    engines
        The engines' names on hover. The lines of several differ in colour, and each engine has a
        source of rows (`rows_name`) with the columns of `history.feed.COLUMNS`.
    plots
        Names of plots, from `PLOTS`.
    compact
        Whether the plots are lower.
    generator
        Whether the plot "rate" shows the rows of a generator, too.
    """
    sources = [
        ColumnDataSource({column: [] for column in COLUMNS}, name=rows_name(number))
        for number in range(len(engines))
    ]
    marks = marks_source(MARKS)
    window = window_range()
    # All plots share one line, so that it shows the same moment in each.
    made = ColumnDataSource({column: [] for column in GENERATOR_COLUMNS}, name=GENERATOR)
    hover = TimeHover([*sources, made], engines)
    crosshair = Span(dimension="height", line_color=GREY, line_alpha=0.8, line_dash="dotted")
    height = _COMPACT_HEIGHT if compact else _HEIGHT
    known = _plots()
    shown = []
    for place, name in enumerate(plots):
        plot = known[name]
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
        has_generator = generator and name == "rate"
        if has_generator:
            _draw_generator(drawn, made)
        _draw_lines(drawn, plot, sources)
        hover.add(
            drawn,
            {
                key: (line.label, GREY if len(engines) > 1 else line.color)
                for key, line in plot.lines.items()
            },
            plot.unit,
            {key: (label, GENERATED) for key, (label, _) in _MADE.items()} if has_generator else {},
        )
        add_marks(drawn, marks, "10px" if place < _COLUMNS else None)
        drawn.add_tools(CrosshairTool(overlay=crosshair))
        shown.append(drawn)
    return plot_grid(shown, _COLUMNS)


def _draw_generator(drawn: figure, source: ColumnDataSource) -> None:
    for column, (label, dash) in reversed(_MADE.items()):
        drawn.line(
            "time",
            column,
            source=source,
            color=GENERATED,
            line_width=_UNDER,
            line_dash=dash,
            legend_label=label,
            **trace(),
        )


def _draw_lines(drawn: figure, plot: Plot, sources: Sequence[ColumnDataSource]) -> None:
    """Draw bands below all lines, and of these the first of a plot above the others."""
    several = len(sources) > 1
    lines = [
        (source, name, line, ENGINES[place % len(ENGINES)] if several else line.color, dash)
        for place, source in enumerate(sources)
        for (name, line), dash in zip(
            plot.lines.items(), DASHES if several else _SOLID, strict=False
        )
    ][::-1]
    for source, name, _, color, _ in lines:
        _, least, most = of_bins(name)
        drawn.varea(
            "time",
            least,
            most,
            source=source,
            fill_color=color,
            fill_alpha=_BAND_ALPHA,
            **trace(),
        )
    for source, name, line, color, dash in lines:
        # Lines mean the same for all engines: the legend has them once.
        options: dict[str, Any] = {"legend_label": line.label} if source is sources[0] else {}
        drawn.line(
            "time",
            name,
            source=source,
            color=color,
            line_width=line.width,
            line_dash=dash,
            **trace(),
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
    legend: Any = drawn.legend[0]
    legend.items = legend.items[::-1]
    if several:  # whose colours are the engines'
        for item in legend.items[: len(plot.lines)]:
            item.renderers[0].glyph.line_color = GREY
