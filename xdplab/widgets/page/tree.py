"""What a page shows of widgets: boxes, texts and live views; not the controls."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any, TypedDict

import ipywidgets

from xdplab.widgets.live.viewed import Viewed

_STYLES = ("align_items", "display", "flex", "flex_flow", "margin", "max_width", "min_width")
"""Traits of a widget's layout that hold on a page, too."""

SHOWN = (ipywidgets.Box, ipywidgets.HTML, ipywidgets.Label, Viewed)
"""The kinds of widgets that a page shows; it leaves out others."""


class Node(TypedDict):
    """A widget, for the browser."""

    id: str
    kind: str
    """row, column, text or live."""
    style: dict[str, str]
    text: str
    """HTML of a text; the name of a live view's module."""
    error: str
    """Why a live view stands still."""
    children: list[Node]


def shown_in(*widgets: ipywidgets.Widget) -> Iterator[ipywidgets.DOMWidget]:
    """Find all widgets that a page shows."""
    for widget in widgets:
        if isinstance(widget, ipywidgets.Box):
            yield widget
            yield from shown_in(*widget.children)
        elif isinstance(widget, SHOWN):
            yield widget


def shows_nothing(widget: ipywidgets.Widget) -> bool:
    """Tell whether a page would show nothing of a widget."""
    return all(isinstance(each, ipywidgets.Box) for each in shown_in(widget))


def node_of(widget: ipywidgets.DOMWidget) -> Node:
    """Describe a widget with all in it."""
    node = Node(
        id=widget.model_id,
        kind="column",
        style={name: value for name in _STYLES if (value := getattr(widget.layout, name))},
        text="",
        error="",
        children=[],
    )
    if isinstance(widget, Viewed):
        node["kind"], node["text"] = "live", module_name(widget)
        node["error"] = str(widget.error)
    elif isinstance(widget, ipywidgets.Box):
        if isinstance(widget, ipywidgets.HBox):
            node["kind"] = "row"
        node["children"] = [node_of(each) for each in widget.children if isinstance(each, SHOWN)]
    else:
        node["kind"], node["text"] = "text", text_of(widget)
    return node


def text_of(widget: ipywidgets.HTML | ipywidgets.Label) -> str:
    """Return what it says, as HTML."""
    value = str(widget.value)
    return value if isinstance(widget, ipywidgets.HTML) else html.escape(value)


def module_name(widget: Viewed[Any]) -> str:
    """Return the name of the JavaScript module of its class."""
    return f"{type(widget).__name__}.js"
