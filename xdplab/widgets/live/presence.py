"""Tells whether a browser shows a widget that has no live figure, and subscribes it to the pump.

A page that closes says so; one that crashes or sleeps does not: see `Viewed`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from xdplab.widgets.live.messages import FromView
from xdplab.widgets.live.viewed import View, Viewed, module
from xdplab.widgets.style.sheet import SHEET


class Presence(Viewed[View]):
    """An invisible widget, to be shown beside a widget that must know whether it is in view.

    Parameters
    ----------
    on_beat
        Called on the pump's thread at each beat while a view is open.
    on_failure
        Called once with the error that `on_beat` raised; then the beats end.
    """

    _esm = module(Path(__file__).with_name("presence.js"))
    _css = SHEET

    def __init__(
        self, on_beat: Callable[[], None], on_failure: Callable[[Exception], None]
    ) -> None:
        self._on_beat, self._on_failure = on_beat, on_failure
        super().__init__()
        self.layout.display = "none"

    def __repr__(self) -> str:
        return f"<Presence: {'somebody looks' if self.watched else 'nobody looks'}>"

    def _asked(self, message: FromView, now: float) -> None:
        self._views[message["view"]] = View(message["view"], heard=now)

    def _tick(self, _now: float) -> None:
        self._on_beat()

    def failed(self, error: Exception) -> None:
        """Pass on the error that ended the beats."""
        super().failed(error)
        self._on_failure(error)
