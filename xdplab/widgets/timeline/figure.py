"""The timeline's figure: a strip of marks over time."""

from __future__ import annotations

from bokeh.models import LayoutDOM, Range1d

from xdplab.widgets.history.marks import add_marks, marks_source
from xdplab.widgets.history.window import window_range
from xdplab.widgets.style.plots import styled_plot

MARKS = "marks"
"""Name of the data source of the marks."""


def timeline_figure() -> LayoutDOM:
    """Return the strip; its time axis is aligned with a dashboard's plots."""
    strip = styled_plot(
        x_range=window_range(),
        y_range=Range1d(start=0, end=1),
        height=96,
        min_border_left=58,
        min_border_right=14,
    )
    strip.yaxis.visible = False
    strip.ygrid.visible = False
    add_marks(strip, marks_source(MARKS), font_size="12px")
    return strip
