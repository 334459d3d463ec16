"""The results of runs as structured arrays that are shown as tables, with units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xdplab.core.table import Row, Table, bars_of
from xdplab.core.tabled_array import TabledArray, TabledRecord, shown_as
from xdplab.core.text import setting
from xdplab.experiments.metrics import METRICS
from xdplab.experiments.words import figure_words

_TOLD_BELOW = ("reason", "limited")


class Result(TabledRecord):
    """One row of results."""

    def _table(self) -> Table:
        names = self.dtype.names or ()
        return Table("", [(_label(name), _cell(name, self[name])) for name in names])


class Results(TabledArray):
    """Results, a row for each combination of settings that was tried."""

    kind = "combination"

    def _table(self) -> Table:
        rows = self.reshape(-1).view(np.ndarray)
        names = [name for name in self.dtype.names or () if name not in _TOLD_BELOW]
        cells = [[_cell(name, row[name]) for name in names] for row in rows]
        shown = [place for place in range(len(names)) if _is_known(cells, place)]
        told = [str(row[each]) for each in _TOLD_BELOW if self._has(each) for row in rows]
        return Table(
            self._title(),
            [[row[place] for place in shown] for row in cells],
            [_label(names[place]) for place in shown],
            [line for line in dict.fromkeys(told) if line],
            {
                column: bars_of([float(row[names[place]]) for row in rows])
                for column, place in enumerate(shown)
                if names[place] in METRICS
            },
        )

    def _has(self, name: str) -> bool:
        return name in (self.dtype.names or ())

    def _last(self) -> npt.NDArray[Any]:
        return self.reshape(-1).view(np.ndarray)

    def _title(self) -> str:
        return f"{self.size:,} {self.kind}{'' if self.size == 1 else 's'}"


def shown(table: npt.NDArray[Any]) -> Results:
    """Return a structured array that shows itself."""
    return table.view(shown_as(Result, table.dtype), Results)


def _is_known(cells: Sequence[Row], place: int) -> bool:
    return any(row[place] != "-" for row in cells)


def _label(name: str) -> str:
    return METRICS[name].label if name in METRICS else name


def _cell(name: str, value: Any) -> str:
    plain = value.item() if isinstance(value, np.generic) else value
    if name in METRICS and isinstance(plain, float):
        unit = METRICS[name].unit
        words = figure_words(name, plain)
        return f"{words}pps" if unit == "packets/s" and not math.isnan(plain) else words
    if isinstance(plain, float) and math.isnan(plain):
        return "-"
    return setting(plain)
