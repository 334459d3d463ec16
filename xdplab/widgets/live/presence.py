"""Whether anybody looks: what has no live figure learns it from this, and beats with the pump.

A page that closes says so, one that crashes or sleeps does not: a view that has not been heard of
for some seconds is taken for gone, until it is heard of again.
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
"""Seconds without a word after which a view counts as gone."""


class Presence(anywidget.AnyWidget):
    """A widget with nothing to see, to be shown beside those that want to know.

    Parameters
    ----------
    on_beat
        Called on the pump's thread at each beat while somebody looks.
    on_failure
        Called with what `on_beat` raised, once: it is not called again.
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
        """Whether a view was heard of lately."""
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
        """Pass the beat on, or end it where nobody looks any more."""
        if self.comm is not None and self.watched:
            self._on_beat()
            return
        pump.unsubscribe(self)
        # A message may have come just before that.
        if self.comm is not None and self.watched:
            pump.subscribe(self)

    def failed(self, error: Exception) -> None:
        """Pass on why there are no more beats."""
        self._has_failed = True
        self._on_failure(error)
