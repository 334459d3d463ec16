"""Structured arrays that are shown as tables, and that pandas takes as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xdplab.core.errors import ConfigurationError
from xdplab.core.table import Row, Table, Tabled
from xdplab.core.text import counted

if TYPE_CHECKING:
    import pandas

MOST_SHOWN = 20
"""Of more rows the last are shown."""

_ELEMENTS_SHOWN = 8


class TabledArray(Tabled, np.ndarray[Any, np.dtype[Any]]):
    """A structured array. A field, or what is computed from it, is a plain array."""

    kind = "row"

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if isinstance(found, TabledArray) and found.dtype.names is None:
            return found.view(np.ndarray)
        return found

    @property
    def _data(self) -> npt.NDArray[Any]:
        """The same with one value in each field: `pandas.DataFrame(array)` asks for it.

        pandas reads a structured array through `numpy.ma.getdata`, which takes this attribute, and
        refuses fields that are arrays.
        """
        if self.dtype.names is None:
            return self.view(np.ndarray)
        columns = self.columns()
        table = np.empty(len(self), [(name, column.dtype) for name, column in columns.items()])
        for name, column in columns.items():
            table[name] = column
        return table

    def columns(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return a column for each field, and for each element of a field that is an array."""
        found: dict[str, npt.NDArray[Any]] = {}
        for name in self.dtype.names or ():
            column = self[name]
            if column.ndim == 1:
                found[name] = column
            else:
                found |= self._elements(
                    name, column.reshape(len(self), int(np.prod(column.shape[1:])))
                )
        return found

    def frame(self) -> pandas.DataFrame:
        """Return it as a pandas frame, as ``pandas.DataFrame(array)`` does.

        Raises
        ------
        ConfigurationError
            When pandas is missing.
        """
        try:
            import pandas  # noqa: PLC0415 - slow to import, and not needed otherwise
        except ImportError:
            raise ConfigurationError(
                "a frame takes pandas, which is not installed: `pip install pandas`. The same is "
                "in the numpy structured array that the figures were read as."
            ) from None
        return pandas.DataFrame(self)

    def _elements(self, name: str, column: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        return {f"{name}_{number}": column[:, number] for number in range(column.shape[1])}

    def _table(self) -> Table:
        names = self.dtype.names or ()
        return Table(self._title(), [self._row(each) for each in self._last()], names)

    def _row(self, record: Any) -> Row:
        return [str(value) for value in record.tolist()]

    def _last(self) -> npt.NDArray[Any]:
        return self.reshape(-1)[-MOST_SHOWN:].view(np.ndarray)

    def _title(self) -> str:
        if not self.size:
            return f"no {self.kind} yet"
        shown = f", the last {MOST_SHOWN}" if self.size > MOST_SHOWN else ""
        return f"{counted(self.size, self.kind)}{shown}"

    def __repr__(self) -> str:
        return repr(self.view(np.ndarray)) if self.dtype.names is None else super().__repr__()

    def __str__(self) -> str:
        return str(self.view(np.ndarray)) if self.dtype.names is None else super().__str__()

    def _repr_html_(self) -> str | None:
        return super()._repr_html_() if self.dtype.names else None


class OfRows:
    """Mixin: iterates over its results, a dict for each row, as pandas does."""

    def _results(self) -> TabledArray:
        """Return the results, a structured array."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[dict[str, Any]]:
        results = self._results()
        names = results.dtype.names or ()
        return (dict(zip(names, row.item(), strict=True)) for row in results)


_Void: Any = np.void  # which numpy's annotations call final, though np.record derives from it


class TabledRecord(Tabled, _Void):  # type: ignore[misc] # as above
    """An element of a structured array, shown with the names of its fields."""

    __slots__ = ()

    def _table(self) -> Table:
        kind = type(self).__name__
        return Table(kind, [(name, _value(self[name])) for name in self.dtype.names or ()])


def shown_as(kind: type[TabledRecord], dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a dtype that is equal, and whose scalars are of a class of ours."""
    return np.dtype((kind, dtype))


def _value(value: Any) -> str:
    if np.ndim(value) == 0:
        return str(value)
    some = ", ".join(map(str, value[:_ELEMENTS_SHOWN]))
    return some if len(value) <= _ELEMENTS_SHOWN else f"{some}, ... ({len(value):,} in all)"
