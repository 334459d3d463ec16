"""Static pictures: what a saved notebook shows of its widgets where no kernel runs.

A widget that a cell shows is an output that names the widget, and without a kernel shows nothing.
So behind it the cell gets another output, a picture of each figure in the widget, which is brought
up to date when cells have run. nbconvert, code-hosting sites and a notebook that is opened without
its kernel show the picture; beside a figure that lives, a style sheet (picture.css) hides it.

The widget's own output is never touched: JupyterLab would make its view anew.
"""

from __future__ import annotations

import html
import sys
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import ipywidgets

from xdplab.net.claims import current_cell
from xdplab.widgets.live import pump

STYLE = Path(__file__).with_name("picture.css")
"""The style sheet that hides a picture beside the figure that lives."""

WIDTH = 900
"""Of an image, in pixels of a page: what every layout has room in."""

_PATIENCE = 5.0  # seconds that the end of a cell waits for the pump

Bundle = Mapping[str, str]
"""What is to be seen, by MIME type."""

Draw = Callable[[], Bundle]


@runtime_checkable
class Pictured(Protocol):
    """A widget that can be seen without its kernel. Of others only the plain text is kept."""

    def static_picture(self) -> Draw | None:
        """Take what is to be seen now; return what draws it, or None where nothing has changed.

        This is called on the pump's thread, and what it returns on the one that ran the cell.
        """


def follow_cells() -> None:
    """Have this notebook's cells keep pictures from now on; elsewhere, do nothing."""
    ipython: Any = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython else None
    if hasattr(shell, "kernel") and shell not in _followed:
        _followed[shell] = _Pictures(shell)


@dataclass
class _Picture:
    """The output that shows a widget's picture."""

    widget: weakref.ref[Any]
    display_id: str
    is_shown: bool = False


class _Pictures:
    """All pictures of a notebook."""

    def __init__(self, shell: Any) -> None:  # noqa: ANN401 - IPython is untyped
        self._displayed: list[ipywidgets.Widget] = []  # by the cell that runs
        self._by_cell: dict[str, list[_Picture]] = {}
        self._bundles: weakref.WeakKeyDictionary[Any, Bundle] = weakref.WeakKeyDictionary()
        shell.display_formatter.mimebundle_formatter.for_type(ipywidgets.Widget, self._display)
        shell.events.register("pre_run_cell", self._before_cell)
        shell.events.register("post_run_cell", self._after_cell)

    def _display(self, widget: ipywidgets.Widget, **options: Any) -> Any:  # noqa: ANN401
        self._displayed.append(widget)
        # What a closed widget has is None.
        return widget._repr_mimebundle_ and widget._repr_mimebundle_(**options)

    def _before_cell(self, _info: object) -> None:
        self._displayed.clear()

    def _after_cell(self, _result: object) -> None:
        cell = current_cell() or uuid.uuid4().hex
        widgets = dict.fromkeys(one for top in self._displayed for one in pictured(top))
        self._displayed.clear()
        # What the cell showed when it last ran is gone from the page.
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
    """Find the widgets with pictures, also in boxes of boxes."""
    if isinstance(widget, Pictured):
        yield widget
        return
    for child in getattr(widget, "children", ()):
        yield from pictured(child)


@dataclass(eq=False)
class _Question:
    """Asks all widgets on the pump's thread, once."""

    widgets: set[Any]
    answers: dict[Any, Draw | None] = field(default_factory=dict)
    answered: threading.Event = field(default_factory=threading.Event)

    def beat(self) -> None:
        pump.unsubscribe(self)
        for widget in self.widgets:
            try:
                self.answers[widget] = widget.static_picture()
            except Exception as error:  # a widget that can't is no reason to fail the others
                self.answers[widget] = _failure(error)
        self.answered.set()

    def failed(self, error: Exception) -> None:
        raise error


def _take(widgets: set[Any]) -> dict[Any, Draw | None]:
    question = _Question(widgets)
    pump.subscribe(question)
    return question.answers if question.answered.wait(_PATIENCE) else {}


def _drawn(widget: Any, draw: Draw) -> Bundle:  # noqa: ANN401
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
