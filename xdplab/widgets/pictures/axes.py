"""One Bokeh plot drawn with matplotlib: ranges, axes, glyphs and legend."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from bokeh.core.property.vectorization import Value
from bokeh.models import (
    BasicTicker,
    BasicTickFormatter,
    CustomJSTickFormatter,
    DataRange1d,
    DatetimeTickFormatter,
    FactorRange,
    FixedTicker,
    Grid,
    LogScale,
    LogTickFormatter,
    NumeralTickFormatter,
    Range1d,
    glyphs,
)
from bokeh.models.annotations import Legend
from bokeh.models.renderers import GlyphRenderer
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from matplotlib.transforms import Affine2D

from xdplab.widgets.pictures.glyphs import (
    PIXEL,
    BokehModel,
    CannotDrawError,
    Columns,
    Drawing,
    draw_glyph,
)
from xdplab.widgets.style import plots

Sources = Mapping[str, Columns]
"""The columns of each source, by its `name`; other sources keep the columns of the figure."""

INK = "#444444"

LINE = 20
"""Pixels that a legend or a title takes above a plot."""

_LEVELS = ("image", "underlay", "glyph", "guide", "annotation", "overlay")
_ROUND = (glyphs.Arc, glyphs.AnnularWedge)
_CLOCK_STEPS = (0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)  # seconds


def draw_plot(axes: Axes, plot: BokehModel, sources: Sources) -> None:
    """Draw a plot into axes of its size.

    Parameters
    ----------
    axes
        Empty.
    plot
        A Bokeh figure.
    sources
        The present columns of its data sources.

    Raises
    ------
    CannotDrawError
        When the plot has a part that is not supported here.
    """
    axes.patch.set_visible(False)
    _scale(axes, plot)
    shown = [renderer for renderer in plot.renderers if renderer.visible]
    artists = {}
    for renderer in shown:
        if type(renderer) is not GlyphRenderer:
            raise CannotDrawError(f"no static picture of Bokeh's {type(renderer).__name__}")
        artists[renderer] = draw_glyph(_drawing(axes, plot, renderer, sources))
    axes.autoscale_view()
    axes.set_xlim(*_limits(plot.x_range, *axes.get_xlim()))
    axes.set_ylim(*_limits(plot.y_range, *axes.get_ylim()))
    if any(isinstance(renderer.glyph, _ROUND) for renderer in shown):
        axes.set_aspect("equal", adjustable="box")
    for model in plot.center:
        if model.visible and not isinstance(model, Legend | Grid):
            raise CannotDrawError(f"no static picture of Bokeh's {type(model).__name__}")
    _draw_axis(plot.xaxis[0] if plot.xaxis else None, plot.x_range, axes.xaxis)
    _draw_axis(plot.yaxis[0] if plot.yaxis else None, plot.y_range, axes.yaxis)
    _draw_frame(axes, plot)
    for legend in plot.legend:
        if legend.visible:
            entries = {
                item.label.value: artist
                for item in legend.items
                if isinstance(item.label, Value)
                and (artist := artists.get(item.renderers[0])) is not None
            }
            _draw_legend(axes, plot, legend, entries)


def _drawing(axes: Axes, plot: BokehModel, renderer: BokehModel, sources: Sources) -> Drawing:
    source = renderer.data_source
    columns = sources.get(source.name or "", source.data)
    level = _LEVELS.index(renderer.level) + 1
    drawing = Drawing(axes, renderer.glyph, columns, level)
    if renderer.y_range_name == "default":
        return drawing
    extra = plot.extra_y_ranges[renderer.y_range_name]
    kind = type(extra)
    if kind is not Range1d:
        raise CannotDrawError(f"no static picture of Bokeh's extra {kind.__name__}")
    # Maps the plot's own range to shares of the frame's height.
    own = Affine2D().translate(0, -extra.start).scale(1, 1 / (extra.end - extra.start))
    return replace(drawing, transform=own + axes.get_xaxis_transform())


def _scale(axes: Axes, plot: BokehModel) -> None:
    if isinstance(plot.x_scale, LogScale):
        axes.set_xscale("log", nonpositive="clip")
    if isinstance(plot.y_scale, LogScale):
        axes.set_yscale("log", nonpositive="clip")


def _limits(of: BokehModel, low: float, high: float) -> tuple[float, float]:
    """Return the ends of a range; `low` and `high` are the defaults that suit the data."""
    kind = type(of)
    if kind is FactorRange:
        return 0, len(of.factors)
    if kind is Range1d:
        return float(of.start), float(of.end)
    if kind is not DataRange1d:
        raise CannotDrawError(f"no static picture of Bokeh's {kind.__name__}")
    if of.min_interval and high - low < of.min_interval:
        high = low + of.min_interval
    low = low if of.start is None or np.isnan(of.start) else of.start
    high = high if of.end is None or np.isnan(of.end) else of.end
    return float(low), float(high)


def _draw_axis(axis: BokehModel | None, of: BokehModel, across: XAxis | YAxis) -> None:
    if axis is None or not axis.visible:
        across.set_tick_params(length=0, label1On=False)
        return
    across.set_label_text(axis.axis_label or "", fontsize=12 * PIXEL, color=INK)
    across.set_minor_locator(NullLocator())
    across.set_tick_params(
        labelsize=12 * PIXEL, labelcolor=INK, color=INK + "66", width=PIXEL, length=4 * PIXEL
    )
    kind = type(of)
    if kind is FactorRange:
        across.set_ticks(np.arange(len(of.factors)) + 0.5, labels=of.factors)
        return
    if isinstance(axis.ticker, FixedTicker):
        across.set_major_locator(FixedLocator(axis.ticker.ticks))
    elif type(axis.ticker) is BasicTicker:
        across.set_major_locator(
            MaxNLocator(axis.ticker.desired_num_ticks, steps=[1, 2, 2.5, 5, 10])
        )
    elif isinstance(axis.formatter, DatetimeTickFormatter):
        across.set_major_locator(_ClockLocator())
    if write := _writer(axis.formatter):
        across.set_major_formatter(FuncFormatter(lambda value, _position: write(value)))


class _ClockLocator(MaxNLocator):
    """Puts ticks at whole seconds, minutes and hours of an axis in milliseconds."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        wanted = (vmax - vmin) / 1000 / 8
        step = 1000 * next((s for s in _CLOCK_STEPS if s >= wanted), _CLOCK_STEPS[-1])
        return np.arange(np.ceil(vmin / step) * step, vmax + 1, step)


def _writer(formatter: BokehModel) -> Callable[[float], str] | None:
    if isinstance(formatter, CustomJSTickFormatter):
        return plots.python_of(formatter)
    if isinstance(formatter, DatetimeTickFormatter):
        # Bokeh shows a time as if it were UTC: the caller has converted it to local time.
        return lambda value: time.strftime("%H:%M:%S", time.gmtime(value / 1000))
    if isinstance(formatter, BasicTickFormatter | LogTickFormatter | NumeralTickFormatter):
        return None
    raise CannotDrawError(f"no static picture of Bokeh's {type(formatter).__name__}")


def _draw_frame(axes: Axes, plot: BokehModel) -> None:
    for side, spine in axes.spines.items():
        beside = {"left": plot.yaxis, "bottom": plot.xaxis}.get(side, [])
        spine.set_visible(any(axis.visible for axis in beside))
        spine.set_color(INK + "66")
    axes.set_axisbelow(True)
    for grids, across in ((plot.xgrid, axes.xaxis), (plot.ygrid, axes.yaxis)):
        if any(grid.visible and grid.grid_line_color is not None for grid in grids):
            across.grid(color=INK, alpha=float(grids[0].grid_line_alpha), linewidth=PIXEL)
    if plot.title is not None and plot.title.visible and plot.title.text:
        above = any(legend.visible and legend in plot.above for legend in plot.legend)
        axes.set_title(
            plot.title.text,
            loc="left",
            y=1,  # where it is anyway: else matplotlib measures all labels first
            fontsize=12 * PIXEL,
            color=INK,
            pad=(LINE if above else 6) * PIXEL,
        )


def _draw_legend(
    axes: Axes, plot: BokehModel, model: BokehModel, entries: Mapping[str, Artist]
) -> None:
    if not entries:
        return
    columns = model.ncols if isinstance(model.ncols, int) else None
    across = len(entries) if model.orientation == "horizontal" else 1
    place: dict[str, Any] = {"loc": "best"}
    if model in plot.above:
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
    size = float(model.label_text_font_size.removesuffix("px")) * PIXEL
    for _ in range(2):
        legend = axes.legend(
            list(entries.values()),
            list(entries),
            ncols=columns or across,
            fontsize=size,
            handlelength=1.4,
            handletextpad=0.4,
            columnspacing=1.2,
            labelcolor=INK,
            frameon=False,
            **place,
        )
        # Draw it again, smaller, if it is wider than the frame.
        fits = axes.bbox.width / legend.get_window_extent().width
        if fits >= 1:
            break
        size *= fits
