"""The layout of a flow: pixels upwards, and one unit along it between two counting points.

The stream runs from left to right. Each stretch keeps its height above the ground all the way:
those that leave first are at the bottom, those that join last on top, so a way out never crosses
the stream. A way out bends down to a row of its own, the first one to the lowest row, so ways out
and their words never cross each other either.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import inf
from typing import NamedTuple

import numpy as np

from xdplab.core.text import percent
from xdplab.widgets.ledger.flow import CountingPoint, Flow, Kind, Way
from xdplab.widgets.parts.bands import Band, Floats, Interval

THINNEST = 4.0
"""Least width in pixels. Above it, widths are in proportion to the packets."""

STREAM_HEIGHT = 110.0
"""Pixels of all stretches together, unless there are too many thin ones."""

LINE = 16.0
"""Pixels of a line of text."""

_JOIN, _LEAVE, _LAND = 0.5, 0.56, 0.86  # where between two counting points
_STUB = 0.14  # length of a joining band before it joins
_DROP = 22.0  # from the stream down to the first row
_ROW_GAP = 6.0
_ABOVE = 10.0  # the highest words
_POINT_CHARACTERS, _WAY_CHARACTERS = 13, 19  # of a line of text
_MANY_POINTS, _FEW_CHARACTERS = 7, 10  # so many points have shorter lines above them


class Words(NamedTuple):
    """A text and its anchor; which point of the text that is depends on the kind of text."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Layout:
    """All parts of a drawn flow."""

    bands: list[Band]
    """Ways in and out, except the first counting point's packets and the end of the stream."""
    steps: list[tuple[float, Interval]]
    """The stream's interval from each place to the next; it ends at the last place."""
    point_words: list[Words]
    """Words above counting points: centred, upwards from `y`."""
    in_words: list[Words]
    """Words of joining bands: to the right of the top of their leader."""
    leaders: list[tuple[float, Interval]]
    """Lines from joining bands up to their words."""
    out_words: list[Words]
    """Words of leaving bands: to the right, centred at `y`."""
    reach: Interval
    """The extent of the whole drawing."""

    def stream_at(self, x: float) -> Interval:
        """Return the stream's interval at a place along it."""
        return next(place for start, place in reversed(self.steps) if start <= x)

    def stream_outline(self) -> tuple[Floats, Floats]:
        """Return the corners of the stream's shape."""
        x, low, high = [], [], []
        for (start, place), (end, _) in pairwise(self.steps):
            x += [start, end]
            low += [place.low] * 2
            high += [place.high] * 2
        return np.array(x + x[::-1]), np.array(high + low[::-1])


def lay_out(flow: Flow) -> Layout:
    """Return the layout of a flow."""
    heights = list(accumulate(_widths(flow), initial=0.0))
    ins = _places(heights, [stretch.way_in for stretch in flow.stretches])
    outs = _places(heights, [stretch.way_out for stretch in flow.stretches])
    joining = [way for way in zip(flow.ways_in, ins, strict=True) if way[0].kind != Kind.STREAM]
    leaving = [way for way in zip(flow.ways_out, outs, strict=True) if way[0].kind != Kind.STREAM]

    last = len(flow.points) - 1
    above = [_point_text(point, last + 1) for point in flow.points]
    end = last + (_LAND if any(way.after == last for way, _ in leaving) else 0.0)
    top = max(heights[-1], THINNEST)
    words_ground = top + 8 + max(map(_lines, above)) * LINE
    bands, in_words, leaders = _lay_ways_in(joining, words_ground)
    bands_out, out_words, ground = _lay_ways_out(leaving)
    return Layout(
        bands=bands + bands_out,
        steps=_steps(flow, heights, end),
        point_words=[Words(number, top + 8, text) for number, text in enumerate(above)],
        in_words=in_words,
        leaders=leaders,
        out_words=out_words,
        reach=Interval(ground, words_ground + (len(joining) + 0.5) * LINE + _ABOVE),
    )


def _widths(flow: Flow) -> list[float]:
    packets = [stretch.packets for stretch in flow.stretches]
    room = STREAM_HEIGHT - THINNEST * len(packets)
    scale = max(room, 0) / max(sum(packets), 1)
    return [max(THINNEST, scale * count) for count in packets]


def _places(heights: list[float], ways: list[int]) -> list[Interval]:
    """Return the interval of each way, whose stretches lie side by side."""
    first = [ways.index(way) for way in sorted(set(ways))]
    return [Interval(heights[a], heights[b]) for a, b in pairwise([*first, len(ways)])]


def _steps(flow: Flow, heights: list[float], end: float) -> list[tuple[float, Interval]]:
    came = [max(flow.ways_in[each.way_in].after + _JOIN, 0) for each in flow.stretches]
    goes = [_leaves_at(flow.ways_out[each.way_out]) for each in flow.stretches]
    places = sorted({0.0, *came, *(x for x in goes if x < end), end})
    return [
        (x, Interval(heights[sum(g <= x for g in goes)], heights[sum(c <= x for c in came)]))
        for x in places
    ]


def _leaves_at(way: Way) -> float:
    return inf if way.kind == Kind.STREAM else way.after + _LEAVE


def _lay_ways_in(
    joining: list[tuple[Way, Interval]], words_ground: float
) -> tuple[list[Band], list[Words], list[tuple[float, Interval]]]:
    bands, words, leaders = [], [], []
    for number, (way, place) in enumerate(joining):
        x = way.after + _JOIN
        bands.append(Band(way.kind, x - _STUB, x, place, place))
        # A band further left has its words higher, so that no line crosses other words.
        y = words_ground + (len(joining) - number) * LINE
        words.append(Words(x, y, f"{way.name} {way.packets:,}"))
        leaders.append((x, Interval(place.high, y + LINE / 2)))
    return bands, words, leaders


def _lay_ways_out(
    leaving: list[tuple[Way, Interval]],
) -> tuple[list[Band], list[Words], float]:
    bands, words, ground = [], [], -_DROP
    for way, place in reversed(leaving):
        text = _way_text(way)
        row = max(place.width, _lines(text) * LINE)
        middle = ground - row / 2
        lands = Interval(middle - place.width / 2, middle + place.width / 2)
        bands.append(Band(way.kind, way.after + _LEAVE, way.after + _LAND, place, lands))
        words.append(Words(way.after + _LAND, middle, text))
        ground -= row + _ROW_GAP
    return bands, words, ground


def _point_text(point: CountingPoint, points: int) -> str:
    characters = _FEW_CHARACTERS if points >= _MANY_POINTS else _POINT_CHARACTERS
    return "\n".join([*textwrap.wrap(point.name, characters), f"{point.packets:,}"])


def _way_text(way: Way) -> str:
    name = f"lost: {way.name}" if way.kind == Kind.LOST else way.name
    share = f" ({percent(way.packets / way.whole)})" if way.whole >= way.packets else ""
    return "\n".join([*textwrap.wrap(name, _WAY_CHARACTERS), f"{way.packets:,}{share}"])


def _lines(text: str) -> int:
    return text.count("\n") + 1
