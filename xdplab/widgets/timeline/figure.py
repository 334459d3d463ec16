"""The timeline's figure: a lane for each knob, over time."""

from __future__ import annotations

from typing import Any

from bokeh.models import ColumnDataSource, LayoutDOM, Range1d, SingleIntervalTicker

from xdplab.widgets.history.marks import label_options, marks_hover
from xdplab.widgets.history.window import window_range
from xdplab.widgets.style.palette import GREY
from xdplab.widgets.style.plots import styled_plot
from xdplab.widgets.timeline.lanes import CHANGE_NUMBERS, CHANGE_TEXTS, NAME_NUMBERS, NAME_TEXTS

CHANGES, NAMES = "marks", "names"
"""Names of the data sources."""

STRIP, LANES = "strip", "lanes"
"""Names of the plot and of its range of lanes, whose first lane is at the top."""

_LANE = 34  # pixels
_AXIS = 32


def height(lanes: int) -> int:
    """Return the height of the strip, in pixels."""
    return _AXIS + _LANE * max(lanes, 1)


def timeline_figure() -> LayoutDOM:
    """Return the strip; its time axis is aligned with a dashboard's plots."""
    strip = styled_plot(
        x_range=window_range(),
        y_range=Range1d(start=1, end=0, name=LANES),
        height=height(1),
        min_border_left=58,
        min_border_right=14,
        name=STRIP,
    )
    strip.yaxis.visible = False
    strip.ygrid.ticker = SingleIntervalTicker(interval=1)
    changes, names = (
        ColumnDataSource({column: [] for column in columns}, name=name)
        for name, columns in (
            (CHANGES, (*CHANGE_NUMBERS, *CHANGE_TEXTS)),
            (NAMES, (*NAME_NUMBERS, *NAME_TEXTS)),
        )
    )
    tick: dict[str, Any] = {"x0": "time", "x1": "time", "y0": "top", "y1": "bottom"}
    tick |= {"source": changes, "line_color": GREY}
    strip.segment(**tick, line_width=2)
    # Wide enough to be hit with a mouse.
    target = strip.segment(**tick, line_width=9, line_alpha=0)
    strip.text(
        x="time",
        y="top",
        text="name",
        source=names,
        x_offset=4,
        text_baseline="top",
        text_font_size="11px",
        text_alpha=0.7,
    )
    strip.text(
        y="bottom",
        y_offset=-3,
        text_baseline="bottom",
        **label_options(changes, "12px"),
    )
    strip.add_tools(marks_hover(target))
    return strip
