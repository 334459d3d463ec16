"""Many keys and values of maps at once: as arrays, sums over CPUs, and tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from xdplab.core.errors import ConfigurationError
from xdplab.core.table import Row
from xdplab.programs.dtypes import DType, Record
from xdplab.programs.packing import plain

if TYPE_CHECKING:
    import pandas

Array = npt.NDArray[Any]


def as_rows(data: bytes, count: int) -> npt.NDArray[np.uint8]:
    """Return bytes as so many rows of equal length."""
    return np.frombuffer(data, np.uint8).reshape(count, -1)


def typed(rows: Array, dtype: DType) -> Array:
    """Return rows of bytes, the last axis, as values."""
    base, shape = dtype.subdtype or (dtype, ())
    count = rows.shape[:-1]
    return np.ascontiguousarray(rows).view(base).reshape(*count, *shape)


def of_each_cpu(rows: Array, dtype: DType, cpus: int) -> Array:
    """Return rows of bytes with the values of all CPUs as values, by row and CPU."""
    apart = rows.reshape(len(rows), cpus, rows.shape[1] // cpus)
    return typed(apart[:, :, : dtype.itemsize], dtype)


def sums(dtype: DType) -> bool:
    """Tell whether values are numbers, or have only numbers, which can be summed."""
    base = dtype.subdtype[0] if dtype.subdtype else dtype
    if base.names and base.fields:
        return all(sums(field[0]) for field in base.fields.values())
    return base.kind in "iufb"


def summed(values: Array) -> Array:
    """Sum values over the CPUs, the second axis; integers become ones of 64 bits."""
    if not values.dtype.names:
        return np.asarray(values.sum(axis=1))
    columns = {name: summed(values[name]) for name in values.dtype.names}
    outer = values.ndim - 1  # axes that are not the field's own
    fields = [(name, each.dtype, each.shape[outer:]) for name, each in columns.items()]
    made = np.zeros((len(values), *values.shape[2:]), np.dtype((Record, fields)))
    for name, each in columns.items():
        made[name] = each
    return made


def with_keys(keys: Array, values: Array) -> Array:
    """Return keys and values as one structured array; bytes of padding stay."""
    count = len(keys)
    fields = [(name, each.dtype, each.shape[1:]) for name, each in _parts(keys, values)]
    dtype = np.dtype(fields)
    rows = [_bytes_of(each) for _name, each in _parts(keys, values)]
    joined = np.concatenate(rows, axis=1)
    return joined.view(dtype).reshape(count)


def _parts(keys: Array, values: Array) -> tuple[tuple[str, Array], ...]:
    return (("key", keys), ("value", values))


def _bytes_of(values: Array) -> npt.NDArray[np.uint8]:
    """Return values as rows of bytes."""
    size = values.dtype.itemsize * math.prod(values.shape[1:])
    return np.frombuffer(values.tobytes(), np.uint8).reshape(len(values), size)


def headings_of(dtype: DType, name: str = "") -> list[str]:
    """Return the names of the columns of a table, such as "key" and "value.packets"."""
    if not dtype.names or not dtype.fields:
        return [name]
    before = f"{name}." if name else ""
    return [
        each
        for field in dtype.names
        for each in headings_of(dtype.fields[field][0], f"{before}{field}")
    ]


def row_of(record: Any) -> Row:
    """Return a record's values as text, below the headings of its dtype."""
    if isinstance(record, np.void) and record.dtype.names:
        return [text for name in record.dtype.names for text in row_of(record[name])]
    value = plain(record)
    if isinstance(record, np.void):
        return [value.hex(" ")]
    return [str(value.tolist() if isinstance(value, np.ndarray) else value)]


class Rows(Sequence[Row]):
    """Rows of a table, each made when it is asked for: a table leaves most of many out."""

    def __init__(self, count: int, row: Callable[[int], Row]) -> None:
        self._places, self._row = range(count), row

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        if isinstance(place, slice):
            return [self._row(each) for each in self._places[place]]
        return self._row(self._places[place])

    def __iter__(self) -> Iterator[Row]:
        return map(self._row, self._places)


def frame_of(records: Array) -> pandas.DataFrame:
    """Return records as a table of pandas."""
    try:
        import pandas  # noqa: PLC0415 - slow to import, and not needed otherwise
    except ImportError:
        raise ConfigurationError(
            "to_frame takes pandas, which is not installed: `pip install pandas`. The same is in "
            "the numpy array of to_numpy()."
        ) from None
    return pandas.DataFrame(_columns(records, ""))


def _columns(values: Array, name: str) -> dict[str, Any]:
    if values.dtype.names and values.ndim == 1:
        before = f"{name}." if name else ""
        found: dict[str, Any] = {}
        for field in values.dtype.names:
            found |= _columns(values[field], f"{before}{field}")
        return found
    if values.ndim > 1 or values.dtype.kind in "SV":
        return {name: [plain(each) for each in values]}
    return {name: values.astype(values.dtype.newbyteorder("="))}
