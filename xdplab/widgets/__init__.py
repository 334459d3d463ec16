"""Widgets for notebooks, imported at first use because Bokeh is slow to import."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdplab.widgets.compare.widget import Compare
    from xdplab.widgets.controls.widget import Controls
    from xdplab.widgets.dashboard.widget import Dashboard
    from xdplab.widgets.doctor.widget import Doctor
    from xdplab.widgets.filter_rules.widget import RuleEditor
    from xdplab.widgets.frames.widget import Frames
    from xdplab.widgets.front.widget import Front
    from xdplab.widgets.latency.widget import LatencyView
    from xdplab.widgets.ledger.widget import LedgerView
    from xdplab.widgets.live_figure import LiveFigure
    from xdplab.widgets.page.page import LivePage
    from xdplab.widgets.program.widget import ProgramView
    from xdplab.widgets.rings.widget import Rings
    from xdplab.widgets.sweep.widget import Sweep
    from xdplab.widgets.timeline.widget import Timeline

__all__ = [
    "Compare",
    "Controls",
    "Dashboard",
    "Doctor",
    "Frames",
    "Front",
    "LatencyView",
    "LedgerView",
    "LiveFigure",
    "LivePage",
    "ProgramView",
    "Rings",
    "RuleEditor",
    "Sweep",
    "Timeline",
]

_HOMES = {
    "Compare": "compare.widget",
    "Controls": "controls.widget",
    "Dashboard": "dashboard.widget",
    "Doctor": "doctor.widget",
    "Frames": "frames.widget",
    "Front": "front.widget",
    "LatencyView": "latency.widget",
    "LedgerView": "ledger.widget",
    "LiveFigure": "live_figure",
    "LivePage": "page.page",
    "ProgramView": "program.widget",
    "Rings": "rings.widget",
    "RuleEditor": "filter_rules.widget",
    "Sweep": "sweep.widget",
    "Timeline": "timeline.widget",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
