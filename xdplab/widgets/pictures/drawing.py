"""A Bokeh figure or layout as a small PNG, drawn with matplotlib, without a browser."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from bokeh.models import Column, GridBox, LayoutDOM, Plot, Row
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from xdplab.widgets.pictures.axes import INK, LINE, Sources, draw_plot
from xdplab.widgets.pictures.glyphs import PIXEL, BokehModel, CannotDrawError
from xdplab.widgets.pictures.picture import WIDTH

_SHARPNESS = 1.25  # pixels of the picture for one of the page
_COLORS = 64  # enough for our plots, and a third of the bytes
_PIXELS_AN_INCH = 96  # a page's

# Space beside a plot's frame on its four sides, for axes, labels and legend.
_LEFT, _RIGHT, _TICKS = 72, 20, 26


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


MARK = _chunk(b"tEXt", b"Software\0xdplab")
"""A chunk after the header of each of our PNGs: a style sheet recognises it in the base64 text.

Header and mark have 33 and 27 bytes, which are whole groups of three.
"""
_HEADER_BYTES = 33


class _Place(NamedTuple):
    """A plot and its place, in pixels from the top left."""

    plot: Plot
    left: float
    top: float
    width: float
    height: float


def draw(figure: LayoutDOM, sources: Sources, simulated: bool = False) -> bytes:
    """Draw a figure.

    Parameters
    ----------
    figure
        A plot, or rows and columns of plots.
    sources
        The present columns of its data sources, by their `name`.
    simulated
        Whether to mark it as simulated, in a corner.

    Returns
    -------
    bytes
        A PNG, `WIDTH` pixels of a page wide.

    Raises
    ------
    CannotDrawError
        When the figure has a part that no picture can show yet.
    """
    height = _height(figure)
    inches = (WIDTH / _PIXELS_AN_INCH, height / _PIXELS_AN_INCH)
    canvas = Figure(figsize=inches, dpi=_PIXELS_AN_INCH * _SHARPNESS)
    agg: Any = FigureCanvasAgg(canvas)  # half typed
    for place in _places(figure, 0, 0, _own_width(figure) or WIDTH):
        left, top, right, bottom = _margins(place.plot)
        axes = canvas.add_axes(
            (
                (place.left + left) / WIDTH,
                1 - (place.top + place.height - bottom) / height,
                (place.width - left - right) / WIDTH,
                (place.height - top - bottom) / height,
            )
        )
        draw_plot(axes, place.plot, sources)
    if simulated:
        _say_simulated(canvas)
    agg.draw()
    return _pack(Image.frombuffer("RGBA", agg.get_width_height(), agg.buffer_rgba()))


def _say_simulated(canvas: Figure) -> None:
    box = {"boxstyle": "round", "facecolor": "white", "edgecolor": INK, "linewidth": PIXEL}
    canvas.text(
        0.995,
        0.99,
        "simulated",
        ha="right",
        va="top",
        fontsize=11 * PIXEL,
        color=INK,
        bbox=box,
    )


def _pack(image: Image.Image) -> bytes:
    """Return a small PNG with our mark."""
    packed = io.BytesIO()
    # An octree also keeps colours of few pixels.
    few = image.convert("RGB").quantize(_COLORS, Image.Quantize.FASTOCTREE)
    few.save(packed, format="png")
    png = packed.getvalue()
    return png[:_HEADER_BYTES] + MARK + png[_HEADER_BYTES:]


def _height(model: LayoutDOM) -> float:
    if isinstance(model, Plot):
        return float(model.height or 0)
    return sum(max(map(_height, row)) for row in _rows(model))


def _own_width(model: LayoutDOM) -> float:
    return 0 if "stretch" in (model.sizing_mode or "") else model.width or 0


def _rows(model: BokehModel) -> list[list[LayoutDOM]]:
    """Return the parts of a layout, row by row."""
    kind = type(model)
    if kind is GridBox:
        cells = [(row, column, child) for child, row, column, *_ in model.children if child.visible]
        numbers = sorted({row for row, _, _ in cells})
        by_row = [sorted((cell for cell in cells if cell[0] == n), key=_column) for n in numbers]
        return [[child for _, _, child in row] for row in by_row]
    shown = [child for child in getattr(model, "children", ()) if child.visible]
    if kind is Column:
        return [[child] for child in shown]
    if kind is Row:
        return [shown]
    raise CannotDrawError(f"no static picture of Bokeh's {kind.__name__}")


def _column(cell: tuple[int, int, LayoutDOM]) -> int:
    return cell[1]


def _places(model: LayoutDOM, left: float, top: float, width: float) -> Iterator[_Place]:
    if isinstance(model, Plot):
        yield _Place(model, left, top, width, _height(model))
        return
    for row in _rows(model):
        # Parts with a fixed width keep it; the others share the rest.
        own = [_own_width(child) for child in row]
        rest = (width - sum(own)) / max(1, own.count(0))
        across = left
        for child, its_own in zip(row, own, strict=True):
            yield from _places(child, across, top, its_own or rest)
            across += its_own or rest
        top += max(map(_height, row))


def _margins(plot: BokehModel) -> tuple[float, float, float, float]:
    """Return the pixels to the left of the frame, above, to the right and below."""
    legends = [legend for legend in plot.legend if legend.visible and legend in plot.above]
    titled = plot.title is not None and plot.title.visible and bool(plot.title.text)
    x_axis = plot.xaxis[0] if plot.xaxis and plot.xaxis[0].visible else None
    below = 0 if x_axis is None else _TICKS + (LINE if x_axis.axis_label else 0)
    has_y_axis = bool(plot.yaxis) and plot.yaxis[0].visible
    above = LINE * (len(legends) + titled) or LINE / 2
    left = plot.min_border_left or (_LEFT if has_y_axis else _RIGHT)
    return left, above, plot.min_border_right or _RIGHT, below or LINE / 2
