"""Tells whether a browser shows a widget that has no live figure, and subscribes it to the pump.

A page that closes says so; one that crashes or sleeps does not: a view that has sent nothing for
some seconds counts as gone until it sends something again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget

from xdplab.widgets.live import pump
from xdplab.widgets.live.subshells import follow_subshells

FORGET_AFTER = 5.0
"""Seconds without a message after which a view counts as gone."""


class Presence(anywidget.AnyWidget):
    """An invisible widget, to be shown beside a widget that must know whether it is in view.

    Parameters
    ----------
    on_beat
        Called on the pump's thread at each beat while a view is open.
    on_failure
        Called once with the error that `on_beat` raised; then the beats end.
    """

    _esm = Path(__file__).with_name("presence.js")

    def __init__(
        self, on_beat: Callable[[], None], on_failure: Callable[[Exception], None]
    ) -> None:
        self._on_beat, self._on_failure = on_beat, on_failure
        self._heard: dict[str, float] = {}
        self._has_failed = False
        super().__init__(layout={"display": "none"})
        follow_subshells(self)
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        return f"<Presence: {'somebody looks' if self.watched else 'nobody looks'}>"

    @property
    def watched(self) -> bool:
        """Whether a view has sent a message lately."""
        now = time.monotonic()
        return any(now - heard < FORGET_AFTER for heard in list(self._heard.values()))

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        if content["kind"] == "bye":
            self._heard.pop(content["view"], None)
            return
        self._heard[content["view"]] = time.monotonic()
        if not self._has_failed:
            pump.subscribe(self)

    def beat(self) -> None:
        """Pass the beat on, or unsubscribe if no view is left."""
        if self.comm is not None and self.watched:
            self._on_beat()
            return
        pump.unsubscribe(self)
        # A message may have come just before that.
        if self.comm is not None and self.watched:
            pump.subscribe(self)

    def failed(self, error: Exception) -> None:
        """Pass on the error that ended the beats."""
        self._has_failed = True
        self._on_failure(error)
