"""Bokeh's glyphs drawn with matplotlib: each becomes lines, areas, markers or text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.core.property.vectorization import Field, Value
from bokeh.models import FactorRange, Range, glyphs
from bokeh.models.glyph import Glyph
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cbook import STEP_LOOKUP_MAP
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
_MARKERS = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle": "^",
}
_STEPS = {"before": "steps-pre", "after": "steps-post", "center": "steps-mid"}
_ALIGNMENTS = {"left": "left", "center": "center", "right": "right"}
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
        A glyph or an annotation: a model with properties for lines, areas and text.
    columns
        The data of its source.
    x_range, y_range
        The plot's ranges; they convert names to numbers.
    level
        Drawings with a higher level are drawn above.
    transform
        From its coordinates to the canvas; None: the coordinates of the axes.
    """

    axes: Axes
    glyph: Any
    columns: Columns
    x_range: Range
    y_range: Range
    level: float
    transform: Transform | None = None

    def get(self, name: str) -> Any:  # noqa: ANN401 - the type depends on the property
        """Return a property: one value, or an array with a value for each row."""
        prop = self.glyph.lookup(name)
        spec = prop.get_value(self.glyph)
        if isinstance(spec, Field):
            return np.asarray(self.columns[spec.field])
        return spec.value if isinstance(spec, Value) else spec

    def numbers(self, *names: str) -> list[Points]:
        """Return properties as columns of one length, with single numbers repeated."""
        along = [self._as_numbers(name, self.get(name)) for name in names]
        return [np.array(column) for column in np.broadcast_arrays(*along)]

    def _as_numbers(self, name: str, values: Any) -> Points:  # noqa: ANN401
        of = self.y_range if name.startswith(("y", "top", "bottom")) else self.x_range
        column = np.atleast_1d(values)
        if isinstance(of, FactorRange) and column.dtype.kind in "UO":
            return np.array([of.factors.index(factor) + 0.5 for factor in column], dtype=float)
        return np.asarray(column, dtype=float)

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
            "ha": _ALIGNMENTS[_one(self.get("text_align"))],
            "va": _BASELINES[_one(self.get("text_baseline"))],
            "zorder": self.level,
        }


def _one(value: Any) -> str:  # noqa: ANN401 - one text, or a column where all rows say the same
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
    if kind in (glyphs.VSpan, glyphs.HSpan):
        return _draw_spans(drawing)
    if kind is glyphs.Text:
        draw_text(drawing)
        return None
    raise CannotDrawError(f"no static picture of Bokeh's glyph {kind.__name__}")


def _draw_lines(drawing: Drawing, shapes: Shapes) -> Artist:
    return _add(drawing, LineCollection(shapes, colors=drawing.colors("line"), **drawing.line()))


def _draw_spans(drawing: Drawing) -> Artist:
    """Draw lines from one end of the frame to the other."""
    upright = type(drawing.glyph) is glyphs.VSpan
    (places,) = drawing.numbers("x" if upright else "y")
    along, ends = np.repeat(places[:, np.newaxis], 2, axis=1), np.tile([0.0, 1.0], (len(places), 1))
    shapes = list(np.stack([along, ends] if upright else [ends, along], axis=-1))
    axes = drawing.axes
    transform = axes.get_xaxis_transform() if upright else axes.get_yaxis_transform()
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
    marker = _one(drawing.get("marker"))
    if marker not in _MARKERS:
        raise CannotDrawError(f"no static picture of Bokeh's marker {marker}")
    return drawing.axes.scatter(
        x,
        y,
        (size * PIXEL) ** 2,
        drawing.colors("fill"),
        marker=_MARKERS[marker],
        edgecolors=drawing.colors("line"),
        linewidths=drawing.line()["linewidths"],
        zorder=drawing.level,
    )


def draw_text(drawing: Drawing) -> None:
    """Write the text of a glyph or of a label."""
    x, y, angle, right, up = drawing.numbers("x", "y", "angle", "x_offset", "y_offset")
    texts = np.broadcast_to(np.atleast_1d(drawing.get("text")), x.shape)
    colors, sizes = drawing.colors("text"), np.atleast_1d(drawing.get("text_font_size"))
    # Bokeh counts the offsets of glyphs downwards, those of labels upwards.
    is_glyph = isinstance(drawing.glyph, Glyph)
    downwards = -1 if is_glyph else 1
    for row, text in enumerate(texts):
        drawing.axes.annotate(
            str(text),
            (x[row], y[row]),
            (right[row] * PIXEL, downwards * up[row] * PIXEL),
            xycoords=drawing.transform or (_coordinates(drawing, "x"), _coordinates(drawing, "y")),
            textcoords="offset points",
            rotation=np.degrees(angle[row]),
            color=colors[row % len(colors)],
            fontsize=float(sizes[row % len(sizes)].removesuffix("px")) * PIXEL,
            # Everything beyond the frame is cut off, except labels.
            annotation_clip=is_glyph,
            clip_on=is_glyph,
            clip_box=drawing.axes.bbox,
            **drawing.font(),
        )


def _coordinates(drawing: Drawing, way: str) -> str:
    units = getattr(drawing.glyph, f"{way}_units", "data")
    return "axes pixels" if units == "screen" else "data"


# The functions in the tables return the points of each line or area.


def _polyline(drawing: Drawing) -> Shapes:
    return [np.column_stack(drawing.numbers("x", "y"))]


def _steps(drawing: Drawing) -> Shapes:
    x, y = drawing.numbers("x", "y")
    return [np.column_stack(STEP_LOOKUP_MAP[_STEPS[drawing.get("mode")]](x, y))]


def _polylines(drawing: Drawing) -> Shapes:
    pairs = zip(drawing.get("xs"), drawing.get("ys"), strict=True)
    return [np.column_stack([np.asarray(x, float), np.asarray(y, float)]) for x, y in pairs]


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


def _wedges(drawing: Drawing) -> Shapes:
    centres = np.column_stack(drawing.numbers("x", "y"))
    arcs = list(_sweep(drawing, "radius"))
    return [np.vstack([centres[row % len(centres)], arc]) for row, arc in enumerate(arcs)]


def _annular_wedges(drawing: Drawing) -> Shapes:
    inner, outer = _sweep(drawing, "inner_radius"), _sweep(drawing, "outer_radius")
    return [np.vstack([one, other[::-1]]) for one, other in zip(inner, outer, strict=True)]


def _circles(drawing: Drawing) -> Shapes:
    angles = np.arange(0, 2 * np.pi, _ARC_STEP)
    ring = np.column_stack([np.cos(angles), np.sin(angles)])
    rows = zip(*drawing.numbers("x", "y", "radius"), strict=True)
    return [np.array([x, y]) + r * ring for x, y, r in rows]


def _annuli(drawing: Drawing) -> Shapes:
    angles = np.linspace(0, 2 * np.pi, int(2 * np.pi / _ARC_STEP))
    ring = np.column_stack([np.cos(angles), np.sin(angles)])
    rows = zip(*drawing.numbers("x", "y", "inner_radius", "outer_radius"), strict=True)
    return [np.array([x, y]) + np.vstack([a * ring, b * ring[::-1]]) for x, y, a, b in rows]


def _boxes(left: Points, right: Points, bottom: Points, top: Points) -> Shapes:
    corners = np.stack([left, bottom, left, top, right, top, right, bottom], axis=-1)
    return list(corners.reshape(-1, 4, 2))


def _quads(drawing: Drawing) -> Shapes:
    return _boxes(*drawing.numbers("left", "right", "bottom", "top"))


def _upright_bars(drawing: Drawing) -> Shapes:
    x, width, bottom, top = drawing.numbers("x", "width", "bottom", "top")
    return _boxes(x - width / 2, x + width / 2, bottom, top)


def _level_bars(drawing: Drawing) -> Shapes:
    y, height, left, right = drawing.numbers("y", "height", "left", "right")
    return _boxes(left, right, y - height / 2, y + height / 2)


def _rectangles(drawing: Drawing) -> Shapes:
    x, y, width, height = drawing.numbers("x", "y", "width", "height")
    return _boxes(x - width / 2, x + width / 2, y - height / 2, y + height / 2)


def _blocks(drawing: Drawing) -> Shapes:
    x, y, width, height = drawing.numbers("x", "y", "width", "height")
    return _boxes(x, x + width, y, y + height)


def _bands(drawing: Drawing) -> Shapes:
    """Draw the areas between two lines, one for each stretch where both are known."""
    x, low, high = drawing.numbers("x", "y1", "y2")
    mode = getattr(drawing.glyph, "step_mode", None)
    shapes = []
    for known in _runs(np.isfinite(x + low + high)):
        edges: Sequence[Points] = (x[known], low[known], high[known])
        if mode:
            edges = STEP_LOOKUP_MAP[_STEPS[mode]](*edges)
        along, below, above = edges
        shapes.append(
            np.vstack([np.column_stack([along, below]), np.column_stack([along, above])[::-1]])
        )
    return shapes


def _runs(known: npt.NDArray[np.bool_]) -> Iterator[slice]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(int)))
    for first, end in edges.reshape(-1, 2):
        yield slice(int(first), int(end))


_Table = Mapping[type[Glyph], Callable[[Drawing], Shapes]]

_LINES: _Table = {
    glyphs.Line: _polyline,
    glyphs.Step: _steps,
    glyphs.MultiLine: _polylines,
    glyphs.Segment: _segments,
    glyphs.Arc: _arcs,
}
_AREAS: _Table = {
    glyphs.VArea: _bands,
    glyphs.VAreaStep: _bands,
    glyphs.Quad: _quads,
    glyphs.VBar: _upright_bars,
    glyphs.HBar: _level_bars,
    glyphs.Rect: _rectangles,
    glyphs.Block: _blocks,
    glyphs.Patch: _polyline,
    glyphs.Patches: _polylines,
    glyphs.Wedge: _wedges,
    glyphs.AnnularWedge: _annular_wedges,
    glyphs.Annulus: _annuli,
    glyphs.Circle: _circles,
}
