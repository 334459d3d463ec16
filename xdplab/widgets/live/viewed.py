"""A widget that keeps track of its views: the browsers that show it, and what each was sent.

Any thread may receive a browser's message; the pump's thread answers it at the next beat and does
all other work. A view that sends nothing for some seconds counts as gone; if it still exists, it
asks again. Without views, the widget unsubscribes from the pump.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import anywidget
import traitlets

from xdplab.widgets.base import pump
from xdplab.widgets.base.closing import ClosesModels
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.widgets.live.messages import FromView, Got, ToViews
from xdplab.widgets.style.sheet import SHEET

_MOST_WAITING = 1_000  # messages: a view says again what is not answered

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


_VIEW = Path(__file__).with_name("view.js").read_text()

Outlet = Callable[[ToViews, Sequence[Any]], None]
"""Sends a message with its buffers to views."""

AnyView = TypeVar("AnyView", bound=View)


def module(*files: Path) -> str:
    """Return a widget's JavaScript module: its own files below `view.js`."""
    return "".join((_VIEW, *(file.read_text() for file in files)))


class Viewed(ClosesModels, anywidget.AnyWidget, Generic[AnyView]):
    """Base class of widgets that send each view the data that it lacks."""

    _css = SHEET

    error = traitlets.Unicode("").tag(sync=True)
    """The error that ended the updates, or empty."""

    def __init__(self) -> None:
        self._views: dict[str, AnyView] = {}
        self._inbox: deque[FromView] = deque(maxlen=_MOST_WAITING)
        self._outlets: dict[str, Outlet] = {}  # of views outside of a notebook, by name
        super().__init__()
        follow_subshells(self)
        self.on_msg(self._receive)

    @property
    def watched(self) -> bool:
        """Whether a view has sent a message lately."""
        return bool(self._views or self._inbox)

    @abstractmethod
    def _asked(self, message: FromView, now: float) -> None:
        """Answer a view's request, or add the view to `_views`."""

    @abstractmethod
    def _tick(self, now: float) -> None:
        """Send each view the data that it lacks. There is at least one view."""

    def _tell(self, message: ToViews, buffers: Sequence[Any] = ()) -> None:
        by_outlet: dict[Outlet, list[str]] = {}
        for view in message["views"]:
            by_outlet.setdefault(self._outlets.get(view, self._to_notebook), []).append(view)
        for outlet, views in by_outlet.items():
            outlet(cast(ToViews, {**message, "views": views}), buffers)

    def _to_notebook(self, message: ToViews, buffers: Sequence[Any]) -> None:
        self.send(message, list(buffers))

    def hear(self, content: FromView, outlet: Outlet) -> None:
        """Take a message of a view that is not in a notebook.

        Parameters
        ----------
        content
            The message.
        outlet
            Sends messages to the view: on the pump's thread, and the same one each time.
        """
        self._outlets[content["view"]] = outlet
        self._receive(self, content, ())

    def _receive(self, _widget: object, content: FromView, _buffers: object) -> None:
        if not self.error:
            self._inbox.append(content)
            pump.subscribe(self)

    def beat(self) -> None:
        """Answer the browsers' requests, then send each view the data that it lacks."""
        now = time.monotonic()
        for _ in range(len(self._inbox)):  # and what comes meanwhile at the next beat
            self._hear(self._inbox.popleft(), now)
        for name, view in list(self._views.items()):
            if now - view.heard >= FORGET_AFTER:
                self._forget(name)
        if self.comm is not None and self._views:
            self._tick(now)
            return
        pump.unsubscribe(self)
        # A message may have come just before that.
        if self.comm is not None and self._inbox:
            pump.subscribe(self)

    def close(self) -> None:
        """Close the widget; the pump no longer calls it."""
        super().close()
        pump.unsubscribe(self)
        if "_inbox" in vars(
            self
        ):  # ipywidgets also closes one whose constructor refused to make it
            self._inbox.clear()
            self._views = {}

    def failed(self, error: Exception) -> None:
        """Show the error that ended the updates."""
        self.error = f"{type(error).__name__}: {error}"

    def _hear(self, message: FromView, now: float) -> None:
        if message["kind"] == "bye":
            self._forget(message["view"])
        elif message["kind"] != "got":
            self._asked(message, now)
        # Not from a view that was removed: it will ask for rows soon.
        elif view := self._views.get(message["view"]):
            view.answered, view.heard = cast(Got, message)["number"], now

    def _forget(self, name: str) -> None:
        self._views.pop(name, None)
        self._outlets.pop(name, None)
