"""Puts a live and a frozen histogram into the latency figure's sources and ranges."""

from __future__ import annotations

from math import ceil, log10

import numpy as np

from xdplab.core.text import duration
from xdplab.widgets.base.feed import Columns, SnapshotFeed
from xdplab.widgets.latency.figure import BAR_SPACE, FLAG_TOPS
from xdplab.widgets.latency.shape import FASTEST_NS, Shape, Steady, round_up, wanted_span
from xdplab.widgets.style.log_time import Span, ticks

Properties = dict[str, dict[str, object]]
"""Properties to set, by the name of the figure's model."""


class LatencyFeeds:
    """The rows of the figure's sources, and the ranges of its axes."""

    def __init__(self) -> None:
        self.feeds = {
            **{name: SnapshotFeed(["x", "y"]) for name in ("live", "frozen")},
            **{name: SnapshotFeed(["x", "y"]) for name in ("live curve", "frozen curve")},
            **{name: SnapshotFeed(["x", "top"], ["text"]) for name in ("flags", "frozen flags")},
        }
        self.forget()

    def forget(self) -> None:
        """Fit the axes anew to what is drawn next."""
        self._earliest, self._latest, self._highest = Steady(), Steady(), Steady()

    def draw(self, live: Shape, frozen: Shape | None, now: float) -> Properties:
        """Fill the sources.

        Parameters
        ----------
        live, frozen
            The histograms to draw.
        now
            Time in seconds; the axes move only every few seconds.

        Returns
        -------
        dict
            Properties to set in the figure.
        """
        for name, shape in (("live", live), ("frozen", frozen)):
            self.feeds[name].show(_NOWHERE if shape is None else shape.bars._asdict())
            self.feeds[f"{name} curve"].show(_NOWHERE if shape is None else shape.curve._asdict())
        self.feeds["flags"].show(_flags(live, FLAG_TOPS, labelled=True))
        low_flags = (BAR_SPACE,) * len(FLAG_TOPS)
        self.feeds["frozen flags"].show(_flags(frozen, low_flags, labelled=False))

        shapes = [live] if frozen is None else [live, frozen]
        wanted = wanted_span(shapes)
        span = Span(
            10 ** -self._earliest(-log10(wanted.start), now),
            10 ** self._latest(log10(wanted.end), now),
        )
        highest = max(max(shape.bars.y, default=0.0) for shape in shapes)
        top = self._highest(round_up(highest), now)
        nines = ceil(log10(max(100, *(shape.total for shape in shapes))))
        return {
            "time": span._asdict(),
            "time ticks": {"ticks": ticks(span)},
            "share": {"end": top / BAR_SPACE},
            "tail": {"end": 10.0**-nines},
        }


def _flags(shape: Shape | None, tops: tuple[float, ...], *, labelled: bool) -> Columns:
    at = shape.percentiles if shape is not None and shape.total else {}
    return {
        "x": np.array([max(ns, FASTEST_NS) for ns in at.values()]),
        "top": np.array(tops[: len(at)]),
        "text": [f"{name} {duration(ns)}" if labelled else "" for name, ns in at.items()],
    }


_NOWHERE: Columns = {"x": np.empty(0), "y": np.empty(0)}
