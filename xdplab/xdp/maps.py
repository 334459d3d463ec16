"""Maps of a loaded XDP program, as Python mappings and numpy arrays."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, MutableMapping, ValuesView
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex

import numpy as np
import numpy.typing as npt

from xdplab.core.checks import boolean, is_a, shown, whole
from xdplab.core.errors import ConfigurationError, MissingKeyError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.held import HeldDescriptor
from xdplab.core.table import Row, Table, Tabled
from xdplab.programs import elements
from xdplab.programs.dtypes import DType
from xdplab.programs.maps import PER_CPU, TYPES, MapFacts
from xdplab.programs.packing import hashable, pack, plain, unpack
from xdplab.xdp.values import (
    Rows,
    as_rows,
    frame_of,
    headings_of,
    of_each_cpu,
    row_of,
    summed,
    sums,
    typed,
    with_keys,
)

if TYPE_CHECKING:
    import pandas

HEADINGS = ("map", "type", "entries", "key, bytes", "value, bytes")

Array = npt.NDArray[Any]


class Map(Tabled, FixedNames, HeldDescriptor):
    """A map of a loaded program. `Program` makes it, and `Program.close` closes it.

    Arrays and hashes are mappings, too (`ArrayMap`, `HashMap`). Of other types there is the
    descriptor.

    Attributes
    ----------
    name
        Its name in the source. The sections of global variables are ``.data``, ``.bss`` and
        ``.rodata``.
    type
        Its number in ``enum bpf_map_type`` (linux/bpf.h), such as 2 for an array, whose name the
        table shows.
    key_size, value_size
        Bytes of a key and of a value.
    entries
        The most entries that it can have.
    key_dtype, value_dtype
        Types of a key and of a value, as the object file describes them; else bytes.
    """

    def __init__(
        self, facts: MapFacts, descriptor: int, key_dtype: DType, value_dtype: DType
    ) -> None:
        self._facts = facts
        self.name, self.type, self.key_size, self.value_size, self.entries = facts
        self.key_dtype, self.value_dtype = key_dtype, value_dtype
        super().__init__(descriptor, f"the map {self.name} was closed, with its program.")
        self._fix_names(type(self))

    def close(self) -> None:
        """Close the descriptor. The kernel keeps the map for as long as a program uses it."""
        super().close()

    @property
    def row(self) -> Row:
        """Its facts under `HEADINGS`."""
        facts = (self.entries, self.key_size, self.value_size)
        return (self.name, self._type_name, *(f"{fact:,}" for fact in facts))

    def __getitem__(self, key: Any) -> Any:
        self._refuse()

    def __setitem__(self, key: Any, value: Any) -> None:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ConfigurationError(
            f"the map {self.name} is of the type {self._type_name}, whose entries can't be read or "
            f"set by key. Its descriptor is program.maps[{self.name!r}].fileno()."
        )

    @property
    def _type_name(self) -> str:
        return TYPES[self.type] if 0 <= self.type < len(TYPES) else str(self.type)

    def _table(self) -> Table:
        return Table("Map, closed" if self.closed else "Map", [self.row], HEADINGS)

    def _brief(self) -> str:
        return (
            f"<Map {self.name}: {self._type_name}, {self.entries} entries, "
            f"{self.key_size} + {self.value_size} bytes>"
        )


class _Values(ValuesView[Any]):
    """The values of one moment."""

    _mapping: ArrayMap

    def __iter__(self) -> Iterator[Any]:
        return (value for _key, value in self._mapping._read_items())


class _Items(ItemsView[Any, Any]):
    """The entries of one moment."""

    _mapping: ArrayMap

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return self._mapping._read_items()


class ArrayMap(Map, Mapping[Any, Any]):
    """An array of a loaded program, as a mapping: its keys are 0 to `entries` - 1.

    Values are as the program declares them: integers are ints, a struct is a `Record`, whose
    members are attributes, and an array is one of numpy's. They are set to the same, and a struct
    also to a tuple or a mapping of its members.

    Each CPU has its own value in a per-CPU map. Read, they are summed; where they are no numbers,
    they are an array with an element a CPU. Set, the first CPU gets the value, and all others 0.

    What is read while a program runs may have changed the next moment. Several entries are read and
    written in few system calls by `items`, `to_numpy`, `update` and `clear`.

    Raises
    ------
    MissingKeyError
        When it has no such key.
    ConfigurationError
        When a key or a value has another type, or is out of range, or nobody may write to the map.
    KernelError
        When the kernel refuses, as a full map does.
    ClosedError
        After the program was closed.
    """

    def __getitem__(self, key: Any) -> Any:
        found = elements.lookup(self.fileno(), self._facts, self._key(key))
        if found is None:
            self._miss(key)
        return self._value(found)

    def __setitem__(self, key: Any, value: Any) -> None:
        elements.update(self.fileno(), self._facts, self._key(key), self._packed(value))

    def __delitem__(self, key: Any) -> None:
        raise ConfigurationError(
            f"the keys of the array {self.name} stay: set a value to 0, or all, "
            f"program.maps[{self.name!r}].clear()."
        )

    def __contains__(self, key: object) -> bool:
        try:
            return elements.lookup(self.fileno(), self._facts, self._key(key)) is not None
        except MissingKeyError:
            return False

    def __iter__(self) -> Iterator[Any]:
        return iter(range(self.entries))

    def __len__(self) -> int:
        return self.entries

    def items(self) -> ItemsView[Any, Any]:
        """Return its keys and values; each iteration reads them all at once."""
        return _Items(self)

    def values(self) -> ValuesView[Any]:
        """Return its values; each iteration reads them all at once."""
        return _Values(self)

    def update(self, other: Any = (), /, **values: Any) -> None:
        """Set many values; they are all checked before the first is written.

        Parameters
        ----------
        other
            A mapping, key and value pairs, or an array that `to_numpy` returned.
        **values
            More values, where keys are text.

        Raises
        ------
        KernelError
            When the kernel refuses: the message tells how many were written.
        """
        given = self._of_array(other) if isinstance(other, np.ndarray) else other
        pairs = [*_pairs(given), *values.items()]
        keys = b"".join(self._key(key) for key, _value in pairs)
        packed = b"".join(self._packed(value) for _key, value in pairs)
        if pairs:
            rows = (as_rows(data, len(pairs)) for data in (keys, packed))
            elements.write_all(self.fileno(), self._facts, *rows)

    def clear(self) -> None:
        """Set all values to 0."""
        keys, values = self._read()
        elements.write_all(self.fileno(), self._facts, keys, np.zeros_like(values))

    def to_numpy(self, *, per_cpu: bool = False) -> Array:
        """Read it as a whole.

        Parameters
        ----------
        per_cpu
            Whether the values of a per-CPU map stay apart.

        Returns
        -------
        numpy.ndarray
            The values, by key. With `per_cpu` of shape (CPUs, entries).
        """
        apart = boolean("per_cpu", per_cpu)
        values = self._values(self._read()[1], apart)
        return np.moveaxis(values, 1, 0) if apart and self.type in PER_CPU else values

    def to_frame(self) -> pandas.DataFrame:
        """Read it as a whole into a table of pandas, a row an entry.

        Returns
        -------
        pandas.DataFrame
            ``key`` and ``value``; of a struct a column for each member, such as ``value.packets``.
        """
        return frame_of(self._keyed())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        found = self.to_numpy()
        return found if dtype is None else found.astype(dtype)

    def _keyed(self) -> Array:
        """Read it as a structured array of keys and values."""
        keys, values = self._read()
        return with_keys(typed(keys, self.key_dtype), self._values(values))

    def _of_array(self, array: Array) -> Iterable[tuple[Any, Any]]:
        return enumerate(array) if array.shape else ()

    def _read(self) -> tuple[elements.Bytes, elements.Bytes]:
        return elements.read_all(self.fileno(), self._facts)

    def _read_items(self) -> Iterator[tuple[Any, Any]]:
        keys, values = self._read()
        for key, value in zip(keys, values, strict=True):
            yield self._unpacked_key(key.tobytes()), self._value(value.tobytes())

    def _unpacked_key(self, data: bytes) -> Any:
        return hashable(unpack(self.key_dtype, data))

    def _key(self, key: Any) -> bytes:
        what = f"program.maps[{self.name!r}]: key"
        try:
            return pack(self.key_dtype, whole(what, key, 0, self.entries - 1), what)
        except ConfigurationError:
            if not is_a(key, SupportsIndex) or is_a(key, bool):
                raise
            raise MissingKeyError(
                f"the map {self.name} has no key {shown(key)}: it has 0 to {self.entries - 1}. "
                "The source declares how many, __uint(max_entries, ...)."
            ) from None

    def _miss(self, key: Any) -> NoReturn:
        raise MissingKeyError(
            f"the map {self.name} has no key {shown(key)}. Its keys are: "
            f"list(program.maps[{self.name!r}])."
        )

    def _value(self, data: bytes) -> Any:
        if self.type not in PER_CPU:
            return unpack(self.value_dtype, data)
        return plain(self._values(as_rows(data, 1))[0])

    def _values(self, rows: elements.Bytes, apart: bool = False) -> Array:
        if self.type not in PER_CPU:
            return typed(rows, self.value_dtype)
        values = of_each_cpu(rows, self.value_dtype, elements.possible_cpus())
        return values if apart or not sums(self.value_dtype) else summed(values)

    def _packed(self, value: Any) -> bytes:
        what = f"program.maps[{self.name!r}]: value"
        if self.type not in PER_CPU:
            return pack(self.value_dtype, value, what)
        cpus = elements.possible_cpus()
        width = elements.value_bytes(self._facts) // cpus
        if sums(self.value_dtype):
            return pack(self.value_dtype, value, what).ljust(width * cpus, b"\0")
        all_ = as_rows(pack(np.dtype((self.value_dtype, (cpus,))), value, what), cpus)
        return b"".join(each.tobytes().ljust(width, b"\0") for each in all_)

    def _table(self) -> Table:
        if self.closed:
            return super()._table()
        found = self._keyed()
        rows = Rows(len(found), lambda place: row_of(found[place]))
        return Table(self._brief()[1:-1], rows, headings_of(found.dtype))


class HashMap(ArrayMap, MutableMapping[Any, Any]):
    """A hash, an LRU hash or an LPM trie of a loaded program, as a mapping.

    It is as `ArrayMap`, with keys that come and go. A key is as a value is; one that is an array
    comes as a tuple. Of an LPM trie, a key that is asked for gets the value of its longest prefix.
    """

    def __delitem__(self, key: Any) -> None:
        if not elements.delete(self.fileno(), self._facts, self._key(key)):
            self._miss(key)

    def __iter__(self) -> Iterator[Any]:
        return (self._unpacked_key(key.tobytes()) for key in self._read()[0])

    def __len__(self) -> int:
        return len(self._read()[0])

    def clear(self) -> None:
        """Delete all entries."""
        elements.delete_all(self.fileno(), self._facts, self._read()[0])

    def to_numpy(self, *, per_cpu: bool = False) -> Array:
        """Read it as a whole.

        Parameters
        ----------
        per_cpu
            Whether the values of a per-CPU map stay apart.

        Returns
        -------
        numpy.ndarray
            A structured array of ``key`` and ``value``. With `per_cpu` a value is an array with an
            element a CPU.
        """
        apart = boolean("per_cpu", per_cpu)
        keys, values = self._read()
        return with_keys(typed(keys, self.key_dtype), self._values(values, apart))

    def _of_array(self, array: Array) -> Iterable[tuple[Any, Any]]:
        if array.dtype.names != ("key", "value") or array.ndim != 1:
            raise ConfigurationError(
                f"program.maps[{self.name!r}].update takes a mapping, pairs, or an array of key "
                "and value, as to_numpy() returns it."
            )
        return zip(array["key"], array["value"], strict=True)

    def _key(self, key: Any) -> bytes:
        return pack(self.key_dtype, key, f"program.maps[{self.name!r}]: key")


def _pairs(given: Any) -> list[tuple[Any, Any]]:
    try:
        pairs = given.items() if isinstance(given, Mapping) else given
        return [(key, value) for key, value in pairs]
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"update takes a mapping or pairs of key and value, not {shown(given)}."
        ) from None
