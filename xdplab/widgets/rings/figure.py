"""The drawing of four rings, with the kernel and the worker between them.

A frame moves clockwise, as do the ends of each ring::

    fill ───▶ kernel ───▶ RX
        ◀──┐         ┌───
            worker
        ┌──▶         ───▶┐
    completion ◀─ kernel ◀─ TX

Units are pixels at the drawing's full width, from the lower left corner. On a narrow page all of it
is smaller.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bokeh.models import ColumnDataSource, CustomJS, HoverTool, Range1d, TapTool
from bokeh.plotting import figure

from xdplab.widgets.rings.state import Home, RingName
from xdplab.widgets.rings.words import COLORS, HANDS_NAMES, NAMES, OUTLINE
from xdplab.widgets.style.palette import GREY, KEEP_INK, YELLOW
from xdplab.widgets.style.plots import styled_plot
from xdplab.widgets.style.scaling import Scaling

WIDTH, HEIGHT = 712, 556
_SMALLEST = 7  # pixels of the letters of a small drawing


class Point(NamedTuple):
    """A place in the drawing."""

    x: float
    y: float


CENTRES: Mapping[RingName, Point] = {
    "fill": Point(138, 418),
    "rx": Point(574, 418),
    "tx": Point(574, 138),
    "completion": Point(138, 138),
}
OUTER, INNER = 110.0, 74.0
"""Radii of a ring's entries."""
PIN = 9.0
"""Radii of the pins that mark a ring's ends: the producer's outside, the consumer's inside."""
_TURN = 47.0  # radius of the arrow that shows which way a ring turns

HANDS: Mapping[Home, Point] = {
    "filling": Point(356, 418),
    "worker": Point(356, 278),
    "sending": Point(356, 138),
}
HAND_WIDTH, HAND_HEIGHT = 112, 58

LAMPS: Mapping[RingName, Point] = {
    name: Point(CENTRES[name].x - 22, CENTRES[name].y - 36) for name in ("fill", "tx")
}

NUMBERS: Mapping[str, Sequence[str]] = {
    "entries": ("x", "y", "start", "end", "alpha", "text_x", "text_y", "tilt"),
    "pins": ("x", "y", "tip_x", "tip_y"),
    "words": ("x", "y"),
    "lamps": ("x", "y"),
    "followed_entry": ("x", "y", "start", "end"),
    "followed_hand": ("x", "y"),
}
TEXTS: Mapping[str, Sequence[str]] = {
    "entries": ("color", "ink", "number", "size", "frame", "said"),
    "pins": ("color", "ink", "letter"),
    "words": ("text", "size"),
}
"""The text columns of each source, in addition to its `NUMBERS`."""

# Writes the number into the box of the followed frame, as a person would.
_FOLLOW = """
const [row] = entries.inspected.indices;
const frame = row === undefined ? "" : entries.data.frame[row];
for (const box of frame === "" ? [] : document.querySelectorAll(`.${name} input`)) {
    box.value = frame;
    box.dispatchEvent(new Event("change", {bubbles: true}));
}
"""


def rings_figure(follow_box: str) -> figure:
    """Return the drawing, with a source for each of `NUMBERS`.

    Parameters
    ----------
    follow_box
        CSS class of the box into which a click on an entry writes its frame's number.
    """
    plot = styled_plot(
        x_axis_type="linear",
        sizing_mode="scale_width",
        width=WIDTH,
        height=HEIGHT,
        max_width=WIDTH,
        aspect_ratio=WIDTH / HEIGHT,
        x_range=Range1d(start=0, end=WIDTH),
        y_range=Range1d(start=0, end=HEIGHT),
        min_border=0,
        min_border_left=0,
        min_border_right=0,
    )
    plot.axis.visible = False
    plot.grid.visible = False
    sources = {
        name: ColumnDataSource({column: [] for column in (*NUMBERS[name], *TEXTS.get(name, ()))})
        for name in NUMBERS
    }
    for name, source in sources.items():
        source.name = name
    scaling = Scaling(plot, WIDTH, _SMALLEST)
    _draw_ways(plot)
    _draw_hands(plot, sources["followed_hand"], scaling)
    _draw_entries(plot, sources, follow_box, scaling)
    _draw_pins(plot, sources["pins"], scaling)
    _draw_centres(plot, sources["lamps"], scaling)
    _write(plot, "x", "y", "text", size=scaling.text("size"), source=sources["words"])
    scaling.follow()
    return plot


def _draw_entries(
    plot: figure,
    sources: Mapping[str, ColumnDataSource],
    follow_box: str,
    scaling: Scaling,
) -> None:
    entries = plot.annular_wedge(
        "x",
        "y",
        INNER,
        OUTER,
        "start",
        "end",
        direction="clock",
        source=sources["entries"],
        fill_color="color",
        fill_alpha="alpha",
        line_color=None,
    )
    for color, width in OUTLINE:
        plot.annular_wedge(
            "x",
            "y",
            INNER - 2,
            OUTER + 2,
            "start",
            "end",
            direction="clock",
            source=sources["followed_entry"],
            fill_alpha=0,
            line_color=color,
            line_width=width,
        )
    _write(
        plot,
        "text_x",
        "text_y",
        "number",
        size=scaling.text("size"),
        source=sources["entries"],
        angle="tilt",
        text_color="ink",
        tags=[KEEP_INK],
    )
    follow = CustomJS(args={"entries": sources["entries"], "name": follow_box}, code=_FOLLOW)
    plot.add_tools(
        HoverTool(renderers=[entries], tooltips="@said"),
        TapTool(renderers=[entries], behavior="inspect", callback=follow),
    )


def _draw_pins(plot: figure, source: ColumnDataSource, scaling: Scaling) -> None:
    plot.segment("x", "y", "tip_x", "tip_y", source=source, line_color="color", line_width=3)
    size = scaling.pixels(2 * PIN)
    plot.scatter("x", "y", size=size, source=source, fill_color="color", line_color="color")
    _write(
        plot,
        "x",
        "y",
        "letter",
        size=scaling.text("11px"),
        source=source,
        text_font_style="bold",
        text_color="ink",
        tags=[KEEP_INK],
    )


def _draw_centres(plot: figure, lamps: ColumnDataSource, scaling: Scaling) -> None:
    """Draw the middle of each ring, except its figures."""
    x, y = zip(*CENTRES.values(), strict=True)
    names = list(NAMES.values())
    _write(plot, x, [up + 25 for up in y], names, size=scaling.text("13px"), text_font_style="bold")
    sweep: dict[str, Any] = {
        "radius": _TURN,
        "start_angle": math.radians(128),
        "end_angle": math.radians(62),
    }
    plot.arc(x, y, direction="clock", line_color=GREY, line_width=2, **sweep)
    for centre in CENTRES.values():
        _draw_head(plot, _around(centre, _TURN, math.radians(54)), math.radians(54 - 90))
    x, y = zip(*LAMPS.values(), strict=True)
    _write(plot, [right + 29 for right in x], y, ["wakeup", "wakeup"], size=scaling.text("10px"))
    off, glow, lit = (scaling.pixels(size) for size in (9, 18, 10))
    plot.scatter(x, y, size=off, fill_alpha=0, line_color=GREY)
    plot.scatter("x", "y", size=glow, fill_color=YELLOW, fill_alpha=0.4, line_alpha=0, source=lamps)
    plot.scatter("x", "y", size=lit, fill_color=YELLOW, line_color=GREY, source=lamps)


def _draw_hands(plot: figure, followed: ColumnDataSource, scaling: Scaling) -> None:
    for home, hand in HANDS.items():
        color = COLORS["worker" if home == "worker" else "kernel"]
        plot.rect(
            [hand.x],
            [hand.y],
            HAND_WIDTH,
            HAND_HEIGHT,
            fill_color=color,
            fill_alpha=0.15,
            line_color=color,
        )
    for line_color, width in OUTLINE:
        plot.rect(
            "x",
            "y",
            HAND_WIDTH + 6,
            HAND_HEIGHT + 6,
            source=followed,
            fill_alpha=0,
            line_color=line_color,
            line_width=width,
        )
    x, y = zip(*HANDS.values(), strict=True)
    names = [HANDS_NAMES[home] for home in HANDS]
    _write(plot, x, [up + 11 for up in y], names, size=scaling.text("12px"), text_font_style="bold")


def _draw_ways(plot: figure) -> None:
    """Draw the arrows of frames between the rings and the kernel or worker."""
    ways: list[tuple[Point, Point]] = [
        (CENTRES["fill"], HANDS["filling"]),
        (HANDS["filling"], CENTRES["rx"]),
        (CENTRES["rx"], HANDS["worker"]),
        (HANDS["worker"], CENTRES["tx"]),
        (CENTRES["tx"], HANDS["sending"]),
        (HANDS["sending"], CENTRES["completion"]),
        (CENTRES["completion"], HANDS["worker"]),
        (HANDS["worker"], CENTRES["fill"]),
    ]
    for begin, end in ways:
        angle = math.atan2(end.y - begin.y, end.x - begin.x)
        first = _around(begin, _clearance(begin, angle), angle)
        last = _around(end, _clearance(end, angle), angle + math.pi)
        neck = _around(last, 6, angle + math.pi)
        plot.segment([first.x], [first.y], [neck.x], [neck.y], line_color=GREY, line_width=2)
        _draw_head(plot, last, angle)


def _clearance(place: Point, angle: float) -> float:
    """Return the distance from the middle of a ring or a box to its edge, in a direction."""
    if place in CENTRES.values():
        return OUTER + 2 * PIN + 9
    across = HAND_WIDTH / 2 / max(abs(math.cos(angle)), 1e-9)
    upwards = HAND_HEIGHT / 2 / max(abs(math.sin(angle)), 1e-9)
    return min(across, upwards) + 6


def _draw_head(plot: figure, tip: Point, angle: float) -> None:
    corners = [tip, *(_around(tip, 11, angle + math.pi + side) for side in (0.45, -0.45))]
    x, y = zip(*corners, strict=True)
    plot.patch(x, y, fill_color=GREY, line_color=None)


def _around(centre: Point, radius: float, angle: float) -> Point:
    return Point(centre.x + radius * math.cos(angle), centre.y + radius * math.sin(angle))


def _write(plot: figure, x: Any, y: Any, text: Any, *, size: Any, **options: Any) -> None:
    """Write texts in the page's colour, centred at their places."""
    looks: dict[str, Any] = {
        "text_align": "center",
        "text_baseline": "middle",
        "text_font_size": size,
    }
    plot.text(x, y, text, **looks, **options)
