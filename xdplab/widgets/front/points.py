"""The points of the front's figure: position, size and colour of each tried setting."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    "places": ("x", "y"),
    "begin": ("x", "y"),
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
    _leave_out_without_room(sources, span, fastest)
    return Points(span, fastest, float(dearest), float(cheapest), sources)


def _leave_out_without_room(sources: dict[str, Columns], span: Span, fastest: float) -> None:
    """Empty the labels that would lie over another; the text on hover has the same."""
    taken: list[tuple[float, float, float, float]] = []
    for name, from_left, up, letter in (("places", 11, 5, 8), ("begin", -31, 20, 6.2)):
        columns = sources[name]
        texts = list(columns["text"])
        for number, text in reversed(list(enumerate(texts))):  # the best place is the last
            x, y = float(columns["x"][number]), float(columns["y"][number])
            left = _WIDTH * math.log(x / span.start) / math.log(span.end / span.start) + from_left
            low = _HEIGHT * y / fastest + up
            box = (left, low, left + letter * len(text), low + _LINE)
            if any(_overlap(box, other) for other in taken):
                texts[number] = ""
            else:
                taken.append(box)
        sources[name] = {**columns, "text": texts}


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(max(one[n], other[n]) < min(one[n + 2], other[n + 2]) for n in (0, 1))


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
