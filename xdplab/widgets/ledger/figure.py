"""The ledger widget's figure: a stream along counting points, with joining and leaving bands."""

from __future__ import annotations

from bokeh.models import ColumnDataSource, LayoutDOM, Range1d
from bokeh.plotting import figure

from xdplab.widgets.ledger.flow import Kind
from xdplab.widgets.style.palette import BLUE, GREY, ORANGE, PURPLE, SKY, VERMILLION
from xdplab.widgets.style.plots import styled_plot
from xdplab.widgets.style.scaling import Scaling

COLORS = {
    Kind.STREAM: BLUE,
    Kind.JOINED: SKY,
    Kind.LOST: VERMILLION,
    Kind.WAITING: ORANGE,
    Kind.ASIDE: GREY,
    Kind.REMAINDER: PURPLE,
}
"""Sources of the areas; each area has words beside it."""

# Packets in flight are hatched: they will soon be elsewhere.
_HATCHES = {Kind.WAITING: "right_diagonal_line", Kind.REMAINDER: "left_diagonal_line"}

WORDS = ("counting point words", "in words", "out words")
"""Sources of text: above a counting point, beside joining and beside leaving bands."""

_FONT_SIZE = "11px"
_ROOMY = 760  # pixels of width that the words need in this size


def ledger_figure() -> LayoutDOM:
    """Return the figure, whose sources are those of `LedgerFeeds.feeds`.

    A unit upwards is one pixel if the height of ``flow`` equals the length of the range ``across``.
    """
    plot = styled_plot(
        x_axis_type="linear",
        x_range=Range1d(start=0, end=4, name="along"),
        y_range=Range1d(start=-100, end=200, name="across"),
        height=300,
        min_border=0,
        min_border_left=0,
        min_border_right=0,
        name="flow",
    )
    plot.axis.visible = False
    plot.grid.visible = False
    for kind, color in COLORS.items():
        plot.patch(
            "x",
            "y",
            source=ColumnDataSource({"x": [], "y": []}, name=kind.value),
            fill_color=color,
            alpha=0.85,
            line_color=None if kind == Kind.STREAM else color,
            line_width=1.5,  # so that a thin band is seen where it is steep
            hatch_pattern=_HATCHES.get(kind),
            hatch_color="white",
            hatch_alpha=0.6,
            hatch_scale=8,
        )
    places = ColumnDataSource({"x": [], "low": [], "high": []}, name="points")
    plot.segment("x", "low", "x", "high", source=places, color=GREY, line_width=4)
    leaders = ColumnDataSource({"x": [], "low": [], "high": []}, name="leaders")
    plot.segment("x", "low", "x", "high", source=leaders, color=SKY, line_dash="dotted")
    _add_words(plot)
    return plot


def _add_words(plot: figure) -> None:
    scaling = Scaling(plot, _ROOMY)
    size = scaling.text(_FONT_SIZE)
    above, joining, leaving = (
        ColumnDataSource({"x": [], "y": [], "text": []}, name=name) for name in WORDS
    )
    plot.text(
        "x", "y", "text", source=above, text_align="center", text_baseline="bottom",
        text_font_size=size,
    )  # fmt: skip
    for source in (joining, leaving):
        plot.text(
            "x", "y", "text", source=source, x_offset=6, text_baseline="middle",
            text_font_size=size,
        )  # fmt: skip
    scaling.follow()
