"""Widgets for notebooks, imported when they are first asked for: Bokeh takes its time."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdplab.widgets.dashboard import Dashboard
    from xdplab.widgets.live_figure import LiveFigure

__all__ = ["Dashboard", "LiveFigure"]

_HOMES = {"Dashboard": "dashboard", "LiveFigure": "live_figure"}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
