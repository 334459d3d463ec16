"""The rows of a timeline: a lane for each knob that was changed, and its changes in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xdplab.widgets.base.clock import clock_time, local_ms
from xdplab.widgets.base.feed import SnapshotFeed
from xdplab.widgets.history.labels import Label, Window, place
from xdplab.widgets.history.marks import LETTER, Mark, Marks, beside

CHANGE_NUMBERS = ("time", "top", "bottom", "beside")
CHANGE_TEXTS = ("label", "side", "detail", "clock")
NAME_NUMBERS, NAME_TEXTS = ("time", "top"), ("name",)
"""Columns of the sources of changes and of names."""

_PIXELS = 400  # the least width of the strip

# In units of a lane, from its top.
_NAME, _TICK = 0.06, 0.45


class LanesFeed(SnapshotFeed):
    """Feed of the changes in a range of time, each in the lane of its knob.

    Parameters
    ----------
    marks
        The marks.
    """

    def __init__(self, marks: Marks) -> None:
        super().__init__(CHANGE_NUMBERS, CHANGE_TEXTS)
        self._marks = marks
        self.names = SnapshotFeed(NAME_NUMBERS, NAME_TEXTS)
        """Feed of the lanes' names, at the left edge of the range."""

    @property
    def knobs(self) -> list[str]:
        """The knobs that have a lane, in the order of their first changes."""
        return list(dict.fromkeys(mark.knob for mark in self._marks.recent()))

    def show_window(self, window: Window) -> None:
        """Show the changes in a range of time."""
        knobs = self.knobs
        marks = [
            mark for mark in self._marks.recent() if window.start <= mark.time_ns <= window.end
        ]
        labels = _labels(marks, window)
        tops = np.array([float(knobs.index(mark.knob)) for mark in marks])
        self.show(
            {
                "time": np.array([local_ms(mark.time_ns) for mark in marks]),
                "top": tops + _TICK,
                "bottom": tops + 1,
                **beside(labels),
                "detail": [mark.detail for mark in marks],
                "clock": [clock_time(mark.time_ns) for mark in marks],
            }
        )
        self.names.show(
            {
                "time": np.full(len(knobs), local_ms(window.start)),
                "top": np.array([place + _NAME for place in range(len(knobs))]),
                "name": knobs,
            }
        )


def _labels(marks: Sequence[Mark], window: Window) -> list[Label]:
    """Return a label with the new value for each mark; those of a lane keep clear of each other."""
    labels: dict[Mark, Label] = {}
    for knob in {mark.knob for mark in marks}:
        in_lane = [mark for mark in marks if mark.knob == knob]
        told = [(mark.time_ns, mark.after) for mark in in_lane]
        labels |= zip(in_lane, place(told, window, _PIXELS / LETTER, 1), strict=True)
    return [labels[mark] for mark in marks]
