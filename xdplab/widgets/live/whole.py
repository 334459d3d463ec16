"""A feed without a history: when its rows change, it sends them all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xdplab.widgets.live.figure import Columns, Update


class Whole:
    """The rows of one source, always replaced as a whole.

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
