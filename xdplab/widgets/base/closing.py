"""Closing a widget frees it: ipywidgets keeps every model that is not closed.

`ipywidgets.Widget.close` closes one model. A widget of ours is made of many: children, their
layouts and styles, the figure. So each keeps a list of those that it made.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import ipywidgets
import traitlets

from xdplab.core.fixed_names import FixedNames
from xdplab.widgets.base.models import models_of
from xdplab.widgets.base.reruns import cells


class ClosesModels(FixedNames):
    """Mixin, in front of a class of ipywidgets: `close` closes all models that the widget made."""

    _made: tuple[ipywidgets.Widget, ...] = ()
    _unshown: tuple[ipywidgets.Widget, ...] = ()
    """Widgets that it made, but is not showing."""
    _is_closed = False

    def __init_subclass__(cls, **options: Any) -> None:
        """Make the `repr` of a closed widget say that it is closed."""
        super().__init_subclass__(**options)
        if "__repr__" in vars(cls):
            cls.__repr__ = _or_closed(cls.__repr__)  # type: ignore[method-assign]

    def _fix_names(self, owner: type) -> None:
        super()._fix_names(owner)
        # Now, at the end of the constructor: what a user puts into the widget later is theirs.
        self._made = tuple(models_of(self, *self._unshown))
        if (notebook := cells()) is not None:
            notebook.made(self)

    def close(self) -> None:
        """Close the widget and all models that it made, and free what they hold; engines go on.

        A model that the user put into it stays open. To close it again does nothing.
        """
        if self._is_closed:
            return
        self._is_closed = True
        for model in self._made or tuple(models_of(self, *self._unshown)):
            if model is not self:
                model.close()
        _unlink(self)
        super().close()  # type: ignore[misc]


def _unlink(widget: Any) -> None:
    """Drop all observers; a link to another widget would keep this one alive with that one."""
    for by_kind in list(widget._trait_notifiers.values()):
        for observers in list(by_kind.values()):
            for observer in list(observers):
                link = getattr(observer, "__self__", None)
                if isinstance(link, traitlets.link | traitlets.directional_link):
                    link.unlink()
    widget.unobserve_all()


def _or_closed(said: Callable[[Any], str]) -> Callable[[Any], str]:
    @functools.wraps(said)
    def says(self: Any) -> str:
        words = said(self)
        return f"<closed {words.removeprefix('<')}" if self._is_closed else words

    return says
