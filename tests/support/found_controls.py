"""The control of a knob among all that `Controls` shows, without a browser."""

from __future__ import annotations

from typing import Any

import ipywidgets

from support import seen
from xdplab import KNOBS
from xdplab.widgets import Controls
from xdplab.widgets.parts.control import Control


def control(controls: Controls, name: str) -> Any:
    """Find a knob's control."""
    return around(controls, name).control


def around(controls: Controls, name: str) -> Control:
    """Find a knob's control with what is beside and below it."""
    (found,) = (
        part
        for part in seen.parts(controls)
        if isinstance(part, Control) and part.control.tooltip == KNOBS[name].help
    )
    assert found.control.description == KNOBS[name].label
    return found


def is_shown(controls: Controls, name: str) -> bool:
    return bool(around(controls, name).layout.display != "none")


def box(controls: Controls, name: str) -> ipywidgets.Text:
    """Return the box beside a knob's slider."""
    return around(controls, name).children[1]


def word(controls: Controls, name: str) -> str:
    """Return what is said at a knob's control."""
    return seen.word_of(around(controls, name))
