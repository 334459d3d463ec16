"""The points of the front's figure: position, size and colour of each tried setting."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xdplab.tuning.result import Tuning
from xdplab.widgets.base.feed import Columns
from xdplab.widgets.front.words import point_html
from xdplab.widgets.style import ramp
from xdplab.widgets.style.log_time import Span
from xdplab.widgets.style.palette import GREY

NUMBERS = {
    "points": ("x", "y", "size", "alpha", "edge", "row"),
    "places": ("x", "y", "right", "down"),
    "begin": ("x", "y", "right", "down"),
    "present": ("x", "y"),
}
"""The columns of each source that are numbers."""
TEXTS = {"points": ("color", "said"), "places": ("text",), "begin": ("text",), "present": ()}
"""The columns that are text."""

_COST, _RATE, _LATENCY = "cpu_ns_per_packet", "pps", "p99_ns"
_FRONT_SIZE, _SIZE = 17.0, 9.0  # pixels
_FRONT_ALPHA, _ALPHA = 1.0, 0.4
_ROOM, _EDGE = 1.6, 1.15  # factors on a log axis, beyond the outermost points
_NO_LATENCY = Span(1e3, 1e6)
_WIDTH, _HEIGHT = 350, 220  # the least pixels of the plot, up to the fastest point
_LINE = 14  # pixels of a line of text
_SAME = 0.01  # pixels between two that are one


class Points(NamedTuple):
    """The drawn points of a tuning, and the ranges of axes and colours."""

    latency: Span
    """The range of its axis, in ns."""
    fastest: float
    """The top of the other axis, in packets a second."""
    dearest: float
    """CPU times at the ends of the colour scale, in ns a packet; nan if none was measured."""
    cheapest: float
    sources: dict[str, Columns]


def points(tuning: Tuning) -> Points:
    """Compute the points, without the settings that were refused."""
    trials = tuning.trials
    # The front last, so that it lies above the others.
    front = tuning.places
    rows = [row for row in range(len(trials)) if trials[row]["runs"] and row not in front]
    rows += reversed(front)
    shown = trials[rows]
    is_front = np.array([row in front for row in rows])
    known = shown[_LATENCY][~np.isnan(shown[_LATENCY])]
    span = Span(known.min() / _ROOM, known.max() * _ROOM) if len(known) else _NO_LATENCY
    # A point without a measured latency goes to the right of all others: it is not better.
    x = np.where(np.isnan(shown[_LATENCY]), span.end / _EDGE, shown[_LATENCY])
    costs = shown[_COST][~np.isnan(shown[_COST])]
    dearest, cheapest = (costs.max(), costs.min()) if len(costs) else (np.nan, np.nan)
    places = {row: place for place, row in enumerate(front)}
    sources: dict[str, Columns] = {
        "points": {
            "x": x,
            "y": shown[_RATE],
            "size": np.where(is_front, _FRONT_SIZE, _SIZE),
            "alpha": np.where(is_front, _FRONT_ALPHA, _ALPHA),
            "edge": np.where(is_front, _FRONT_ALPHA, _ALPHA),
            "row": np.array(rows, float),
            "color": [_color(cost, dearest, cheapest) for cost in shown[_COST]],
            "said": [point_html(tuning, row, places.get(row)) for row in rows],
        },
        "places": {
            "x": x[is_front],
            "y": shown[_RATE][is_front],
            "text": [str(places[row]) for row in rows if row in places],
        },
        "begin": {**at(x, shown[_RATE], rows, [0]), "text": ["began here"] if 0 in rows else []},
        "present": at(x, shown[_RATE], rows, []),
    }
    fastest = float(shown[_RATE].max()) or 1.0
    _place_labels(sources, span, fastest)
    return Points(span, fastest, float(dearest), float(cheapest), sources)


def _place_labels(sources: dict[str, Columns], span: Span, fastest: float) -> None:
    """Put each label where it lies over nothing, or at least over no other label and large point.

    One that has no such place is left out; the text on hover has the same.
    """

    def pixels(columns: Columns) -> list[tuple[float, float]]:
        across = math.log(span.end / span.start)
        return [
            (_WIDTH * math.log(x / span.start) / across, _HEIGHT * y / fastest)
            for x, y in zip(columns["x"], columns["y"], strict=True)
        ]

    marks = sources["points"]
    discs = [
        (_Box(x - size / 2, y - size / 2, x + size / 2, y + size / 2), size)
        for (x, y), size in zip(pixels(marks), np.asarray(marks["size"], float), strict=True)
    ]
    taken: list[_Box] = []
    for name, letter in (("places", 8), ("begin", 6.2)):
        columns = sources[name]
        texts = list(columns["text"])
        moves = np.zeros((2, len(texts)))
        points = pixels(columns)
        for number in reversed(range(len(texts))):  # the best place is the last
            x, y = points[number]
            others = [(disc, size) for disc, size in discs if not disc.has(x, y)]
            width = letter * len(texts[number])
            spots = [(move, _around(x, y, move, width)) for move in _moves(width)]
            everything = [disc for disc, _size in others]
            large = [disc for disc, size in others if size == _FRONT_SIZE]
            for avoided in (everything, large):
                free = [
                    move for move, box in spots if not any(map(box.overlaps, [*taken, *avoided]))
                ]
                if free:
                    moves[:, number] = free[0]
                    taken.append(_around(x, y, free[0], width))
                    break
            else:
                texts[number] = ""
        sources[name] = {**columns, "text": texts, "right": moves[0], "down": -moves[1]}


def _moves(width: float) -> list[tuple[float, float]]:
    """Return where the bottom middle of a label may be: pixels right of its point, and above."""
    side = 11 + width / 2
    return [
        (side, 3), (side, -16), (-side, 3), (-side, -16), (0, 10), (0, -10 - _LINE),
    ]  # fmt: skip


def _around(x: float, y: float, move: tuple[float, float], width: float) -> _Box:
    middle, low = x + move[0], y + move[1]
    return _Box(middle - width / 2, low, middle + width / 2, low + _LINE)


class _Box(NamedTuple):
    left: float
    low: float
    right: float
    high: float

    def overlaps(self, other: _Box) -> bool:
        """Tell whether two boxes have a part in common."""
        return max(self.left, other.left) < min(self.right, other.right) and max(
            self.low, other.low
        ) < min(self.high, other.high)

    def has(self, x: float, y: float) -> bool:
        """Tell whether a point is its middle."""
        middle = (self.left + self.right) / 2, (self.low + self.high) / 2
        return math.dist(middle, (x, y)) < _SAME


def at(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], rows: list[int], wanted: list[int]
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the positions of some rows of the trials."""
    chosen = [place for place, row in enumerate(rows) if row in wanted]
    return {"x": x[chosen], "y": y[chosen]}


def _color(cost: float, dearest: float, cheapest: float) -> str:
    if np.isnan(cost):
        return GREY
    return ramp.color(ramp.share(cost, dearest, cheapest))
