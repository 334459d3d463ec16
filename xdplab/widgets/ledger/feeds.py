"""Puts the layout of a flow into the ledger figure's sources and ranges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xdplab.widgets.base.feed import Columns, SnapshotFeed
from xdplab.widgets.ledger.figure import COLORS, WORDS
from xdplab.widgets.ledger.flow import Kind
from xdplab.widgets.ledger.layout import Layout, Words
from xdplab.widgets.parts.bands import Interval, patches

_LEFT, _RIGHT = 0.55, 1.5  # room for words before the first counting point and after the last
_HEIGHT_STEP = 20.0  # the figure's height is a multiple of this, so that it changes rarely

Properties = dict[str, dict[str, object]]
"""Properties to set, by the name of the figure's model."""


class LedgerFeeds:
    """The rows of the figure's sources."""

    def __init__(self) -> None:
        self.feeds = {
            **{kind.value: SnapshotFeed(["x", "y"]) for kind in COLORS},
            **{name: SnapshotFeed(["x", "low", "high"]) for name in ("points", "leaders")},
            **{name: SnapshotFeed(["x", "y"], ["text"]) for name in WORDS},
        }

    def draw(self, layout: Layout) -> Properties:
        """Fill the sources, and return the properties to set in the figure."""
        x, y = layout.stream_outline()
        self.feeds[Kind.STREAM].show({"x": x, "y": y})
        for kind in COLORS:
            if kind != Kind.STREAM:
                self.feeds[kind].show(patches([b for b in layout.bands if b.kind == kind]))
        points = [(x, layout.stream_at(x)) for x, _, _ in layout.point_words]
        marks = [(x, Interval(place.low - 3, place.high + 3)) for x, place in points]
        self.feeds["points"].show(_lines(marks))
        self.feeds["leaders"].show(_lines(layout.leaders))
        texts = (layout.point_words, layout.in_words, layout.out_words)
        for name, words in zip(WORDS, texts, strict=True):
            self.feeds[name].show(_texts(words))

        top = layout.reach.high
        height = -(-(top - layout.reach.low) // _HEIGHT_STEP) * _HEIGHT_STEP
        return {
            "along": {"start": -_LEFT, "end": len(layout.point_words) - 1 + _RIGHT},
            "across": {"start": top - height, "end": top},
            "flow": {"height": int(height)},
        }


def _lines(lines: Sequence[tuple[float, Interval]]) -> Columns:
    return {
        "x": np.array([x for x, _ in lines], np.float64),
        "low": np.array([place.low for _, place in lines], np.float64),
        "high": np.array([place.high for _, place in lines], np.float64),
    }


def _texts(words: Sequence[Words]) -> Columns:
    return {
        "x": np.array([each.x for each in words], np.float64),
        "y": np.array([each.y for each in words], np.float64),
        "text": [each.text for each in words],
    }
