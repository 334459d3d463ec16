"""Hover on plots over time: all values of a plot at the time under the mouse.

Of each figure it tells the mean in the bin, and its least and most if they differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from bokeh.models import ColumnDataSource, CustomJSHover, HoverTool
from bokeh.plotting import figure

from xdplab.widgets.style.plots import FRAME_RANGE, SI_JAVASCRIPT

# `value` is the time under the mouse; `format` names the source, the figure, the unit, and which of
# its mean and its band is wanted.
_LOOK_UP = f"""
if (format === "time") return new Date(value).toISOString().slice(11, 21);
const [place, column, unit, part] = format.split("|");
const {{data}} = sources[place];
let row = 0;
for (let end = data.time.length - 1; row < end; ) {{
  const middle = (row + end) >> 1;
  if (data.time[middle] < value) row = middle + 1;
  else end = middle;
}}
if (row > 0 && value - data.time[row - 1] < data.time[row] - value) row--;
const apart = data.time[1] - data.time[0];
if (!Number.isFinite(data[column][row]) || Math.abs(data.time[row] - value) > 2 * apart) {{
  return part === "mean" ? "none" : "";
}}
const short = (number) => {{ {SI_JAVASCRIPT} }};
const text = (number) => (unit === "ns" && number < 1 ? "under 1" : short(number));
const least = data[column + "_least"]?.[row];
const most = data[column + "_most"]?.[row];
if (part === "band") return least === most ? "" : `${{text(least)}} to ${{text(most)}}`;
const mean = text(data[column][row]);
return /[GMk]$/.test(mean) ? mean + unit : mean + " " + unit;
"""


class TimeHover:
    """The hover of all plots of a figure that show the same sources.

    Parameters
    ----------
    sources
        One for each engine, with a column ``time``, and another.
    names
        Headings of the columns of values, if there are several.
    """

    def __init__(self, sources: Sequence[ColumnDataSource], names: Sequence[str]) -> None:
        self._names = names
        self._value = CustomJSHover(code=_LOOK_UP, args={"sources": list(sources)})
        # Values are found by the time under the mouse, so there must be a glyph at every time.
        self._everywhere = ColumnDataSource({"x": [0, 1e14], "y": [0, 0]})

    def add(
        self,
        plot: figure,
        lines: Mapping[str, tuple[str, str]],
        unit: str,
        of_last: Mapping[str, tuple[str, str]],
    ) -> None:
        """Give a plot its hover.

        Parameters
        ----------
        plot
            As `palette.styled_plot` makes it, with an x range of its own choice.
        lines
            Label and colour of each figure, of those that `history.bins.of_bins` names.
        unit
            Unit of the values.
        of_last
            The same as `lines` of columns of the last source, which is no engine's.
        """
        target = plot.line(
            "x", "y", source=self._everywhere, line_alpha=0, y_range_name=FRAME_RANGE
        )
        heads = "".join(
            f'<td colspan="2" style="padding-left: 10px"><b>{escape(name)}</b></td>'
            for name in self._names
        )
        rows = "".join(
            f'<tr><td><span style="color: {color}">&#9632;</span> {escape(label)}</td>'
            + "".join(
                f'<td style="text-align: right; padding-left: 10px">'
                f"<b>$x{{{place}|{column}|{unit}|mean}}</b></td>"
                f'<td style="padding-left: 6px; opacity: 0.7">'
                f"$x{{{place}|{column}|{unit}|band}}</td>"
                for place in range(len(self._names))
            )
            + "</tr>"
            for column, (label, color) in lines.items()
        )
        rows += "".join(
            f'<tr><td><span style="color: {color}">&#9632;</span> {escape(label)}</td>'
            f'<td style="text-align: right; padding-left: 10px">'
            f"<b>$x{{{len(self._names)}|{column}|{unit}|mean}}</b></td></tr>"
            for column, (label, color) in of_last.items()
        )
        plot.add_tools(
            HoverTool(
                renderers=[target],
                mode="vline",
                line_policy="interp",
                tooltips=f"<table><tr><td>$x{{time}}</td>{heads}</tr>{rows}</table>",
                formatters={"$x": self._value},
            )
        )
