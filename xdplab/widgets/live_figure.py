"""A Bokeh figure that lives: one anywidget for every plot of xdplab that moves.

Who sends what::

    browser                              kernel
    figure (a view was rendered)  ──▶
                                  ◀──    figure: the document as JSON
    library (BokehJS is missing)  ──▶
                                  ◀──    library: BokehJS of the installed bokeh, gzipped
    rows (the figure stands)      ──▶
                                  ◀──    rows: the whole window, a float64 buffer a column
                                  ◀──    rows: what came since, at most ten times a second
    got (drawn up to here)        ──▶    twice a second: for the kernel it is dearer than sending
    bye (the view was disposed)   ──▶

A view that is slow gets nothing until it has drawn what is under way, and then all it missed in one
piece. Whatever gets lost, a view asks again for what it waits for after some seconds: to us a page
reload, a second browser and a laptop that slept are all the same.

None of this is in the widget's state: a saved notebook holds neither figure nor data.
"""

from __future__ import annotations

import gzip
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import anywidget
import numpy as np
import numpy.typing as npt
import traitlets
from bokeh.embed import json_item
from bokeh.models import ColumnDataSource, LayoutDOM
from bokeh.resources import Resources

from xdplab.widgets import pump
from xdplab.widgets.subshells import follow_subshells

Columns = Mapping[str, npt.NDArray[np.float64]]

FORGET_AFTER = 10.0
"""Seconds without a word after which a view counts as gone."""

UNDER_WAY = 10
"""Messages that may be under way to a view, a second's worth."""

HEARTBEAT = 1.0
"""Seconds after which a view is sent an empty message where there are no rows, to hear from it."""


class Feed(Protocol):
    """Where a figure's rows come from."""

    def __call__(self, position: int | None) -> tuple[Columns, int]:
        """Return the rows from `position` on, by column, and the position to ask with next time.

        `None` asks for all that the figure's window shows.
        """


@dataclass
class _View:
    """What is known of one view in some browser."""

    heard: float
    shows_rows: bool = False
    position: int | None = None
    sent: float = 0.0
    number: int = 0  # of the last message sent to it
    answered: int = 0  # the last number that it said it has drawn


@cache
def _library() -> bytes:
    """Return BokehJS as the installed bokeh package has it, gzipped (0.4 MB of 1.3)."""
    parts = Resources(mode="inline", components=["bokeh"], minified=True).js_raw
    return gzip.compress("\n".join(parts).encode(), compresslevel=6)


class LiveFigure(anywidget.AnyWidget):
    """A Bokeh figure whose rows stream into every browser that shows it.

    Parameters
    ----------
    figure
        A Bokeh figure or layout with one data source, whose columns `feed` fills. It is read once,
        here: changing it later changes nothing.
    feed
        Gives the rows. It is called on the pump's thread, and only while somebody looks.
    rollover
        How many rows the browser keeps.
    on_beat
        Called at each beat of the pump while somebody looks, before `feed`.
    description
        What `repr` says, where there is no browser.
    """

    _esm = Path(__file__).with_name("live_figure.js")

    error = traitlets.Unicode("").tag(sync=True)
    """Why the figure stands still, or empty."""

    def __init__(
        self,
        figure: LayoutDOM,
        feed: Feed,
        *,
        rollover: int,
        on_beat: Callable[[], None] | None = None,
        description: str = "a live figure",
    ) -> None:
        self._description = description
        self._figure = json.dumps(json_item(figure)).encode()
        (source,) = (model for model in figure.references() if isinstance(model, ColumnDataSource))
        self._names = list(source.data)
        self._source_id = source.id
        self._feed = feed
        self._rollover = rollover
        self._on_beat = on_beat
        self._views: dict[str, _View] = {}
        self._number = UNDER_WAY  # so that a view gets no more before it has drawn its first rows
        # What browsers said. That arrives on any thread; all the rest happens on the pump's.
        self._inbox: deque[dict[str, Any]] = deque()
        super().__init__()
        follow_subshells(self)
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._description}>"

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        self._inbox.append(content)
        if not self.error:
            pump.subscribe(self)

    def beat(self) -> None:
        """Answer what browsers asked, then send each view the rows that it lacks."""
        now = time.monotonic()
        while self._inbox:
            self._answer(self._inbox.popleft(), now)
        self._views = {
            name: view for name, view in self._views.items() if now - view.heard < FORGET_AFTER
        }
        if self.comm is None or not self._views:
            pump.unsubscribe(self)
            # A message may have come just before that.
            if self.comm is not None and self._inbox:
                pump.subscribe(self)
            return
        if self._on_beat is not None:
            self._on_beat()
        self._send_rows(now)

    def failed(self, error: Exception) -> None:
        """Show why no more rows come."""
        self.error = f"{type(error).__name__}: {error}"

    def _answer(self, message: dict[str, Any], now: float) -> None:
        name, kind = message["view"], message["kind"]
        if kind == "bye":
            self._views.pop(name, None)
            return
        if kind == "got":
            # Not from a view that was forgotten: it will ask for rows before long.
            view = self._views.get(name)
            if view is not None:
                view.answered, view.heard = message["number"], now
            return
        self._views[name] = _View(heard=now, shows_rows=kind == "rows")
        if kind == "figure":
            answer = {"kind": "figure", "views": [name], "source": self._source_id}
            self.send(answer, [self._figure])
        elif kind == "library":
            self.send({"kind": "library", "views": [name]}, [_library()])

    def _send_rows(self, now: float) -> None:
        waiting: dict[int | None, list[str]] = {}
        for name, view in self._views.items():
            if view.shows_rows and view.number - view.answered < UNDER_WAY:
                waiting.setdefault(view.position, []).append(name)
        # Views that have seen the same share one message: in the end that is all of them.
        for position, alike in waiting.items():
            columns, following = self._feed(position)
            is_news = position is None or len(columns[self._names[0]]) > 0
            names = [n for n in alike if is_news or now - self._views[n].sent >= HEARTBEAT]
            if not names:
                continue
            self._number += 1
            for name in names:
                view = self._views[name]
                view.position, view.number, view.sent = following, self._number, now
            self.send(
                {
                    "kind": "rows",
                    "views": names,
                    "number": self._number,
                    "replace": position is None,
                    "columns": self._names,
                    "rollover": self._rollover,
                },
                [np.ascontiguousarray(columns[name], dtype="<f8").data for name in self._names],
            )
