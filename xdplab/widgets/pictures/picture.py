"""Static pictures of widgets, for a saved notebook without a kernel.

The output of a displayed widget only names the widget, and shows nothing without a kernel. So the
cell gets another output after it, with a picture of each figure in the widget, which is updated
when cells have run. nbconvert, code-hosting sites and a notebook opened without its kernel show the
picture; the style sheet (style/style.css) hides it beside a live figure.

The widget's own output is never changed: JupyterLab would recreate its view.
"""

from __future__ import annotations

import html
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import ipywidgets

from xdplab.net.replacing import current_cell
from xdplab.widgets.base import pump
from xdplab.widgets.base.reruns import Cells, cells

WIDTH = 900
"""Width of an image, in pixels of a page; every layout fits in it."""

_PATIENCE = 5.0  # seconds that the end of a cell waits for the pump

Bundle = Mapping[str, str]
"""The contents of an output, by MIME type."""

Draw = Callable[[], Bundle]


@runtime_checkable
class Pictured(Protocol):
    """A widget with a static picture. Other widgets have only their plain text."""

    def static_picture(self) -> Draw | None:
        """Read the present data; return a function that draws it, or None if nothing has changed.

        It is called on the pump's thread; its result is called on the thread that ran the cell.
        """


def follow_cells() -> None:
    """Make this notebook's cells keep pictures from now on; without a notebook, do nothing."""
    notebook = cells()
    if notebook is not None and notebook.shell not in _followed:
        _followed[notebook.shell] = _Pictures(notebook.shell, notebook)


@dataclass
class _Picture:
    """The output with a widget's picture."""

    widget: weakref.ref[Any]
    display_id: str
    is_shown: bool = False


class _Pictures:
    """All pictures of a notebook."""

    def __init__(self, shell: Any, cells: Cells) -> None:
        self._cells = cells
        self._by_cell: dict[str, list[_Picture]] = {}
        self._bundles: weakref.WeakKeyDictionary[Any, Bundle] = weakref.WeakKeyDictionary()
        shell.events.register("post_run_cell", self._after_cell)

    def _after_cell(self, _result: object) -> None:
        cell = current_cell() or uuid.uuid4().hex
        widgets = dict.fromkeys(one for top in self._cells.displayed for one in pictured(top))
        # The page no longer has the outputs of the cell's last run.
        self._by_cell[cell] = [_Picture(weakref.ref(one), uuid.uuid4().hex) for one in widgets]
        if not widgets:
            del self._by_cell[cell]
        self._bring_up_to_date()

    def _bring_up_to_date(self) -> None:
        pictures = [picture for shown in self._by_cell.values() for picture in shown]
        widgets = {widget for picture in pictures if (widget := picture.widget()) is not None}
        if not widgets:
            return
        changed = {widget: _drawn(widget, draw) for widget, draw in _take(widgets).items() if draw}
        self._bundles.update(changed)
        for picture in pictures:
            widget = picture.widget()
            if widget in changed or (widget in self._bundles and not picture.is_shown):
                _publish(picture, self._bundles[widget])


_followed: weakref.WeakKeyDictionary[Any, _Pictures] = weakref.WeakKeyDictionary()


def pictured(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """Find the widgets with pictures, also in nested boxes."""
    if isinstance(widget, Pictured):
        yield widget
        return
    for child in getattr(widget, "children", ()):
        yield from pictured(child)


@dataclass(eq=False)
class _Question:
    """Calls `static_picture` of all widgets once, on the pump's thread."""

    widgets: set[Any]
    answers: dict[Any, Draw | None] = field(default_factory=dict)
    answered: threading.Event = field(default_factory=threading.Event)

    def beat(self) -> None:
        pump.unsubscribe(self)
        for widget in self.widgets:
            try:
                self.answers[widget] = widget.static_picture()
            except Exception as error:  # one widget's failure must not stop the others
                self.answers[widget] = _failure(error)
        self.answered.set()

    def failed(self, error: Exception) -> None:
        raise error


def _take(widgets: set[Any]) -> dict[Any, Draw | None]:
    question = _Question(widgets)
    pump.subscribe(question)
    return question.answers if question.answered.wait(_PATIENCE) else {}


def _drawn(widget: Any, draw: Draw) -> Bundle:
    try:
        bundle = draw()
    except Exception as error:
        bundle = _failure(error)()
    return {"text/plain": repr(widget), **bundle}


def _failure(error: Exception) -> Draw:
    words = f"no static picture: {type(error).__name__}: {error}"
    return lambda: {"text/html": f'<div class="xdplab-picture">{html.escape(words)}</div>'}


def _publish(picture: _Picture, bundle: Bundle) -> None:
    import IPython.display  # noqa: PLC0415 - only in notebooks

    ipython: Any = IPython.display  # half typed
    words = {"alt": bundle["text/plain"], "width": WIDTH}
    metadata = {"image/png": words} if "image/png" in bundle else {}
    (ipython.update_display if picture.is_shown else ipython.display)(
        bundle, raw=True, metadata=metadata, display_id=picture.display_id
    )
    picture.is_shown = True
