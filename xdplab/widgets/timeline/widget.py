"""The timeline: each change of a knob, with its time, old value and new value."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import ipywidgets

from xdplab.core.calls import public
from xdplab.core.text import counted
from xdplab.ledger.subjects import check_traffic
from xdplab.widgets.base.clock import clock_time
from xdplab.widgets.base.closing import ClosesModels
from xdplab.widgets.base.traits import OneOf
from xdplab.widgets.history.feed import STEPS
from xdplab.widgets.history.marks import Mark, Marks
from xdplab.widgets.history.window import TimeWindow
from xdplab.widgets.live_figure import LiveFigure
from xdplab.widgets.parts.engine_view import EngineView, status_html
from xdplab.widgets.timeline.figure import (
    CHANGES,
    LANES,
    NAMES,
    STRIP,
    height,
    timeline_figure,
)
from xdplab.widgets.timeline.lanes import LanesFeed

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic

LISTED = 10
"""Number of changes in the list below the strip."""


@public
class Timeline(ClosesModels, ipywidgets.VBox):  # type: ignore[misc]
    """The changes of an engine's knobs: a lane for each over time, and a list of the last ones.

    Changes of one knob within half a second are one mark, as when a slider is dragged. A stop of
    the engine and the start after it are marks, too. To follow a dashboard's time range:
    ``ipywidgets.link((dashboard, "seconds"), (timeline, "seconds"))``.

    Parameters
    ----------
    engine
        The engine, for changes of its knobs and reconfigurations.
    traffic
        A generator; changes of its rate become marks, too.
    """

    seconds = OneOf(tuple(STEPS), default_value=60)
    """Time range of the strip in seconds: 10, 30, 60, 120, 300 or 600."""

    def __init__(self, engine: Engine, traffic: Traffic | None = None) -> None:
        check_traffic(traffic)
        self._view = EngineView(engine)
        journals = [engine.journal] + ([traffic.journal] if traffic else [])
        self._marks = Marks([("", journal) for journal in journals])
        self._lanes = LanesFeed(self._marks)
        self._window = TimeWindow([self._view], self._marks, [self._lanes])
        self._status = ipywidgets.HTML()
        self._list = ipywidgets.HTML()
        self._figure = LiveFigure(
            timeline_figure(),
            {CHANGES: self._lanes, NAMES: self._lanes.names},
            rollover=0,
            on_beat=self._beat,
            description=f"changes of {self._view.label}",
            simulated=self._view.simulated,
        )
        self._show()
        super().__init__([self._status, self._figure, self._list])

    def __repr__(self) -> str:
        marks = self._marks.recent()
        last = f", the last {marks[-1].detail}" if marks else ""
        changes = counted(len(marks), "change")
        return f"<Timeline: {self._view.label}, {changes}{last}>"

    def _beat(self) -> None:
        lanes = len(self._lanes.knobs)
        self._figure.set(STRIP, height=height(lanes))
        self._figure.set(LANES, start=max(lanes, 1))
        self._window.move(self._figure, self.seconds)
        self._show()

    def _show(self) -> None:
        # Setting a trait to its present value sends nothing.
        self._status.value = status_html(self._view, self._view.state())
        self._list.value = _list_html(self._marks.recent()[-LISTED:])


def _list_html(marks: Sequence[Mark]) -> str:
    if not marks:
        return '<div style="padding-left: 4px; opacity: 0.7">no knob was turned yet</div>'
    rows = "".join(
        f'<tr><td style="padding: 0 16px 0 4px; opacity: 0.7">{clock_time(mark.time_ns)}</td>'
        f"<td>{html.escape(mark.detail)}</td></tr>"
        for mark in reversed(marks)
    )
    return (
        '<table style="line-height: 1.5; font-variant-numeric: tabular-nums;'
        f' border-collapse: collapse">{rows}</table>'
    )
