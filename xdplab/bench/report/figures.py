"""The figures of a benchmark's report, made from its table's columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from bokeh.models import ColumnDataSource, FactorRange, Range1d

from xdplab.bench.report.report import Column, Entry, number
from xdplab.widgets.style.palette import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY
from xdplab.widgets.style.plots import legend_above, si_ticks, styled_plot

if TYPE_CHECKING:
    from bokeh.plotting import figure

    from xdplab.bench.benchmark import Benchmark

_ROW_PIXELS, _FRAME_PIXELS = 30, 100
_BAR = 0.7  # of a row
_ROOM = 1.15  # times the longest bar, with room for its number

_UNDIVIDED = "cpu_ns_per_packet"
_WORDS = {
    "user_ns_per_packet": ("at its packets", BLUE),
    "idle_ns_per_packet": ("empty polls", SKY),
    "sys_ns_per_packet": ("system calls", ORANGE),
    "softirq_ns_per_packet": ("softirqs", GREEN),
    "sqpoll_ns_per_packet": ("submission thread", PURPLE),
    _UNDIVIDED: ("a peer's threads", GREY),
}


def figures(benchmark: Benchmark, result: Mapping[str, Any]) -> list[figure]:
    """Draw a result: bars of its main figure with their spread, and the CPU time per packet.

    Parameters
    ----------
    benchmark
        The benchmark.
    result
        Its result.

    Returns
    -------
    list of figure
        The figures of each group of entries, without empty ones.
    """
    plots = []
    for group, members in groupby(result["entries"], benchmark.group):
        entries = [entry for entry in members if entry["status"] == "measured"]
        heading = f", {group}" if group else ""
        for title, column in _drawn(benchmark):
            if any(entry.get(str(column.figure)) for entry in entries):
                plots.append(_bars(f"{title}{heading}", column, entries))
        if any(_part(entry, name) for entry in entries for name in _WORDS):
            plots.append(_stack(f"ns a packet{heading}", entries))
    return plots


def _drawn(benchmark: Benchmark) -> Iterator[tuple[str, Column]]:
    """Yield the columns to draw as bars, each with its title."""
    shown = [c for c in benchmark.columns if c.figure and c.figure not in _WORDS]
    yield f"{benchmark.title}: {' '.join(shown[0].heading.split())}", shown[0]
    yield from ((column.drawn, column) for column in shown[1:] if column.drawn)


def _bars(title: str, column: Column, entries: Sequence[Entry]) -> figure:
    """Draw a bar for each entry's median, and a line from its least to its most."""
    name = str(column.figure)
    measured = [entry for entry in entries if entry.get(name)]
    spreads = [entry[name] for entry in measured]
    ends = {
        end: [spread[end] / column.scale for spread in spreads]
        for end in ("median", "least", "most")
    }
    plot = _rows(title, measured, max(ends["most"]))
    source = ColumnDataSource(
        {
            "name": _names(measured),
            **ends,
            "text": [f" {column.show(entry)}" for entry in measured],
        }
    )
    plot.hbar(y="name", right="median", height=_BAR, source=source, color=BLUE, alpha=0.8)
    plot.segment(
        x0="least", x1="most", y0="name", y1="name", source=source, color=ORANGE, line_width=2
    )
    _numbers(plot, source, "most")
    return plot


def _stack(title: str, entries: Sequence[Entry]) -> figure:
    """Draw each entry's CPU time per packet, divided by its parts."""
    parts = {name: [_part(entry, name) for entry in entries] for name in _WORDS}
    totals = [sum(values) for values in zip(*parts.values(), strict=True)]
    plot = _rows(title, entries, max(totals))
    left = [0.0] * len(entries)
    for name, values in parts.items():
        if not any(values):
            continue
        right = [start + value for start, value in zip(left, values, strict=True)]
        source = ColumnDataSource({"name": _names(entries), "left": left, "right": right})
        words, color = _WORDS[name]
        plot.hbar(
            y="name",
            left="left",
            right="right",
            height=_BAR,
            source=source,
            color=color,
            alpha=0.8,
            legend_label=words,
        )
        left = right
    told = [f" {number(total)}" if total else "" for total in totals]
    source = ColumnDataSource({"name": _names(entries), "total": totals, "text": told})
    _numbers(plot, source, "total")
    legend_above(plot)
    return plot


def _part(entry: Entry, name: str) -> float:
    if name == _UNDIVIDED and entry.get("user_ns_per_packet"):
        return 0.0  # its parts are drawn
    spread = entry.get(name)
    return float(spread["median"]) if spread else 0.0


def _names(entries: Sequence[Entry]) -> list[str]:
    return [entry["name"] for entry in entries]


def _rows(title: str, entries: Sequence[Entry], most: float) -> figure:
    names = _names(entries)
    plot = styled_plot(
        title=title,
        x_axis_type="linear",
        x_range=Range1d(start=0, end=_ROOM * most or 1),
        y_range=FactorRange(factors=names[::-1]),
        height=_FRAME_PIXELS + _ROW_PIXELS * len(names),
        min_border_left=190,
    )
    plot.xaxis.formatter = si_ticks()
    plot.ygrid.visible = False
    return plot


def _numbers(plot: figure, source: ColumnDataSource, at: str) -> None:
    plot.text(
        x=at,
        y="name",
        text="text",
        source=source,
        text_baseline="middle",
        text_font_size="12px",
    )
