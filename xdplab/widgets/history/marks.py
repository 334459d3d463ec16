"""Marks on plots over time, one for each change of a knob, to show cause and effect.

A figure uses `MarksFeed` as the feed of a source, and calls `add_marks` for each plot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure

from xdplab.core.text import setting, spaced
from xdplab.knobs.journal import Change, Journal
from xdplab.widgets.base.clock import clock_time, local_ms
from xdplab.widgets.base.feed import Update
from xdplab.widgets.style.palette import GREY
from xdplab.widgets.style.plots import FRAME_RANGE

COLUMNS = ("time", "drop", "label", "detail", "clock")

TOGETHER_NS = 500_000_000
"""Changes of one knob at most so far apart are one mark, such as a dragged slider."""

MOST_MARKS = 200

_DROPS = (2.0, 17.0, 32.0)
"""Pixels from the top to each line of labels."""

_LETTER = 6.0
"""The widest letter of a label, in pixels."""


class Mark(NamedTuple):
    """One or several changes of one knob."""

    time_ns: int
    """When it began, by CLOCK_MONOTONIC."""
    label: str
    """The knob and its new value."""
    detail: str
    """The knob, its old value and its new value."""


class MarksFeed:
    """Feed of a live figure: a mark for each change in the journals.

    Parameters
    ----------
    journals
        Pairs of a prefix for the labels and a journal.
    pixels
        The least width of the plots. Labels without room are left out; their line remains, with
        the text on hover.
    """

    def __init__(self, journals: Sequence[tuple[str, Journal]], pixels: int = 350) -> None:
        self._journals = journals
        self._pixels = pixels
        self.seconds = 60
        """The time range of the plots."""

    def __call__(self, position: int | None) -> Update | None:
        """Return all marks if there is a new one or the time range has changed, else None."""
        now = sum(self.newest_of_each()) + self.seconds
        if now == position:
            return None
        marks = self.recent()
        lines = _lines(marks, self.seconds * 10**9 * _LETTER / self._pixels)
        return Update(
            {
                "time": np.array([local_ms(mark.time_ns) for mark in marks]),
                "drop": np.array([_DROPS[line or 0] for line in lines]),
                "label": [
                    "" if line is None else mark.label
                    for mark, line in zip(marks, lines, strict=True)
                ],
                "detail": [mark.detail for mark in marks],
                "clock": [clock_time(mark.time_ns) for mark in marks],
            },
            now,
            replace=True,
        )

    def newest_of_each(self) -> list[int]:
        """Return the time of each journal's last change, by CLOCK_MONOTONIC; 0 if none."""
        return [last.time_ns if (last := journal.last) else 0 for _, journal in self._journals]

    def recent(self) -> list[Mark]:
        """Return the last 200 marks, oldest first."""
        marks = [
            mark for prefix, journal in self._journals for mark in _marks(prefix, journal.changes)
        ]
        return sorted(marks)[-MOST_MARKS:]


def _lines(marks: Sequence[Mark], letter_ns: float) -> list[int | None]:
    """Choose a line for each label, newest first, without overlaps; None if no line is free.

    A label ends at its mark and begins as many letters before it as it has.
    """
    free_until = [math.inf] * len(_DROPS)
    lines: list[int | None] = []
    for mark in reversed(marks):
        line = next((n for n, end in enumerate(free_until) if mark.time_ns <= end), None)
        if line is not None:
            free_until[line] = mark.time_ns - (len(mark.label) + 1) * letter_ns
        lines.append(line)
    return lines[::-1]


def _marks(prefix: str, changes: Sequence[Change]) -> list[Mark]:
    """Return marks, one for each group of changes that belong together."""
    dragged: list[list[Change]] = []
    last: dict[str, list[Change]] = {}
    for change in changes:
        together = last.get(change.knob)
        if together and change.time_ns - together[-1].time_ns <= TOGETHER_NS:
            together.append(change)
        else:
            last[change.knob] = [change]
            dragged.append(last[change.knob])
    return [
        Mark(
            together[0].time_ns,
            f"{prefix}{spaced(together[0].knob)} {setting(together[-1].after)}",
            f"{prefix}{spaced(together[0].knob)} "
            f"{setting(together[0].before)} → {setting(together[-1].after)}",
        )
        for together in dragged
    ]


def marks_source(name: str) -> ColumnDataSource:
    """Return an empty source for a figure's marks, with the name of its feed."""
    return ColumnDataSource({column: [] for column in COLUMNS}, name=name)


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
            x="time",
            y=1,
            y_offset="drop",
            text="label",
            source=source,
            y_range_name=FRAME_RANGE,
            # On the left of the line, so that the newest label, at the right edge, is visible.
            text_align="right",
            text_baseline="top",
            x_offset=-4,
            text_font_size=font_size,
            text_alpha=0.85,
        )
    plot.add_tools(
        HoverTool(
            renderers=[target],
            mode="mouse",
            attachment="vertical",  # values are shown beside it
            tooltips="<b>@detail</b><br>@clock",
        )
    )
