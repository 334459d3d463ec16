"""Feeds: functions that bring new rows to a data source of a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Columns = Mapping[str, npt.NDArray[np.float64] | list[str]]


class Update(NamedTuple):
    """New rows for one source of a figure."""

    columns: Columns
    """All columns of the source, of one length: numbers or text."""
    position: int
    """The argument for the next call of the feed."""
    replace: bool
    """Whether these rows replace all rows of the source, or are appended."""


class Feed(Protocol):
    """A function that returns the rows of one source."""

    def __call__(self, position: int | None) -> Update | None:
        """Return the rows since `position`, or None if there are none.

        A `position` of None asks for all rows, for a view that has none yet.
        """


class SnapshotFeed:
    """A feed without a history: when its rows change, it brings them all.

    The position is the number of replacements, so a view with the present rows is sent nothing.

    Parameters
    ----------
    numbers, texts
        The names of the source's columns, which are empty until `show`.
    """

    def __init__(self, numbers: Sequence[str], texts: Sequence[str] = ()) -> None:
        self.columns: Columns = {
            **{name: np.empty(0) for name in numbers},
            **{name: list[str]() for name in texts},
        }
        """The rows that are shown."""
        self._number = 0

    def show(self, columns: Columns) -> None:
        """Show these rows from now on: every column, all of one length."""
        if not all(np.array_equal(columns[name], self.columns[name]) for name in self.columns):
            self.columns = columns
            self._number += 1

    def __call__(self, position: int | None) -> Update | None:
        """Return all rows, or None if `position` is the present one."""
        if position == self._number:
            return None
        return Update(self.columns, self._number, replace=True)
