"""The heat map's colours: cividis, which looks the same to colour-blind people."""

from __future__ import annotations

import math

from bokeh.palettes import Cividis256

RAMP: tuple[str, ...] = tuple(Cividis256)
"""From the worst value to the best."""

_LOG_FROM = 30
"""If the largest value is so many times the smallest, the colour scale is logarithmic."""


def share(value: float, worst: float, best: float) -> float:
    """Return the place of a value between the worst, 0, and the best, 1."""
    if worst == best:
        return 1.0
    low, high = sorted((worst, best))
    if low > 0 and high / low > _LOG_FROM:
        value, worst, best = math.log(value), math.log(worst), math.log(best)
    return min(max((value - worst) / (best - worst), 0.0), 1.0)


def color(at: float) -> str:
    """Return the colour of a share."""
    return RAMP[round(at * (len(RAMP) - 1))]


def ink(at: float) -> str:
    """Return a text colour that is readable on the colour of a share."""
    return "#ffffff" if at < 0.55 else "#000000"
