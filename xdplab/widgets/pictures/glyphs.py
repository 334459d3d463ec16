"""Bokeh's glyphs drawn with matplotlib: those that our figures have become lines, areas or text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.core.property.vectorization import Field, Value
from bokeh.models import glyphs
from bokeh.models.glyph import Glyph
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.transforms import Transform

BokehModel = Any
"""Untyped, since Bokeh's types include shorthands that a finished figure does not have."""
Columns = Mapping[str, Any]
Points = npt.NDArray[np.float64]
"""Arrays of shape (points, 2): x and y."""
Shapes = list[Points]

PIXEL = 0.75
"""Of Bokeh's, in points, of which matplotlib counts sizes: a pixel is 1/96 of an inch."""

_ARC_STEP = 0.05  # radians from one point of an arc to the next

_DASHES: Mapping[str, str] = {
    "solid": "-",
    "dashed": "--",
    "dotted": ":",
    "dotdash": "-.",
    "dashdot": "-.",
}
_BASELINES = {
    "top": "top",
    "hanging": "top",
    "middle": "center",
    "bottom": "bottom",
    "ideographic": "bottom",
    "alphabetic": "baseline",
}


class CannotDrawError(Exception):
    """A figure has a part that no static picture can show yet."""


@dataclass(frozen=True)
class Drawing:
    """A glyph, its data, and the axes to draw on.

    Parameters
    ----------
    axes
        The axes to draw on.
    glyph
        A glyph.
    columns
        The data of its source.
    level
        Drawings with a higher level are drawn above.
    transform
        From its coordinates to the canvas; None: the coordinates of the axes.
    """

    axes: Axes
    glyph: Any
    columns: Columns
    level: float
    transform: Transform | None = None

    def get(self, name: str) -> Any:
        """Return a property: one value, or an array with a value for each row."""
        prop = self.glyph.lookup(name)
        spec = prop.get_value(self.glyph)
        if isinstance(spec, Field):
            return np.asarray(self.columns[spec.field])
        return spec.value if isinstance(spec, Value) else spec

    def numbers(self, *names: str) -> list[Points]:
        """Return properties as columns of one length, with single numbers repeated."""
        along = [np.atleast_1d(np.asarray(self.get(name), dtype=float)) for name in names]
        return [np.array(column) for column in np.broadcast_arrays(*along)]

    def colors(self, kind: str) -> list[tuple[float, float, float, float]]:
        """Return red, green, blue and alpha of "line", "fill" or "text": one, or one a row."""
        colors, alphas = np.broadcast_arrays(
            np.atleast_1d(np.asarray(self.get(f"{kind}_color"), dtype=object)),
            np.atleast_1d(self.get(f"{kind}_alpha")),
        )
        return [
            (0.0, 0.0, 0.0, 0.0) if color is None else to_rgba(color, float(alpha))
            for color, alpha in zip(colors, alphas, strict=True)
        ]

    def line(self) -> dict[str, Any]:
        """Return matplotlib's options for the style of lines."""
        dash = self.get("line_dash")
        # Bokeh stores a named dash as the lengths of its strokes and gaps.
        style: Any = "-" if len(dash) == 0 else dash if isinstance(dash, str) else (0, tuple(dash))
        return {
            "linewidths": np.atleast_1d(self.get("line_width")).astype(float) * PIXEL,
            "linestyles": _DASHES.get(dash, "-") if isinstance(dash, str) else style,
            "zorder": self.level,
        }

    def font(self) -> dict[str, Any]:
        """Return matplotlib's options for the style of text, except its colour and size."""
        return {
            "fontweight": "bold" if "bold" in _one(self.get("text_font_style")) else "normal",
            "fontstyle": "italic" if "italic" in _one(self.get("text_font_style")) else "normal",
            "va": _BASELINES[_one(self.get("text_baseline"))],
            "zorder": self.level,
        }


def _one(value: Any) -> str:
    return str(np.atleast_1d(value)[0])


def draw_glyph(drawing: Drawing) -> Artist | None:
    """Draw a glyph.

    Returns
    -------
    Artist
        The artist for the legend; None if there is nothing to draw.

    Raises
    ------
    CannotDrawError
        For a glyph that is not in the tables below.
    """
    kind = type(drawing.glyph)
    for table, draw in ((_LINES, _draw_lines), (_AREAS, _draw_areas)):
        if kind in table:
            return draw(drawing, table[kind](drawing))
    if kind is glyphs.Scatter:
        return _draw_markers(drawing)
    if kind is glyphs.VSpan:
        return _draw_spans(drawing)
    if kind is glyphs.Text:
        _draw_text(drawing)
        return None
    raise CannotDrawError(f"no static picture of Bokeh's glyph {kind.__name__}")


def _draw_lines(drawing: Drawing, shapes: Shapes) -> Artist:
    return _add(drawing, LineCollection(shapes, colors=drawing.colors("line"), **drawing.line()))


def _draw_spans(drawing: Drawing) -> Artist:
    """Draw lines from the bottom of the frame to its top."""
    (places,) = drawing.numbers("x")
    shapes = [np.array([[place, 0.0], [place, 1.0]]) for place in places]
    transform = drawing.axes.get_xaxis_transform()
    return _draw_lines(replace(drawing, transform=transform), shapes)


def _draw_areas(drawing: Drawing, shapes: Shapes) -> Artist:
    looks: dict[str, Any] = {"edgecolors": "none", "zorder": drawing.level}
    if hasattr(drawing.glyph, "line_color"):
        looks = {"edgecolors": drawing.colors("line"), **drawing.line()}
    return _add(drawing, PolyCollection(shapes, facecolors=drawing.colors("fill"), **looks))


def _add(drawing: Drawing, artist: Collection) -> Artist:
    if drawing.transform is not None:
        artist.set_transform(drawing.transform)
    # Only drawn data sets the ranges.
    drawing.axes.add_collection(artist, autolim=drawing.transform is None)
    return artist


def _draw_markers(drawing: Drawing) -> Artist:
    x, y, size = drawing.numbers("x", "y", "size")
    if (marker := _one(drawing.get("marker"))) != "circle":
        raise CannotDrawError(f"no static picture of Bokeh's marker {marker}")
    return drawing.axes.scatter(
        x,
        y,
        (size * PIXEL) ** 2,
        drawing.colors("fill"),
        edgecolors=drawing.colors("line"),
        linewidths=drawing.line()["linewidths"],
        zorder=drawing.level,
    )


def _draw_text(drawing: Drawing) -> None:
    x, y, angle, right, down = drawing.numbers("x", "y", "angle", "x_offset", "y_offset")
    texts = np.broadcast_to(np.atleast_1d(drawing.get("text")), x.shape)
    colors, sizes = drawing.colors("text"), np.atleast_1d(drawing.get("text_font_size"))
    sides = np.broadcast_to(np.atleast_1d(drawing.get("text_align")), x.shape)
    plate = drawing.colors("background_fill")[0]
    box = {"boxstyle": "square,pad=0.1", "facecolor": plate, "edgecolor": "none"}
    for row, text in enumerate(texts):
        drawing.axes.annotate(
            str(text),
            (x[row], y[row]),
            (right[row] * PIXEL, -down[row] * PIXEL),
            xycoords=drawing.transform or "data",
            textcoords="offset points",
            rotation=np.degrees(angle[row]),
            color=colors[row % len(colors)],
            ha=str(sides[row]),
            bbox=box if text and plate[3] else None,
            fontsize=float(sizes[row % len(sizes)].removesuffix("px")) * PIXEL,
            # What is beyond the frame is cut off.
            annotation_clip=True,
            clip_on=True,
            clip_box=drawing.axes.bbox,
            **drawing.font(),
        )


# The functions in the tables return the points of each line or area.


def _polyline(drawing: Drawing) -> Shapes:
    return [np.column_stack(drawing.numbers("x", "y"))]


def _segments(drawing: Drawing) -> Shapes:
    corners = np.column_stack(drawing.numbers("x0", "y0", "x1", "y1"))
    return list(corners.reshape(-1, 2, 2))


def _arcs(drawing: Drawing) -> Shapes:
    return list(_sweep(drawing, "radius"))


def _sweep(drawing: Drawing, radius: str) -> Iterator[Points]:
    columns = drawing.numbers("x", "y", radius, "start_angle", "end_angle")
    clockwise = drawing.get("direction") == "clock"
    for x, y, r, start, end in zip(*columns, strict=True):
        # Bokeh goes from start to end in the direction it was given, at most once around.
        turn = (start - end if clockwise else end - start) % (2 * np.pi) or 2 * np.pi
        if start == end:
            turn = 0.0
        points = int(turn / _ARC_STEP) + 2
        angles = np.linspace(start, start + (-turn if clockwise else turn), points)
        yield np.column_stack([x + r * np.cos(angles), y + r * np.sin(angles)])


def _annular_wedges(drawing: Drawing) -> Shapes:
    inner, outer = _sweep(drawing, "inner_radius"), _sweep(drawing, "outer_radius")
    return [np.vstack([one, other[::-1]]) for one, other in zip(inner, outer, strict=True)]


def _boxes(left: Points, right: Points, bottom: Points, top: Points) -> Shapes:
    corners = np.stack([left, bottom, left, top, right, top, right, bottom], axis=-1)
    return list(corners.reshape(-1, 4, 2))


def _level_bars(drawing: Drawing) -> Shapes:
    y, height, left, right = drawing.numbers("y", "height", "left", "right")
    return _boxes(left, right, y - height / 2, y + height / 2)


def _rectangles(drawing: Drawing) -> Shapes:
    x, y, width, height = drawing.numbers("x", "y", "width", "height")
    return _boxes(x - width / 2, x + width / 2, y - height / 2, y + height / 2)


def _bands(drawing: Drawing) -> Shapes:
    x, one, other = drawing.numbers("x", "y1", "y2")
    return [np.vstack([np.column_stack((x, one)), np.column_stack((x, other))[::-1]])]


_Table = Mapping[type[Glyph], Callable[[Drawing], Shapes]]

_LINES: _Table = {
    glyphs.Line: _polyline,
    glyphs.Segment: _segments,
    glyphs.Arc: _arcs,
}
_AREAS: _Table = {
    glyphs.HBar: _level_bars,
    glyphs.Rect: _rectangles,
    glyphs.Patch: _polyline,
    glyphs.VArea: _bands,
    glyphs.AnnularWedge: _annular_wedges,
}
