"""One knob's control: a slider, a menu or a box to tick, which shows what it is told."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets

from xdplab.knobs.row import Knob
from xdplab.widgets.live.subshells import follow_subshells

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine

Stops = tuple[tuple[str, Any], ...]
"""Where a control can stop: what is written there, and the knob's value."""

AnyKnob = Knob[Any]

_STYLE = {"description_width": "108px"}
_LAYOUT = {"width": "auto", "margin": "1px 0"}


def stops_of(knob: AnyKnob, engine: Engine) -> Stops:
    """Return where a knob's control can stop, on this engine and as it is set up now."""
    values = () if knob.stops is None else knob.stops(engine)
    idle = knob.idle(engine)
    return tuple((knob.text(v) + (" (no effect here)" if v in idle else ""), v) for v in values)


def order(value: Any) -> float:  # noqa: ANN401 - a number, "max", or a replay's "recorded"
    """Return a value's place along a slider."""
    if isinstance(value, str):
        return math.inf if value == "max" else -math.inf
    return float(value)


class KnobControl:
    """A knob's control in the browser.

    Parameters
    ----------
    knob
        The knob.
    engine
        On which it is turned.
    on_move
        Called with the knob and the new value whenever the control's changes, by whomever.
    """

    def __init__(
        self, knob: AnyKnob, engine: Engine, on_move: Callable[[AnyKnob, Any], None]
    ) -> None:
        self.knob = knob
        # What takes new sockets to change decides where a control can stop.
        self._configuration = weakref.ref(engine.configuration)
        self._stops = stops_of(knob, engine)
        # What the control shows. Only what differs from it is shown anew: what a control has just
        # told the engine must not fight with the control's next move.
        self._shown: tuple[object, ...] | None = None
        self.widget = self._make()
        self.widget.observe(lambda change: on_move(knob, change["new"]), "value")
        follow_subshells(self.widget)

    def show(self, value: Any, engine: Engine) -> None:  # noqa: ANN401 - the knob's own
        """Show a value, among the stops that there are now; None greys the control out."""
        if self._configuration() is not engine.configuration:
            self._configuration = weakref.ref(engine.configuration)
            self._stops = stops_of(self.knob, engine)
        sign = (value, self._stops, self.knob.matters(engine))
        if sign == self._shown:
            return
        self.widget.disabled = value is None
        self.widget.layout.display = None if self.knob.matters(engine) else "none"
        if value is not None:
            self._set(value)
        self._shown = sign

    def moved(self, value: object) -> None:
        """Take note that the control was moved and shows what the engine goes on with."""
        if self._shown is not None:
            self._shown = (value, *self._shown[1:])

    def put_back(self) -> None:
        """Have the next `show` show anew, since the engine refused what the control shows."""
        self._shown = None

    def _set(self, value: Any) -> None:  # noqa: ANN401 - as above
        stops = self._stops
        # A value between the stops was set in Python: it gets a place of its own.
        if stops and value not in [stop for _text, stop in stops]:
            extra = (self.knob.text(value), value)
            stops = tuple(sorted((*stops, extra), key=lambda stop: order(stop[1])))
        if stops and stops != self.widget.options:
            with self.widget.hold_sync():
                self.widget.options = stops
                self.widget.value = value
        self.widget.value = value

    def _make(self) -> ipywidgets.DOMWidget:
        looks: dict[str, Any] = {
            "description": self.knob.label,
            "tooltip": self.knob.help,
            "style": _STYLE,
            "layout": _LAYOUT,
        }
        if not self._stops:
            return ipywidgets.Checkbox(**looks)
        if self.knob.menu:
            return ipywidgets.Dropdown(options=self._stops, **looks)
        return ipywidgets.SelectionSlider(
            options=self._stops, continuous_update=not self.knob.slow, **looks
        )
