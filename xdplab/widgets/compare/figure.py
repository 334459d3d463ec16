"""The comparison's plots: one bar per candidate and metric, and the rate over each run."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from bokeh.layouts import column
from bokeh.models import ColumnDataSource, FactorRange, HoverTool, LayoutDOM, Range1d
from bokeh.plotting import figure

from xdplab.widgets.style import palette, plots
from xdplab.widgets.style.scaling import Scaling

PANELS: Sequence[Mapping[str, str]] = (
    {
        "pps": "received\npackets/s",
        "lost_percent": "lost\n% of sent",
        "cpu_ns_per_packet": "CPU time\nper packet",
    },
    {
        "softirq_ns_per_packet": "softirqs\nper packet",
        "p50_ns": "latency\np50",
        "p99_ns": "latency\np99",
    },
)
"""The metrics of each of the two bar plots, from left to right, and their headings."""

BAR_ROOM = 0.55
"""The share of a panel that its longest bar takes; the rest is for the figures."""

COLORS = (
    palette.BLUE,
    palette.VERMILLION,
    palette.GREEN,
    palette.PURPLE,
    palette.ORANGE,
    palette.SKY,
    palette.GREY,
    *("#6a5acd", "#999933", "#aa3366", "#44aa99", "#a0622d"),
)
"""A colour a candidate, for up to twelve; then again with other dashes."""
HEAD = " "
"""The name of the row of headings; no candidate has this name."""

BAR_NUMBERS, BAR_TEXTS = ("left", "right", "y", "alpha"), ("color", "said")
SPREAD_NUMBERS, SPREAD_TEXTS = ("left", "right", "y"), ("color",)
WORDS_NUMBERS, WORDS_TEXTS = ("x", "y"), ("text",)
LINE_NUMBERS = ("seconds", "pps")

_SVG_DASHES = {"solid": "none", "dashed": "6 4", "dotted": "2 3", "dotdash": "2 3 6 3"}
_ROW = 26  # pixels
_NAMES = 170  # the most for names on the left
_LETTER = 7.5  # of a name
_ROOMY = 600  # width of three metrics beside each other


def look(number: int) -> tuple[str, str]:
    """Return the colour and the dash of a candidate, by its place among them."""
    return COLORS[number % len(COLORS)], palette.DASHES[number // len(COLORS) % len(palette.DASHES)]


def legend_html(names: Sequence[str]) -> str:
    """Return the candidates with their colours and dashes, in as many lines as the page needs."""
    keys = []
    for number, name in enumerate(names):
        color, dash = look(number)
        keys.append(
            '<span style="white-space: nowrap"><svg width="24" height="8" aria-hidden="true">'
            f'<line x1="0" y1="4" x2="24" y2="4" stroke="{color}" stroke-width="3" '
            f'stroke-dasharray="{_SVG_DASHES[dash]}"/></svg> {html.escape(name)}</span>'
        )
    row = "display: flex; flex-wrap: wrap; gap: 0 18px; line-height: 1.5; padding: 0 4px 4px"
    return f'<div class="xdplab-legend" style="{row}">{"".join(keys)}</div>'


def compare_figure(names: Sequence[str]) -> LayoutDOM:
    """Return the plots, with the sources that `CompareFeeds.feeds` fills.

    Parameters
    ----------
    names
        The candidates' names.
    """
    bars = [_bars(names, number) for number in range(len(PANELS))]
    return column(*bars, _lines(names), sizing_mode="stretch_width")


def _bars(names: Sequence[str], number: int) -> figure:
    plot = plots.styled_plot(
        x_axis_type="linear",
        x_range=Range1d(start=0, end=len(PANELS[number])),
        y_range=FactorRange(factors=[*reversed(names), HEAD]),
        height=_ROW * (len(names) + 1) + 12,
        min_border_left=_room(names),
    )
    plot.xaxis.visible = False
    plot.grid.visible = False
    plot.yaxis.axis_line_color = plot.yaxis.major_tick_line_color = None
    columns = {"bars": (*BAR_NUMBERS, *BAR_TEXTS), "spread": (*SPREAD_NUMBERS, *SPREAD_TEXTS)}
    columns |= {"words": (*WORDS_NUMBERS, *WORDS_TEXTS), "heads": (*WORDS_NUMBERS, *WORDS_TEXTS)}
    sources = {
        name: ColumnDataSource({each: [] for each in members}, name=f"{name} {number}")
        for name, members in columns.items()
    }
    drawn = plot.hbar(
        y="y",
        left="left",
        right="right",
        height=0.7,
        source=sources["bars"],
        fill_color="color",
        fill_alpha="alpha",
        line_color=None,
    )
    plot.hbar(
        y="y",
        left="left",
        right="right",
        height=0.24,
        source=sources["spread"],
        fill_color="color",
        line_color="white",  # so that it stands out from a bar of its own colour
    )
    scaling = Scaling(plot, _ROOMY)
    looks: dict[str, Any] = {"text_baseline": "middle", "text_line_height": 1.1}
    figures, heads = (looks | {"text_font_size": scaling.text(size)} for size in ("12px", "11px"))
    plot.text("x", "y", "text", source=sources["words"], x_offset=6, **figures)
    plot.text("x", "y", "text", source=sources["heads"], text_font_style="bold", **heads)
    scaling.follow()
    plot.add_tools(HoverTool(renderers=[drawn], tooltips="@said{safe}"))
    return plot


def _room(names: Sequence[str]) -> int:
    """Return the pixels for the names of candidates, or the ticks of the rate, on the left."""
    return min(_NAMES, max(72, round(_LETTER * max(map(len, names))) + 24))


def _lines(names: Sequence[str]) -> figure:
    plot = plots.styled_plot(
        "received, packets/s",
        x_axis_type="linear",
        height=210,
        min_border_left=_room(names),
        x_range=Range1d(start=0, end=1, name="run"),
        y_range=Range1d(start=0, end=1, name="rate"),
        x_axis_label="time in the last run, s",
    )
    plot.yaxis.formatter = plots.si_ticks()
    for number, name in enumerate(names):
        color, dash = look(number)
        source = ColumnDataSource({each: [] for each in LINE_NUMBERS}, name=f"line {number}")
        line = plot.line(
            *LINE_NUMBERS, source=source, line_color=color, line_dash=dash, line_width=2
        )
        plot.add_tools(HoverTool(renderers=[line], tooltips=f"{name}: @pps{{0,0}} packets/s"))
    return plot
