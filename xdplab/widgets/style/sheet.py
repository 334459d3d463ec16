"""The one style sheet of all widgets: the palette, and `style.css`."""

from __future__ import annotations

from pathlib import Path

from xdplab.widgets.style.palette import ORANGE, SKY

_PALETTE = f":root {{ --xdplab-orange: {ORANGE}; --xdplab-sky: {SKY}; }}\n"

SHEET = _PALETTE + Path(__file__).with_name("style.css").read_text()
"""Its text. A page has it once it shows a live figure, a table, controls or the doctor."""
