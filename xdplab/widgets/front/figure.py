"""The front's figure: rate over p99, with a point for each setting that was tried."""

from __future__ import annotations

from bokeh.models import ColumnDataSource, CustomJS, FixedTicker, HoverTool, Range1d, TapTool
from bokeh.plotting import figure

from xdplab.widgets.front.points import NUMBERS, TEXTS, Points
from xdplab.widgets.style.log_time import duration_ticks, ticks
from xdplab.widgets.style.palette import VERMILLION
from xdplab.widgets.style.plots import si_ticks, styled_plot

_TOP = 1.12  # of the highest point
_PRESENT_SIZE = 26

# Writes into a text box, as a person would. The time makes the text of each click unique.
_TELL = """
const [row] = points.inspected.indices;
for (const box of row === undefined ? [] : document.querySelectorAll(`.${name} input`)) {
    box.value = `${points.data.row[row]} ${Date.now()}`;
    box.dispatchEvent(new Event("change", {bubbles: true}));
}
"""


def front_figure(drawn: Points, click_box: str) -> figure:
    """Return the figure, with a source for each of `points.NUMBERS`.

    Parameters
    ----------
    drawn
        The points to show, which set its axes.
    click_box
        CSS class of the box into which a click on a point writes its row in `Tuning.trials` and a
        time, so that each click is a change.
    """
    sources = {
        name: ColumnDataSource({column: [] for column in (*NUMBERS[name], *TEXTS[name])}, name=name)
        for name in NUMBERS
    }
    plot = styled_plot(
        "packets received a second",
        x_axis_type="log",
        x_range=Range1d(start=drawn.latency.start, end=drawn.latency.end),
        y_range=Range1d(start=0, end=_TOP * drawn.fastest),
        height=340,
        name="front",
    )
    marks = FixedTicker(ticks=ticks(drawn.latency))
    plot.xaxis.ticker = marks
    plot.xgrid.ticker = marks
    plot.xaxis.formatter = duration_ticks()
    plot.xaxis.axis_label = "latency p99"
    plot.yaxis.formatter = si_ticks()
    shown = plot.scatter(
        "x",
        "y",
        size="size",
        source=sources["points"],
        fill_color="color",
        fill_alpha="alpha",
        line_color="#808080",
        line_alpha="edge",
    )
    plot.scatter(
        "x",
        "y",
        size=_PRESENT_SIZE,
        source=sources["present"],
        fill_alpha=0,
        line_color=VERMILLION,
        line_width=2.5,
    )
    for name, size in (("places", "12px"), ("begin", "11px")):
        plot.text(
            "x",
            "y",
            "text",
            source=sources[name],
            x_offset="right",
            y_offset="down",
            text_align="center",
            text_font_size=size,
        )
    tell = CustomJS(args={"points": sources["points"], "name": click_box}, code=_TELL)
    plot.add_tools(
        HoverTool(renderers=[shown], tooltips="@said{safe}", point_policy="follow_mouse"),
        TapTool(renderers=[shown], behavior="inspect", callback=tell),
    )
    return plot
