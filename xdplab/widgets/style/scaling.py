"""Sizes in pixels that shrink with a plot, as its sizes in units of the axes do."""

from __future__ import annotations

from typing import Any

from bokeh.core.properties import field, value
from bokeh.models import ColumnDataSource, CustomJS, CustomJSTransform
from bokeh.plotting import figure

# A plot has no inner width before it was laid out.
_SCALE = """
const laidOut = !plot.properties.inner_width.is_unset;
const scale = laidOut ? Math.min(1, plot.inner_width / width) : 1;
"""
_SHRINK = "const shrink = (size) => size * scale;"
_SHRINK_TEXT = """
const shrink = (size) => {
    const pixels = parseFloat(size);
    return `${Math.max(Math.min(pixels, smallest), pixels * scale)}px`;
};
"""
_COMPUTE_ANEW = "for (const source of sources) source.change.emit();"


class Scaling:
    """How much narrower than usual a plot is, and what shrinks with it.

    Parameters
    ----------
    plot
        The plot.
    width
        The width of its frame, in pixels, from which on nothing shrinks.
    smallest
        Pixels of the smallest letters that result; letters that are smaller stay as they are.
    """

    def __init__(self, plot: figure, width: int, smallest: int = 8) -> None:
        self._plot = plot
        given = {"plot": plot, "width": width, "smallest": smallest}
        self._number, self._text = (
            CustomJSTransform(
                args=given,
                func=f"{_SCALE}{shrink} return shrink(x);",
                v_func=f"{_SCALE}{shrink} return Array.from(xs, shrink);",
            )
            for shrink in (_SHRINK, _SHRINK_TEXT)
        )

    def pixels(self, size: float) -> Any:
        """Return the size of a marker."""
        return value(size, transform=self._number)

    def text(self, size: str) -> Any:
        """Return a font size, such as "12px", or that of a column with such sizes."""
        make = value if size.endswith("px") else field
        return make(size, transform=self._text)

    def follow(self) -> None:
        """Compute all sizes anew whenever the plot's width changes; called when it is complete."""
        sources = [
            model for model in self._plot.references() if isinstance(model, ColumnDataSource)
        ]
        anew = CustomJS(args={"sources": sources}, code=_COMPUTE_ANEW)
        self._plot.js_on_change("inner_width", anew)
