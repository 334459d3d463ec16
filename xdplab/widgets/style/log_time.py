"""Axes of durations, in nanoseconds on a log scale."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from bokeh.models import CustomJSTickFormatter

from xdplab.core.text import duration
from xdplab.widgets.style.plots import coded_ticks

# 100 ns, 5 µs, 20 ms, 1 s.
_DURATION = """
const [size, unit] = [[1e9, " s"], [1e6, " ms"], [1e3, " µs"], [1, " ns"]]
  .find(([size]) => tick >= 0.999 * size) ?? [1, " ns"];
return `${+(tick / size).toPrecision(3)}${unit}`;
"""


class Span(NamedTuple):
    """A part of the time axis, in ns."""

    start: float
    end: float


def ticks(span: Span) -> list[float]:
    """Return the ticks of a span: powers of ten, and in a short span also 2 and 5 times those."""
    first, last = round(2 * np.log10(span.start)) / 2, round(2 * np.log10(span.end)) / 2
    steps = (1, 2, 5) if last - first <= 3 else (1,)
    powers = range(int(np.floor(first)), int(np.ceil(last)) + 1)
    marks = [step * 10.0**power for power in powers for step in steps]
    return [mark for mark in marks if span.start <= mark * 1.001 and mark <= span.end * 1.001]


def duration_ticks() -> CustomJSTickFormatter:
    """Return a formatter of an axis in nanoseconds: 100 ns, 5 µs, 20 ms."""
    return coded_ticks(_DURATION, lambda tick: duration(tick).replace(".00", "").replace(".0", ""))
