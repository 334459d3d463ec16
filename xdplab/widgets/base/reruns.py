"""Closes widgets that an earlier run of a notebook cell made, once nothing shows them.

A cell that runs again makes new widgets. The page drops the old ones, but ipywidgets keeps them,
with all that they hold. An old one is closed when no cell's latest output has it, no browser has a
view of it, and no variable of the notebook names it.
"""

from __future__ import annotations

import re
import sys
import weakref
from typing import Any

import ipywidgets

from xdplab.net.replacing import current_cell
from xdplab.widgets.base import pump
from xdplab.widgets.base.models import models_of

# IPython's own names of results and inputs: _, __, _12, _i, _ii, _i12, _ih, _oh.
_OF_IPYTHON = re.compile(r"_+|_\d+|_i+|_i\d+|_[iod]h|Out|In")


class Cells:
    """What each cell of a notebook made and displays.

    Parameters
    ----------
    shell
        The notebook's.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        """The notebook's."""
        self.displayed: list[ipywidgets.Widget] = []
        """What the cell that runs has displayed."""
        self._shown: dict[str, list[weakref.ref[Any]]] = {}  # by the latest run of each cell
        self._made: dict[str, weakref.WeakSet[Any]] = {}  # likewise
        self._old: weakref.WeakSet[Any] = weakref.WeakSet()  # made by earlier runs
        self._runs = True
        shell.display_formatter.mimebundle_formatter.for_type(ipywidgets.Widget, self._display)
        shell.events.register("pre_run_cell", self._before_cell)
        shell.events.register("post_run_cell", self._after_cell)

    def made(self, widget: Any) -> None:
        """Note that the cell that runs made a widget."""
        if (cell := current_cell()) is not None:
            self._made.setdefault(cell, weakref.WeakSet()).add(widget)

    def _display(self, widget: Any, **options: Any) -> Any:
        self.displayed.append(widget)
        # The attributes of a closed widget are None.
        return widget._repr_mimebundle_ and widget._repr_mimebundle_(**options)

    def _before_cell(self, _info: object) -> None:
        self._runs = True
        self.displayed.clear()
        if (cell := current_cell()) is not None:
            self._old.update(self._made.pop(cell, ()))

    def _after_cell(self, _result: object) -> None:
        self._runs = False
        if (cell := current_cell()) is not None:
            self._shown[cell] = [weakref.ref(widget) for widget in self.displayed]
        # A view that the page has just removed says so only when the kernel is free.
        if self._close_unshown():
            pump.subscribe(self)

    def beat(self) -> None:
        """Close those whose views are gone."""
        if not self._runs and not self._close_unshown():
            pump.unsubscribe(self)

    def failed(self, error: Exception) -> None:
        """Leave the widgets as they are until the next cell has run."""

    def _close_unshown(self) -> bool:
        """Close what nothing shows; return whether some are left only because of a view."""
        if not self._old:
            return False
        tops = [top for shown in self._shown.values() for each in shown if (top := each())]
        named = [
            value
            for name, value in list(self.shell.user_ns.items())
            if isinstance(value, ipywidgets.Widget) and not _OF_IPYTHON.fullmatch(name)
        ]
        kept = set(models_of(*tops, *named))
        viewed = False
        for widget in list(self._old):
            if widget.comm is None:
                self._old.discard(widget)
            elif widget not in kept:
                if any(getattr(model, "watched", False) for model in models_of(widget)):
                    viewed = True
                else:
                    self._old.discard(widget)
                    widget.close()
        return viewed


_cells: weakref.WeakKeyDictionary[Any, Cells] = weakref.WeakKeyDictionary()


def cells() -> Cells | None:
    """Return the cells of this notebook; None outside of one."""
    ipython: Any = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython else None
    if not hasattr(shell, "kernel"):
        return None
    if shell not in _cells:
        _cells[shell] = Cells(shell)
    return _cells[shell]
