"""Objects as tables: aligned text for a terminal and HTML for a notebook, from the same rows."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xdplab.core.output import fitting

MOST_ROWS = 60
"""A longer table shows half as many rows from its beginning, and half from its end."""

_NUMERIC = re.compile(r"[-<~]? ?\d[\d,]*(\.\d+)?(e[-+]?\d+)?\D*")  # a number, and its unit
_LONGEST = 160  # characters of a cell in a terminal

# JupyterLab's colours where the page has a theme; else those of the page. JupyterLab aligns cells
# to the right, unless they say otherwise.
_TABLE = (
    "border-collapse: collapse; margin: 4px 0; font-size: 13px; line-height: 1.45; "
    "color: var(--jp-ui-font-color1, inherit); font-variant-numeric: tabular-nums"
)
_ROW = "background: none; border-top: 1px solid var(--jp-border-color2, rgba(128, 128, 128, 0.3))"
# Columns are closer to each other on a narrow page.
_CELL = "padding: 2px min(16px, 1vw) 2px 0; white-space: pre-wrap; max-width: 60em"
_TOP, _BOTTOM = "vertical-align: top", "vertical-align: bottom"
_RIGHT = "right; white-space: nowrap"  # a number and its unit stay together; a heading breaks
_NAME = "left; white-space: nowrap"  # of a row with bars, which are as high as the row
# Behind the number, so that it stays readable in either theme.
_BAR = (
    "linear-gradient(to left, rgba(70, 130, 220, 0.28) {0:.1f}%, transparent {0:.1f}%) content-box"
)
_TITLE = "color: var(--jp-ui-font-color1, inherit); font-size: 13px; font-weight: 600"
_LINE = "color: var(--jp-ui-font-color1, inherit); font-size: 13px; max-width: 60em"

Row = Sequence[str]


@dataclass(frozen=True)
class Table:
    """Rows of text, to be written in either form. Cells may hold any text.

    Parameters
    ----------
    title
        The first line.
    rows
        The cells of each row. A column of numbers is aligned to the right.
    headings
        The columns' headings; empty for names and values.
    lines
        Sentences below the rows.
    bars
        Shares from 0 to 1 by the place of a column, one for each row: in a notebook a bar of this
        length is behind the cell.
    """

    title: str
    rows: Sequence[Row] = ()
    headings: Row = ()
    lines: Sequence[str] = ()
    bars: Mapping[int, Sequence[float]] = field(default_factory=dict)

    def text(self) -> str:
        """Return it as aligned lines."""
        grid = [[_cut(_printable(cell)) for cell in row] for row in self._all_rows()]
        sides = self._sides()
        widths = [max(len(cell) for cell in column) for column in zip(*grid, strict=True)]
        aligned = [
            "  ".join(
                cell.rjust(width) if is_right else cell.ljust(width)
                for cell, width, is_right in zip(row, widths, sides, strict=True)
            ).rstrip()
            for row in grid
        ]
        title = [_printable(self.title)] if self.title else []
        return "\n".join([*title, *aligned, *self._told()])

    def html(self) -> str:
        """Return it for a notebook, escaped, in the colours of the page's theme."""
        sides = self._sides()
        drawn = [
            _html_row(row, sides, "th" if number < 0 else "td", self._bars_of(number))
            for number, row in enumerate(self._all_rows(), -1 if self.headings else 0)
        ]
        parts = [f'<div style="{_TITLE}">{_escaped(self.title)}</div>'] if self.title else []
        if drawn:
            parts.append(f'<table style="{_TABLE}"><tbody>{"".join(drawn)}</tbody></table>')
        parts += [f'<div style="{_LINE}">{html.escape(line)}</div>' for line in self._told()]
        return f'<div class="xdplab-table">{"".join(parts)}</div>'

    def _all_rows(self) -> list[Row]:
        """Return the headings and the rows, all of one length, without those left out."""
        rows = [*([self.headings] if self.headings else []), *self._kept()]
        width = max(map(len, rows), default=0)
        return [[*row, *[""] * (width - len(row))] for row in rows]

    def _kept(self) -> list[Row]:
        if len(self.rows) <= MOST_ROWS:
            return list(self.rows)
        half = MOST_ROWS // 2
        left_out = f"... {len(self.rows) - MOST_ROWS:,} rows"
        return [*self.rows[:half], (left_out,), *self.rows[-half:]]

    def _bars_of(self, number: int) -> Mapping[int, float]:
        """Return a row's bars by their columns; none where rows are left out."""
        if number < 0 or len(self.rows) > MOST_ROWS:
            return {}
        return {column: shares[number] for column, shares in self.bars.items()}

    def _sides(self) -> list[bool]:
        """Tell of each column whether it is aligned to the right."""
        rows = [row for row in self._kept() if len(row) > 1]
        width = max((len(row) for row in self._all_rows()), default=0)
        columns = [[row[place] for row in rows if place < len(row)] for place in range(width)]
        return [place > 0 and _is_numeric(column) for place, column in enumerate(columns)]

    def _told(self) -> list[str]:
        return [_printable(line) for lines in self.lines for line in lines.splitlines()]


class Tabled:
    """Mixin: shows an object as its `_table`, in a terminal and in a notebook.

    `repr` gives `_brief`, one line, where a class has it. No error leaves any of the three: an
    object whose state can't be read is shown with the reason.
    """

    __slots__ = ()

    def _table(self) -> Table:
        """Return what is to be shown."""
        raise NotImplementedError

    def _brief(self) -> str:
        """Return it for `repr`."""
        return self._table().text()

    def _page(self) -> Table:
        """Return it for a notebook."""
        return self._table()

    def __repr__(self) -> str:
        return fitting(_without_error(self, self._brief))

    def __str__(self) -> str:
        return fitting(_without_error(self, lambda: self._table().text()))

    def _repr_html_(self) -> str | None:
        shown = _without_error(self, lambda: self._page().html())
        return shown if shown.startswith("<div") else Table(shown).html()


class Sentences(str):
    """Text of several lines: a notebook shows each as a paragraph, a terminal the text as it is."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return Table("", lines=self.splitlines()).html()

    def _repr_pretty_(self, printer: Any, _in_a_circle: bool) -> None:
        printer.text(str(self))


def _without_error(thing: object, say: Callable[[], str]) -> str:
    try:
        return say()
    except Exception as error:  # a closed lab, a half-made engine: show that it is so
        kind = type(thing).__name__
        return f"<{kind} that can't be read: {type(error).__name__}: {_printable(str(error))}>"


def bars_of(values: Sequence[float]) -> Sequence[float]:
    """Return each value's share of the largest, 0 for nan and below 0, for `Table.bars`."""
    known = [value if value > 0 else 0.0 for value in values]
    most = max(known, default=0.0)
    return [value / most if most else 0.0 for value in known]


def _html_row(row: Row, sides: Sequence[bool], tag: str, bars: Mapping[int, float]) -> str:
    is_head = tag == "th"
    style, right = (f"{_CELL}; {_BOTTOM}", "right") if is_head else (f"{_CELL}; {_TOP}", _RIGHT)
    first = _NAME if bars else "left"
    cells = "".join(
        f'<{tag} style="{style}; text-align: {right if is_right else "left" if place else first}'
        f'{_bar(bars.get(place, 0))}">{_escaped(cell)}</{tag}>'
        for place, (cell, is_right) in enumerate(zip(row, sides, strict=True))
    )
    return f'<tr style="{_ROW}">{cells}</tr>'


def _bar(share: float) -> str:
    return f"; background: {_BAR.format(100 * share)}" if share > 0 else ""


def _is_numeric(column: Sequence[str]) -> bool:
    known = [cell for cell in column if cell not in ("", "-")]
    return bool(known) and all(map(_NUMERIC.fullmatch, known))


def _escaped(text: str) -> str:
    return html.escape(_printable(text))


def _printable(text: str) -> str:
    """Write control characters and lone surrogates out: names and errors come from elsewhere."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
