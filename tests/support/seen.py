"""A widget as its user sees it: controls by their words, its text, and the rows of its figure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

import ipywidgets

from xdplab.widgets import LiveFigure
from xdplab.widgets.base.feed import Columns
from xdplab.widgets.parts.control import Control


def parts(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """Return a widget and all that is in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def without_code(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's state, as notebooks save it, without what each of its kind has."""
    return {name: value for name, value in state.items() if name not in ("_esm", "_css")}


def figure(widget: ipywidgets.Widget) -> LiveFigure:
    """Return its only figure."""
    (found,) = (part for part in parts(widget) if isinstance(part, LiveFigure))
    return found


def rows(widget: ipywidgets.Widget, source: str) -> Columns:
    """Return the rows that its only figure shows."""
    update = figure(widget).feeds[source](None)
    assert update is not None
    return update.columns


def control(widget: ipywidgets.Widget, words: str, kind: type = ipywidgets.DOMWidget) -> Any:
    """Return the control that has these words on it, of a kind if several have."""
    (found,) = (
        part
        for part in parts(widget)
        if getattr(part, "description", "") == words and isinstance(part, kind)
    )
    return found


def around(widget: ipywidgets.Widget, words: str) -> Control:
    """Return the control that has these words on it, with what is beside and below it."""
    (found,) = (
        part
        for part in parts(widget)
        if isinstance(part, Control) and part.control.description == words
    )
    return found


def box(widget: ipywidgets.Widget, words: str) -> ipywidgets.Text:
    """Return the box beside a slider, to type into."""
    return around(widget, words).children[1]


def word(widget: ipywidgets.Widget, words: str) -> str:
    """Return what is said below a control."""
    return word_of(around(widget, words))


def word_of(control: Control) -> str:
    """Return what is said below a control, which screen readers read out."""
    said = control.children[-1]
    if type(said) is not ipywidgets.HTML:
        return ""
    text = html.unescape(re.sub("<[^>]*>", "", said.value))
    assert bool(text) == (said.layout.display != "none") == ('role="alert"' in said.value)
    return text


def press(widget: ipywidgets.Widget, words: str) -> None:
    """Press the button that has these words on it."""
    control(widget, words, ipywidgets.Button).click()


def text_of(widget: ipywidgets.Widget) -> str:
    """Return all of its text, a line for each piece of HTML."""
    pieces = [part.value for part in parts(widget) if type(part) is ipywidgets.HTML]
    return "\n".join(html.unescape(re.sub(r"<[^>]+>", "", piece)) for piece in pieces)


def click(widget: ipywidgets.Widget, written: str) -> None:
    """Click into its figure, which then writes this into a box that nobody sees."""
    (box,) = (
        part
        for part in parts(widget)
        if isinstance(part, ipywidgets.Text) and part.layout.display == "none"
    )
    box.value = written
