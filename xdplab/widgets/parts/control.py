"""A knob's control with a word below it; that of a slider also has a box to type a value into."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
from ipywidgets.widgets.widget_string import TextStyle

from xdplab.core.errors import XdplabError
from xdplab.knobs.typed import Typed
from xdplab.widgets.base.models import models_of
from xdplab.widgets.base.subshells import follow_subshells

Take = Callable[[str], Typed]
"""Sets a knob to what was typed; raises `XdplabError`, which says why, where it was not taken."""


def new_box_looks() -> dict[str, ipywidgets.Widget]:
    """Return layout and style of a slider's box, which the sliders of one widget can share."""
    layout = ipywidgets.Layout(width="104px", margin="1px 0 1px 4px")
    return {"layout": layout, "style": TextStyle()}


class Control(ipywidgets.HBox):  # type: ignore[misc]
    """A control, with room for a word below it, such as why its value was refused.

    Parameters
    ----------
    control
        The menu, check box or slider.
    beside
        What stands to the right of it.
    """

    def __init__(
        self, control: ipywidgets.DOMWidget, *beside: ipywidgets.DOMWidget, width: str = "auto"
    ) -> None:
        self.control = control
        self._word: ipywidgets.HTML | None = (
            None  # made when there is one: pages have many controls
        )
        follow_subshells(control)
        row = {"flex_flow": "row wrap", "align_items": "center", "width": width}
        self._parts = (control, *beside)
        super().__init__(self._parts, layout=row)
        self.add_class("xdplab-control")

    def say(self, word: str) -> None:
        """Show a word below the control, which screen readers read out; empty for none."""
        if self._word is None:
            if not word or self.comm is None:  # which was closed
                return
            self._word = ipywidgets.HTML(layout={"width": "100%"})
            self.children = (*self._parts, self._word)
        said = f'<div class="xdplab-word" role="alert">{html.escape(word)}</div>' if word else ""
        if said != self._word.value:
            self._word.value = said
            self._word.layout.display = None if word else "none"

    def close(self) -> None:
        """Close the word, too, which was made late."""
        for model in () if self._word is None else [*models_of(self._word)]:
            model.close()
        super().close()

    @property
    def disabled(self) -> bool:
        """Whether it can't be used."""
        return bool(self.control.disabled)

    @disabled.setter
    def disabled(self, is_disabled: bool) -> None:
        self.control.disabled = is_disabled


class TypedSlider(Control):
    """A slider, and a box beside it that shows its value and takes a typed one.

    Parameters
    ----------
    take
        Takes what was typed into the box. To move the slider is left to the caller.
    text
        Formats a value for the box.
    box_looks
        See `new_box_looks`.
    looks
        Traits of the slider.
    """

    def __init__(
        self,
        take: Take,
        text: Callable[[Any], str],
        *,
        width: str = "auto",
        box_looks: Mapping[str, ipywidgets.Widget] | None = None,
        **looks: Any,
    ) -> None:
        slider = ipywidgets.SelectionSlider(
            layout={"flex": "1 1 0", "width": "auto", "margin": "1px 0"}, **looks
        )
        self._take, self._text = take, text
        self._is_telling = False
        self._box = ipywidgets.Text(
            slider.label,
            continuous_update=False,
            tooltip=f"{looks['description']}: type a value",
            **(box_looks or new_box_looks()),
        )
        slider.observe(self._follow, "label")
        self._box.observe(self._typed, "value")
        follow_subshells(self._box)
        super().__init__(slider, self._box, width=width)

    @property
    def disabled(self) -> bool:
        """Whether it can't be used."""
        return bool(self.control.disabled)

    @disabled.setter
    def disabled(self, is_disabled: bool) -> None:
        self.control.disabled = self._box.disabled = is_disabled

    def show(self, stops: Sequence[tuple[str, Any]], value: Any) -> None:
        """Show a value, which is one of these stops, each with its label."""
        with self.control.hold_sync(), self._box.hold_sync():
            if tuple(stops) != self.control.options:
                self.control.options = stops
            self.control.value = value
            self._follow()

    def _follow(self, _change: object = None) -> None:
        self._tell(self.control.label)

    def _tell(self, text: str) -> None:
        self._is_telling = True
        try:
            self._box.value = text
        finally:
            self._is_telling = False

    def _typed(self, change: dict[str, Any]) -> None:
        if self._is_telling:
            return
        try:
            value, held = self._take(change["new"])
        except XdplabError as error:
            self.say(str(error))
            self._follow()
        else:
            self.say(held)
            self._tell(self._text(value))
