"""Bands of a flow of packets, which bend from one height to another: their shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xdplab.widgets.base.feed import Columns

_POINTS = 24  # of a bend

Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """An interval across the flow, in pixels upwards."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """The thickness of what is drawn there."""
        return self.high - self.low


@dataclass(frozen=True)
class Band:
    """A stretch of a flow that bends from one height to another."""

    kind: str
    """The name of the source of its kind."""
    start: float
    """Its beginning, along the flow."""
    end: float
    begins: Interval
    """Its interval across the flow, at `start`."""
    ends: Interval
    """Its interval across the flow, at `end`."""

    def at(self, x: float) -> Interval:
        """Return its interval at a place between its ends."""
        t = (x - self.start) / (self.end - self.start)
        bend = t * t * (3 - 2 * t)  # level at both ends
        low = self.begins.low + (self.ends.low - self.begins.low) * bend
        return Interval(low, low + self.begins.width)

    def outline(self) -> tuple[Floats, Floats]:
        """Return the corners of its shape: places along the flow and across it."""
        along = np.linspace(self.start, self.end, 2 if self.begins == self.ends else _POINTS)
        across = [self.at(float(x)) for x in along]
        low, high = ([each[side] for each in across] for side in (0, 1))
        return np.concatenate((along, along[::-1])), np.array(high + low[::-1])


def patches(bands: Sequence[Band]) -> Columns:
    """Return the outlines of the bands, separated by NaN."""
    apart = np.array([np.nan])
    x: list[Floats] = []
    y: list[Floats] = []
    for band in bands:
        along, across = band.outline()
        x += [along, apart]
        y += [across, apart]
    return {"x": np.concatenate(x), "y": np.concatenate(y)} if bands else _NOWHERE


_NOWHERE: Columns = {"x": np.empty(0), "y": np.empty(0)}
