"""Where the labels of marks stand on a plot over time, so that none covers another or is cut off.

A label stands right of its mark, or left of it where the plot would cut it off. Where none of the
lines for labels has room, the marks are folded: the next newer label counts them, as in
"batch 256 +3". So each mark is named or counted, and the newest is always named.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

_ROOM = 5
"""Letters that a label needs beside its text: for " +99", and its distance to the next."""


class Window(NamedTuple):
    """A range of time in a plot, by CLOCK_MONOTONIC in ns."""

    start: int
    end: int


class Label(NamedTuple):
    """The label of a mark."""

    text: str = ""
    """Nothing if another label counts the mark."""
    line: int = 0
    side: str = "left"
    """The end of the text that is at the mark: "left" or "right", as Bokeh aligns it."""


def place(
    marks: Sequence[tuple[int, str]], window: Window, letters: float, lines: int
) -> list[Label]:
    """Place labels.

    Parameters
    ----------
    marks
        Times in the window, oldest first, and texts.
    window
        The range of the plot.
    letters
        How many letters are as wide as the plot.
    lines
        How many lines of labels the plot has.
    """
    letter = (window.end - window.start) / letters
    begins = [math.inf] * lines  # of the label that is furthest on the left on each line
    labels: list[Label] = []
    counts = [0] * len(marks)  # of what is folded into each label
    newer = 0
    for number, (time, text) in enumerate(reversed(marks)):
        right, left = (window.end - time) / letter, (time - window.start) / letter
        short = _shortened(text, max(right, left) - _ROOM)
        width = (len(short) + _ROOM) * letter
        side = "left" if time + width <= window.end or right >= left else "right"
        begin = time if side == "left" else time - width
        line = next((n for n, at in enumerate(begins) if begin + width <= at), None)
        if line is None:
            counts[newer] += 1
            labels.append(Label())
        else:
            newer, begins[line] = number, begin
            labels.append(Label(short, line, side))
    counted = zip(labels, counts, strict=True)
    return [
        label._replace(text=f"{label.text} +{count}") if count else label
        for label, count in counted
    ][::-1]


def _shortened(text: str, letters: float) -> str:
    most = max(int(letters), 1)
    return text if len(text) <= most else f"{text[: most - 1]}…"
