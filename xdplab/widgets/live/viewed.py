"""A widget that knows the views on it: in which browsers it is shown, and what each was sent.

Browsers say something (any thread hears it), and at the pump's next beat it is answered; all else
happens on the pump's thread too. A view that says nothing for some seconds is taken for gone; if it
is not, it asks again. With no view left, the widget leaves the pump.
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
"""Seconds without a word after which a view counts as gone."""


@dataclass
class View:
    """What is known of one view in some browser."""

    name: str
    heard: float
    sent: float = 0.0
    number: int = 0  # of the last message sent to it
    answered: int = 0  # the last number that it said it has drawn


AnyView = TypeVar("AnyView", bound=View)


class Viewed(anywidget.AnyWidget, Generic[AnyView]):
    """The base of the widgets that send to each of their views what it lacks."""

    error = traitlets.Unicode("").tag(sync=True)
    """Why nothing more comes, or empty."""

    def __init__(self) -> None:
        self._views: dict[str, AnyView] = {}
        self._inbox: deque[dict[str, Any]] = deque()
        super().__init__()
        follow_subshells(self)
        self.on_msg(self._receive)

    @abstractmethod
    def _asked(self, message: dict[str, Any], now: float) -> None:
        """Answer what a view asked, or take it up among `_views`."""

    @abstractmethod
    def _tick(self, now: float) -> None:
        """Send each view what it lacks. There is at least one."""

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        self._inbox.append(content)
        if not self.error:
            pump.subscribe(self)

    def beat(self) -> None:
        """Answer what browsers asked, then send each view what it lacks."""
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
        """Show why nothing more comes."""
        self.error = f"{type(error).__name__}: {error}"

    def _hear(self, message: dict[str, Any], now: float) -> None:
        if message["kind"] == "bye":
            self._views.pop(message["view"], None)
        elif message["kind"] != "got":
            self._asked(message, now)
        # Not from a view that was forgotten: it will ask for rows before long.
        elif view := self._views.get(message["view"]):
            view.answered, view.heard = message["number"], now
