"""Marks on plots over time, one for each change of a knob, to show cause and effect.

A figure uses `MarksFeed` as the feed of a source, and calls `add_marks` for each plot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure

from xdplab.core.text import setting, spaced
from xdplab.knobs.journal import ENGINE, Change, Journal
from xdplab.widgets.base.clock import clock_time, local_ms
from xdplab.widgets.base.feed import SnapshotFeed
from xdplab.widgets.history.labels import Label, Window, place
from xdplab.widgets.style.palette import GREY
from xdplab.widgets.style.plots import FRAME_RANGE, plates

NUMBERS, TEXTS = ("time", "drop", "beside"), ("label", "side", "detail", "clock")
"""Columns of a source of marks."""

TOGETHER_NS = 500_000_000
"""Changes of one knob at most so far apart are one mark, such as a dragged slider."""

MOST_MARKS = 200

LETTER = 6.0
"""A letter of a label, in pixels."""

_DROPS = (3.0, 18.0, 33.0)
"""Pixels from the top to each line of labels."""

_BESIDE = 5.0
"""Pixels from a mark to its label."""


class Mark(NamedTuple):
    """One or several changes of one knob."""

    time_ns: int
    """When it began, by CLOCK_MONOTONIC."""
    knob: str
    """The knob, after the prefix of its journal."""
    before: str
    after: str

    @property
    def label(self) -> str:
        """The knob and its new value."""
        return f"{self.knob} {self.after}"

    @property
    def detail(self) -> str:
        """The knob, its old value and its new value."""
        return f"{self.knob} {self.before} → {self.after}"


class Marks:
    """The marks of several journals.

    Parameters
    ----------
    journals
        Pairs of a prefix for the names of knobs and a journal.
    """

    def __init__(self, journals: Sequence[tuple[str, Journal]]) -> None:
        self._journals = journals
        self._read_at: list[int] | None = None
        self._recent: list[Mark] = []

    def newest_of_each(self) -> list[int]:
        """Return the time of each journal's last change, by CLOCK_MONOTONIC; 0 if none."""
        return [last.time_ns if (last := journal.last) else 0 for _, journal in self._journals]

    def recent(self) -> list[Mark]:
        """Return the last 200 marks, oldest first."""
        newest = self.newest_of_each()
        if newest != self._read_at:
            marks = [
                mark
                for prefix, journal in self._journals
                for mark in _marks(prefix, journal.changes)
            ]
            self._recent, self._read_at = sorted(marks)[-MOST_MARKS:], newest
        return self._recent


class MarksFeed(SnapshotFeed):
    """Feed of a live figure: a mark for each change that is in its range of time.

    Parameters
    ----------
    marks
        The marks.
    pixels
        The least width of the plots.
    """

    def __init__(self, marks: Marks, pixels: int = 270) -> None:
        super().__init__(NUMBERS, TEXTS)
        self._marks, self._pixels = marks, pixels

    def show_window(self, window: Window) -> None:
        """Show the marks of a range of time."""
        marks = [
            mark for mark in self._marks.recent() if window.start <= mark.time_ns <= window.end
        ]
        told = [(mark.time_ns, mark.label) for mark in marks]
        labels = place(told, window, self._pixels / LETTER, len(_DROPS))
        self.show(
            {
                "time": np.array([local_ms(mark.time_ns) for mark in marks]),
                "drop": np.array([_DROPS[label.line] for label in labels]),
                **beside(labels),
                "detail": [mark.detail for mark in marks],
                "clock": [clock_time(mark.time_ns) for mark in marks],
            }
        )


def beside(labels: Sequence[Label]) -> dict[str, Any]:
    """Return columns of a source with labels beside their marks, as `label_options` takes them."""
    return {
        "label": [label.text for label in labels],
        "side": [label.side for label in labels],
        "beside": np.array([_BESIDE if label.side == "left" else -_BESIDE for label in labels]),
    }


def _marks(prefix: str, changes: Sequence[Change]) -> list[Mark]:
    """Return marks, one for each group of changes that belong together."""
    dragged: list[list[Change]] = []
    last: dict[str, list[Change]] = {}
    for change in changes:
        together = last.get(change.knob)
        is_knob = change.knob != ENGINE
        if is_knob and together and change.time_ns - together[-1].time_ns <= TOGETHER_NS:
            together.append(change)
        else:
            last[change.knob] = [change]
            dragged.append(last[change.knob])
    return [
        Mark(
            together[0].time_ns,
            f"{prefix}{spaced(together[0].knob)}",
            setting(together[0].before),
            setting(together[-1].after),
        )
        for together in dragged
    ]


def marks_source(name: str) -> ColumnDataSource:
    """Return an empty source for a figure's marks, with the name of its feed."""
    return ColumnDataSource({column: [] for column in (*NUMBERS, *TEXTS)}, name=name)


def label_options(source: ColumnDataSource, font_size: str) -> dict[str, Any]:
    """Return options of `figure.text` for labels beside marks, on plates."""
    return {
        "x": "time",
        "text": "label",
        "source": source,
        "text_align": "side",
        "x_offset": "beside",
        "text_font_size": font_size,
        **plates(),
    }


def add_marks(plot: figure, source: ColumnDataSource, font_size: str | None = "10px") -> None:
    """Put marks on a plot over time: a line with a label at its top, and details on hover.

    Parameters
    ----------
    plot
        A plot over time, as `palette.styled_plot` makes it.
    source
        The `marks_source` of its figure.
    font_size
        Of the labels; None: no labels, as for a plot below another of the same times.
    """
    line: dict[str, Any] = {"x": "time", "source": source, "line_color": GREY}
    plot.vspan(**line, line_width=1, line_dash="dashed", line_alpha=0.9)
    # Wide enough to be hit with a mouse.
    target = plot.vspan(**line, line_width=9, line_alpha=0)
    if font_size is not None:
        plot.text(
            y=1,
            y_offset="drop",
            y_range_name=FRAME_RANGE,
            text_baseline="top",
            level="annotation",  # above the lines of the plot
            **label_options(source, font_size),
        )
    plot.add_tools(marks_hover(target))


def marks_hover(target: Any) -> HoverTool:
    """Return the hover of marks: the knob, its old and its new value, and the time."""
    return HoverTool(
        renderers=[target],
        mode="mouse",
        attachment="vertical",  # values are shown beside it
        tooltips="<b>@detail</b><br>@clock",
    )
