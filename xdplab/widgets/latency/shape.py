"""A latency histogram as figures show it: bars on a log axis, percentiles, a curve of the tail."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from xdplab.telemetry.region import LATENCY_STARTS, Latency
from xdplab.widgets.style.log_time import Span

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}

FASTEST_NS, SLOWEST_NS = 100.0, 1e10
"""The range of the axis; values outside count in the first and the last bin."""

BINS_A_DECADE = 20
_DECADES = 8
_EDGES = np.geomspace(FASTEST_NS, SLOWEST_NS, _DECADES * BINS_A_DECADE + 1)
_BUCKET_EDGES = np.append(LATENCY_STARTS, np.uint64(1 << 34)).astype(np.float64)
_CURVE_POINTS_A_DECADE = 16

_LEAST_DECADES = 1.5
_LABEL_ROOM = 0.2  # of the axis, right of the slowest frame's line
_STEADY_SECONDS = 3.0

Floats = npt.NDArray[np.float64]


class Outline(NamedTuple):
    """A line to draw, point by point."""

    x: Floats
    """ns"""
    y: Floats


@dataclass(frozen=True)
class Shape:
    """The drawn parts of a histogram, computed once."""

    total: int
    """Frames."""
    percentiles: dict[str, float]
    """ns"""
    bars: Outline
    curve: Outline

    @classmethod
    def of(cls, histogram: Latency) -> Self:
        """Compute the parts."""
        return cls(histogram.total, percentiles(histogram), outline(histogram), curve(histogram))


def percentiles(histogram: Latency) -> dict[str, float]:
    """Return the nanoseconds of each of `PERCENTILES`, as `Latency.percentile` has them."""
    return {name: histogram.percentile(percent) for name, percent in PERCENTILES.items()}


def shares(histogram: Latency) -> Floats:
    """Return the percentage of the frames in each bin.

    All bins have the same width on a log axis, `BINS_A_DECADE` of them a decade. The histogram's
    own buckets are linear within an octave and far narrower. A bucket that overlaps two bins is
    divided between them, so that the shares add up to 100.
    """
    below = np.concatenate(([0.0], np.cumsum(histogram.counts, dtype=np.float64)))
    total = below[-1]
    if not total:
        return np.zeros(len(_EDGES) - 1)
    at_edges = np.interp(_EDGES, _BUCKET_EDGES, below)
    at_edges[0], at_edges[-1] = 0, total
    return np.asarray(100 * np.diff(at_edges) / total)


def outline(histogram: Latency) -> Outline:
    """Return the bars' outline, from the axis up and back down to it; empty without frames."""
    each = shares(histogram)
    occupied = np.flatnonzero(each)
    if not len(occupied):
        return Outline(np.empty(0), np.empty(0))
    first, last = occupied[0], occupied[-1] + 1
    x = np.repeat(_EDGES[first : last + 1], 2)
    y = np.concatenate(([0], np.repeat(each[first:last], 2), [0]))
    return Outline(x, y)


def curve(histogram: Latency) -> Outline:
    """Return the share of the frames that took longer, down to the slowest one.

    `x` is nanoseconds; `y` is that share, from 1 to a single frame in even steps on a log axis.
    """
    total = histogram.total
    if not total:
        return Outline(np.empty(0), np.empty(0))
    steps = int(np.ceil(np.log10(total) * _CURVE_POINTS_A_DECADE)) + 1
    y = np.geomspace(1, 1 / total, steps + 1)
    ranks = np.clip(np.ceil(total * (1 - y)), 1, total)
    ranks[-1] = total
    buckets = np.searchsorted(np.cumsum(histogram.counts), ranks)
    return Outline(np.maximum(LATENCY_STARTS[buckets], FASTEST_NS), y)


class Steady:
    """The largest of the last seconds' values, so that an axis does not change all the time."""

    def __init__(self, seconds: float = _STEADY_SECONDS) -> None:
        self._seconds = seconds
        self._seen: deque[tuple[float, float]] = deque()

    def __call__(self, value: float, now: float) -> float:
        """Add a value at a time in seconds, and return the largest."""
        while self._seen and self._seen[0][0] < now - self._seconds:
            self._seen.popleft()
        self._seen.append((now, value))
        return max(seen for _, seen in self._seen)


def wanted_span(shapes: Iterable[Shape]) -> Span:
    """Return the part of the axis that holds all frames, in half decades, with room for a label."""
    edges = [shape.bars.x[end] for shape in shapes if shape.total for end in (0, -1)]
    low, high = (np.log10(min(edges)), np.log10(max(edges))) if edges else (3.0, 5.0)
    start = np.floor(2 * low) / 2
    end = np.ceil(2 * (start + (high - start) / (1 - _LABEL_ROOM))) / 2
    return Span(float(10**start), float(10 ** max(end, start + _LEAST_DECADES)))


def round_up(value: float) -> float:
    """Return the next of 1, 2, 3, 5, 7 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(min(s * power for s in (1, 2, 3, 5, 7, 10, 20) if s * power >= value))
