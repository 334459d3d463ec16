"""The rows of a program's figure, from its readings."""

from __future__ import annotations

from collections import deque

import numpy as np

from xdplab.core.text import percent, short
from xdplab.widgets.base.clock import local_ms
from xdplab.widgets.base.feed import Columns, SnapshotFeed
from xdplab.widgets.parts.bands import Band, Interval, patches
from xdplab.widgets.program.figure import (
    CAME,
    END,
    HEIGHT,
    PROGRAM,
    RATES,
    START,
    WINDOW,
    WORDS,
)
from xdplab.widgets.program.reader import INTERVAL, Rates, Reading
from xdplab.widgets.program.ways import WAYS

SECONDS = 60
"""Seconds that the plot over time shows."""

_WIDEST, _THINNEST = 56.0, 3.0  # pixels of all packets, and of a way that some go
_FIELDS = [way.name for way in WAYS]

Properties = dict[str, dict[str, object]]
"""Properties to set, by the name of the figure's model."""


class ProgramFeeds:
    """The rows of the figure's sources."""

    def __init__(self) -> None:
        self.feeds = {
            **{name: SnapshotFeed(["x", "y"]) for name in (CAME, *_FIELDS)},
            WORDS: SnapshotFeed(["x", "y"], ["text"]),
            RATES: SnapshotFeed(["time", *_FIELDS]),
        }
        self._readings: deque[tuple[float, Rates]] = deque(maxlen=round(SECONDS / INTERVAL) + 1)

    def draw(self, reading: Reading, interface: str) -> Properties:
        """Fill the sources, and return the properties to set in the figure."""
        now = local_ms(reading.time_ns)
        if reading.rates is not None:
            self._readings.append((now, reading.rates))
        rates = reading.rates or Rates()
        self.feeds[CAME].show(patches([_came(rates)]))
        top = (HEIGHT + _WIDEST) / 2
        for place, way in enumerate(WAYS):
            width = _width(getattr(rates, way.name), rates)
            middle = _middle(place)
            begins = Interval(top - width, top)
            ends = Interval(middle - width / 2, middle + width / 2)
            shown = [Band(way.name, PROGRAM, END, begins, ends)] if width else []
            self.feeds[way.name].show(patches(shown))
            top -= width
        self.feeds[WORDS].show(_words(reading, interface))
        columns = {name: [getattr(each, name) for _, each in self._readings] for name in _FIELDS}
        self.feeds[RATES].show(
            {
                "time": np.array([at for at, _ in self._readings]),
                **{name: np.array(values) for name, values in columns.items()},
            }
        )
        return {WINDOW: {"start": now - SECONDS * 1000, "end": now}}


def _width(rate: float, rates: Rates) -> float:
    """Return the width of a way; those of all ways together are that of what came."""
    going: list[float] = [getattr(rates, name) for name in _FIELDS if getattr(rates, name)]
    return _THINNEST + (_WIDEST - _THINNEST * len(going)) * rate / sum(going) if rate else 0.0


def _came(rates: Rates) -> Band:
    width = _WIDEST if any(getattr(rates, name) for name in _FIELDS) else _THINNEST
    place = Interval((HEIGHT - width) / 2, (HEIGHT + width) / 2)
    return Band(CAME, START, PROGRAM, place, place)


def _middle(place: int) -> float:
    return HEIGHT * (1 - (place + 0.5) / len(WAYS))


def _words(reading: Reading, interface: str) -> Columns:
    said = [(START, HEIGHT - 14.0, f"from the wire of {interface}")]
    if reading.rates is not None:
        said += [(START, HEIGHT - 32.0, f"{short(reading.rates.came)} a second")]
    said += [(PROGRAM - 0.12, 14.0, f"{reading.program.name}{_time(reading.nanoseconds)}")]
    for place, way in enumerate(WAYS):
        text = f"{way.words}\n{way.verdict}"
        if reading.rates is not None and reading.counts is not None:
            rate, count = getattr(reading.rates, way.name), getattr(reading.counts, way.name)
            share = f" ({percent(rate / reading.rates.came)})" if rate else ""
            text = f"{way.words}: {count:,}\n{short(rate)} a second{share}"
        said += [(END, _middle(place), text)]
    x, y, text_ = zip(*said, strict=True)
    return {"x": np.array(x), "y": np.array(y), "text": list(text_)}


def _time(nanoseconds: float | None) -> str:
    return "" if nanoseconds is None else f", {nanoseconds:.0f} ns a run"
