"""The time range of plots: the last seconds, or those before a pause."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from bokeh.models import Range1d

from xdplab.widgets.base.clock import local_ms
from xdplab.widgets.history.feed import STEPS
from xdplab.widgets.history.labels import Window
from xdplab.widgets.history.marks import Marks
from xdplab.widgets.live_figure import LiveFigure
from xdplab.widgets.parts.engine_view import EngineView

RANGES = {f"{s} s" if s < 60 else f"{s // 60} min": s for s in STEPS}
"""Time ranges in seconds, by their names in menus."""

_NAME = "window"


def window_range() -> Range1d:
    """Return the time range that all plots of a figure share, and that `TimeWindow` moves."""
    return Range1d(name=_NAME)


class WindowFeed(Protocol):
    """A feed whose rows are those of a range of time."""

    def show_window(self, window: Window) -> None:
        """Show another range from now on."""


class TimeWindow:
    """Moves a figure's range of time with the newest record and the newest mark.

    So it stands still when all engines have stopped, and shows their last seconds.

    Parameters
    ----------
    views
        The engines.
    marks
        The marks of their changes.
    feeds
        What shows the marks of the range.
    """

    def __init__(
        self, views: Sequence[EngineView], marks: Marks, feeds: Sequence[WindowFeed]
    ) -> None:
        self._views = views
        self._marks, self._feeds = marks, feeds
        self._shown: tuple[object, ...] = ()
        self.paused_at: int | None = None
        """When it was paused, by CLOCK_MONOTONIC in ns, or None."""

    def pause(self, paused: bool) -> None:
        """Pause at the present time, or go on."""
        self.paused_at = time.monotonic_ns() if paused else None

    def move(self, figure: LiveFigure, seconds: int) -> None:
        """Make the figure show the last `seconds`."""
        changed = self._marks.newest_of_each()
        end = max(*self._newest(), *changed) if self.paused_at is None else self.paused_at
        # By whole steps: in between there is nothing new, and each move makes the browser draw.
        step = round(STEPS[seconds] * 1e9)
        end = -(-end // step) * step
        window = Window(end - seconds * 10**9, end)
        if self._shown == (window, changed):
            return
        self._shown = (window, changed)
        for feed in self._feeds:
            feed.show_window(window)
        figure.set(_NAME, start=local_ms(window.start), end=local_ms(end))

    def _newest(self) -> list[int]:
        """Return the time of the newest record of each worker."""
        return [
            int(view.telemetry.counters(worker)["time_ns"])
            for view in self._views
            for worker in range(view.telemetry.workers)
        ]
