"""Widgets for notebooks, imported when they are first asked for: Bokeh takes its time."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdplab.widgets.controls import Controls
    from xdplab.widgets.dashboard import Dashboard
    from xdplab.widgets.frames import Frames
    from xdplab.widgets.latency import Latency
    from xdplab.widgets.ledger import Ledger
    from xdplab.widgets.live_figure import LiveFigure
    from xdplab.widgets.rings import Rings
    from xdplab.widgets.timeline import Timeline

__all__ = [
    "Controls",
    "Dashboard",
    "Frames",
    "Latency",
    "Ledger",
    "LiveFigure",
    "Rings",
    "Timeline",
]

_HOMES = {
    "Controls": "controls",
    "Dashboard": "dashboard",
    "Frames": "frames",
    "Latency": "latency",
    "Ledger": "ledger",
    "LiveFigure": "live_figure",
    "Rings": "rings",
    "Timeline": "timeline",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
