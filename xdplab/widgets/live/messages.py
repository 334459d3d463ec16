"""The messages between a widget in the kernel and its views in browsers.

::

    browser                              kernel
    figure (a view was rendered)  ──▶
                                  ◀──    figure: the Bokeh document as JSON
    library (BokehJS is missing)  ──▶
                                  ◀──    library: BokehJS of the installed bokeh, gzipped
    rows (figure or table stands) ──▶
                                  ◀──    rows: all rows, and the widget's state
                                  ◀──    rows: what came since
    got (drawn up to here)        ──▶
    here (a view without rows)    ──▶    again and again
    filter, pause (turned there)  ──▶    for every view: the next rows say so to the others
    frame (a row was clicked)     ──▶
                                  ◀──    frame: its layers, and its bytes; or gone
    bye (the view was disposed)   ──▶

A view has a name that it chose at random. Each of its messages has that name, and each message of
the kernel has the names of the views that it is for. A view repeats a request after some seconds
without an answer, so a lost message, a page reload, a second browser and a laptop that slept are
all handled alike. `view.js` is the browser's half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict


class FromView(TypedDict):
    """A request, or "bye"."""

    view: str
    kind: Literal["figure", "library", "rows", "here", "bye", "got", "filter", "pause", "frame"]


class Got(FromView):
    """A view has drawn the rows of a number."""

    number: int


class FilterSet(FromView):
    """A view's filter was changed."""

    text: str


class Paused(FromView):
    """A view's pause was turned on or off."""

    paused: bool


class FrameChosen(FromView):
    """A row was clicked."""

    number: int


class ToViews(TypedDict):
    """An answer that is all in its buffers: "figure", "library"."""

    kind: Literal["figure", "library", "rows", "frame", "gone"]
    views: list[str]


class Source(TypedDict):
    """New rows of one data source.

    If there are `numbers`, the message has a float64 buffer with their columns one after the other.
    """

    id: str
    replace: bool
    numbers: list[str]
    texts: dict[str, list[str]]


class FigureRows(ToViews):
    """New rows of a figure, and the properties that were set."""

    number: int
    rollover: int
    properties: Mapping[str, Mapping[str, object]]
    sources: list[Source]


class TableRows(ToViews):
    """New rows of the table of frames, and its state."""

    number: int
    replace: bool
    rows: list[dict[str, str | int]]
    state: dict[str, Any]
    examples: Sequence[str]
    colors: Mapping[str, str]


class FrameGone(ToViews):
    """The frame of a row is no longer kept."""

    row: int


class FrameDetails(FrameGone):
    """The layers of a frame; its bytes are the buffer."""

    layers: Sequence[Mapping[str, Any]]
    about: str
