"""Puts a live and a frozen histogram into the latency figure's sources and ranges."""

from __future__ import annotations

from math import ceil, isnan, log10

import numpy as np

from xdplab.telemetry import Latency as Histogram
from xdplab.widgets.latency_figure import BAR_SPACE, FLAG_TOPS
from xdplab.widgets.latency_shape import (
    FASTEST_NS,
    Outline,
    Span,
    Steady,
    curve,
    outline,
    percentiles,
    round_up,
    ticks,
    wanted_span,
)
from xdplab.widgets.latency_words import duration
from xdplab.widgets.live_figure import Columns
from xdplab.widgets.whole import Whole

Properties = dict[str, dict[str, object]]
"""What to set, by the name of the figure's model."""


class LatencyPicture:
    """The rows of the figure's sources, and what it shows of its axes."""

    def __init__(self) -> None:
        self.feeds = {
            **{name: Whole(["x", "y"]) for name in ("live", "frozen")},
            **{name: Whole(["x", "y"]) for name in ("live curve", "frozen curve")},
            **{name: Whole(["x", "top"], ["text"]) for name in ("flags", "frozen flags")},
        }
        self.forget()

    def forget(self) -> None:
        """Fit the axes anew to what is drawn next."""
        self._earliest, self._latest, self._highest = Steady(), Steady(), Steady()

    def draw(self, live: Histogram, frozen: Histogram | None, now: float) -> Properties:
        """Fill the sources.

        Parameters
        ----------
        live, frozen
            What to draw.
        now
            Seconds of a clock, by which the axes move no oftener than every few seconds.

        Returns
        -------
        dict
            What to set in the figure.
        """
        histograms = [live] if frozen is None else [live, frozen]
        for name, histogram in zip(("live", "frozen"), (live, frozen), strict=True):
            shown = Outline(np.empty(0), np.empty(0)) if histogram is None else outline(histogram)
            tail = Outline(np.empty(0), np.empty(0)) if histogram is None else curve(histogram)
            self.feeds[name].show(shown._asdict())
            self.feeds[f"{name} curve"].show(tail._asdict())
        self.feeds["flags"].show(_flags(live, FLAG_TOPS, labelled=True))
        low_flags = (BAR_SPACE,) * len(FLAG_TOPS)
        self.feeds["frozen flags"].show(_flags(frozen, low_flags, labelled=False))

        wanted = wanted_span(histograms)
        span = Span(
            10 ** -self._earliest(-log10(wanted.start), now),
            10 ** self._latest(log10(wanted.end), now),
        )
        highest = max([max(outline(each).y, default=0.0) for each in histograms])
        top = self._highest(round_up(highest), now)
        nines = ceil(log10(max(100, *(each.total for each in histograms))))
        return {
            "time": span._asdict(),
            "time ticks": {"ticks": ticks(span)},
            "share": {"end": top / BAR_SPACE},
            "tail": {"end": 10.0**-nines},
        }


def _flags(histogram: Histogram | None, tops: tuple[float, ...], *, labelled: bool) -> Columns:
    at = {} if histogram is None else percentiles(histogram)
    flags = [(name, ns, top) for (name, ns), top in zip(at.items(), tops, strict=False)]
    flags = [flag for flag in flags if not isnan(flag[1])]
    return {
        "x": np.array([max(ns, FASTEST_NS) for _, ns, _ in flags]),
        "top": np.array([top for _, _, top in flags]),
        "text": [f"{name} {duration(ns)}" if labelled else "" for name, ns, _ in flags],
    }
