"""A widget that keeps track of its views: the browsers that show it, and what each was sent.

Any thread may receive a browser's message; the pump's thread answers it at the next beat and does
all other work. A view that sends nothing for some seconds counts as gone; if it still exists, it
asks again. Without views, the widget unsubscribes from the pump.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import anywidget
import traitlets

from xdplab.widgets.live import pump
from xdplab.widgets.live.subshells import follow_subshells

FORGET_AFTER = 10.0
"""Seconds without a message after which a view counts as gone."""


@dataclass
class View:
    """The state of one view in a browser."""

    name: str
    heard: float
    sent: float = 0.0
    number: int = 0  # of the last message sent to it
    answered: int = 0  # number of the last message that it has drawn


AnyView = TypeVar("AnyView", bound=View)


class Viewed(anywidget.AnyWidget, Generic[AnyView]):
    """Base class of widgets that send each view the data that it lacks."""

    error = traitlets.Unicode("").tag(sync=True)
    """The error that ended the updates, or empty."""

    def __init__(self) -> None:
        self._views: dict[str, AnyView] = {}
        self._inbox: deque[dict[str, Any]] = deque()
        super().__init__()
        follow_subshells(self)
        self.on_msg(self._receive)

    @abstractmethod
    def _asked(self, message: dict[str, Any], now: float) -> None:
        """Answer a view's request, or add the view to `_views`."""

    @abstractmethod
    def _tick(self, now: float) -> None:
        """Send each view the data that it lacks. There is at least one view."""

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        self._inbox.append(content)
        if not self.error:
            pump.subscribe(self)

    def beat(self) -> None:
        """Answer the browsers' requests, then send each view the data that it lacks."""
        now = time.monotonic()
        while self._inbox:
            self._hear(self._inbox.popleft(), now)
        self._views = {
            name: view for name, view in self._views.items() if now - view.heard < FORGET_AFTER
        }
        if self.comm is not None and self._views:
            self._tick(now)
            return
        pump.unsubscribe(self)
        # A message may have come just before that.
        if self.comm is not None and self._inbox:
            pump.subscribe(self)

    def failed(self, error: Exception) -> None:
        """Show the error that ended the updates."""
        self.error = f"{type(error).__name__}: {error}"

    def _hear(self, message: dict[str, Any], now: float) -> None:
        if message["kind"] == "bye":
            self._views.pop(message["view"], None)
        elif message["kind"] != "got":
            self._asked(message, now)
        # Not from a view that was removed: it will ask for rows soon.
        elif view := self._views.get(message["view"]):
            view.answered, view.heard = message["number"], now
