"""The control of one knob: a slider, a menu or a check box."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets

from xdplab.knobs.row import Knob
from xdplab.knobs.typed import Typed
from xdplab.widgets.parts.control import Control, TypedSlider

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine

Stops = tuple[tuple[str, Any], ...]
"""The values that a control offers: each with its label and the knob's value."""

AnyKnob = Knob[Any]

_STYLE = {"description_width": "108px"}
_LAYOUT = {"flex": "1 1 auto", "width": "auto", "margin": "1px 0"}


def stops_of(knob: AnyKnob, engine: Engine) -> Stops:
    """Return the values that a knob's control offers, for this engine and its present set-up."""
    values = () if knob.stops is None else knob.stops(engine)
    idle = knob.idle(engine)
    return tuple((knob.text(v) + (" (ineffective here)" if v in idle else ""), v) for v in values)


def order(value: Any) -> float:
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
        The engine whose knob it is.
    on_move
        Called with the knob and the new value whenever the control's value changes.
    on_typed
        Called with the knob and what was typed beside its slider: see `Take`.
    box_looks
        See `new_box_looks`.
    """

    def __init__(
        self,
        knob: AnyKnob,
        engine: Engine,
        on_move: Callable[[AnyKnob, Any], None],
        on_typed: Callable[[AnyKnob, str], Typed],
        box_looks: Mapping[str, ipywidgets.Widget],
    ) -> None:
        self.knob = knob
        # The values on offer depend on settings that take new sockets to change.
        self._configuration = weakref.ref(engine.configuration)
        self._stops = stops_of(knob, engine)
        # The value that the control shows. Only another value is shown anew: the value that a
        # control has just set must not overwrite the user's next move.
        self._shown: tuple[object, ...] | None = None
        self._value: object = None
        self._on_typed, self._box_looks = on_typed, box_looks
        self.widget = self._make()
        self.widget.control.observe(lambda change: on_move(knob, change["new"]), "value")

    def show(self, value: Any, engine: Engine) -> None:
        """Show a value and the values on offer now; None disables the control."""
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
        if value != self._value:  # a word is on the value before
            self.say("")
        self._shown, self._value = sign, value

    def moved(self, value: object) -> None:
        """Note that the user moved the control and that the engine took its value."""
        if self._shown is not None:
            self._shown = (value, *self._shown[1:])
        self.taken(value)
        self.say("")

    def taken(self, value: object) -> None:
        """Note a value that the engine took: what is then said of it stays until it has another."""
        self._value = value

    def refused(self, why: str) -> None:
        """Say why the engine refused the control's value, and make the next `show` reset it."""
        self._shown = None
        self.say(why)

    def say(self, word: str) -> None:
        """Show a word at the control until the knob has another value."""
        self.widget.say(word)

    def _set(self, value: Any) -> None:
        stops = self._stops
        # A value in between was set in Python: it gets a place of its own.
        if stops and value not in [stop for _text, stop in stops]:
            extra = (self.knob.text(value), value)
            stops = tuple(sorted((*stops, extra), key=lambda stop: order(stop[1])))
        control = self.widget.control
        if isinstance(self.widget, TypedSlider):
            self.widget.show(stops, value)
            return
        if stops and stops != control.options:
            with control.hold_sync():
                control.options = stops
                control.value = value
        control.value = value

    def _make(self) -> Control:
        looks: dict[str, Any] = {
            "description": self.knob.label,
            "tooltip": self.knob.help,
            "style": _STYLE,
        }
        if not self._stops:
            return Control(ipywidgets.Checkbox(**looks, layout=_LAYOUT))
        if self.knob.menu:
            return Control(ipywidgets.Dropdown(options=self._stops, **looks, layout=_LAYOUT))
        return TypedSlider(
            partial(self._on_typed, self.knob),
            self.knob.text,
            box_looks=self._box_looks,
            options=self._stops,
            continuous_update=not self.knob.slow,
            **looks,
        )
