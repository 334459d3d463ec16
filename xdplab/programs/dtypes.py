"""numpy dtypes for the types of an object file, with the places that the compiler gave their parts.

| in C | as a dtype |
| --- | --- |
| integers, enums, `_Bool`, floats | the same; `__be16`, `__be32` and `__be64` are big endian |
| pointers | `uint64` |
| structs | `Record`, padding kept; members of an unnamed struct are the outer struct's |
| arrays | arrays; of `char`, `S` |
| unions, and integers of more than 8 bytes | bytes, `V`; an unnamed union 8 bytes in is `union_8` |
| bit fields | bytes, `V`: `bits_8` has those that begin 8 bytes in |

Members of no size, such as a last `char data[]`, are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from xdplab.programs.btf import (
    ARRAY,
    DEEPEST,
    ENUM,
    FLOAT,
    INTEGER,
    LONG_ENUM,
    MOST_BYTES,
    POINTER,
    SEE_THROUGH,
    STRUCT,
    TYPEDEF,
    UNION,
    Member,
    Type,
    Types,
    Variable,
)
from xdplab.programs.elf import ObjectFileError

DType = np.dtype[Any]

_MOST_AXES = 16  # numpy has at least 32, also where arrays are within arrays of structs
_MOST_FIELDS = 4096  # of one type, with those of the types in it
_SIGNED, _TRUTH = 1, 4  # of an integer
_BIG_ENDIAN = {"__be16", "__be32", "__be64"}
_NUMPYS = {
    "dtype",
    "item",
    "shape",
    "tobytes",
    "tolist",
    "view",
}  # used of each value, here and there
_Void: Any = np.record  # which numpy's annotations call final


class Record(_Void):  # type: ignore[misc] # as above
    """A struct of a program's: its members are attributes, and items by their names.

    It can be a key of a dict. Two are equal if all of their bytes are, also those of padding.
    """

    def __getattribute__(self, name: str) -> Any:
        # numpy's records prefer attributes of its own: "flags", "size", "data".
        if name not in _NUMPYS and name in (super().__getattribute__("dtype").fields or ()):
            return self[name]
        return super().__getattribute__(name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, np.void):
            return NotImplemented
        return bool(self.dtype == other.dtype and self.tobytes() == other.tobytes())

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.tobytes())

    def __repr__(self) -> str:
        shown = (f"{name}={_plain(self[name])!r}" for name in self.dtype.names)
        return f"<{', '.join(shown)}>"


class Field(NamedTuple):
    """A part of a dtype."""

    name: str
    dtype: DType
    offset: int


def records(fields: Iterable[Field], size: int) -> DType:
    """Return the dtype of a struct of so many bytes.

    Raises
    ------
    ObjectFileError
        When a field is outside of it, or there are too many.
    """
    made: dict[str, Field] = {}
    for each in fields:
        name = each.name if each.name not in made else f"{each.name}_{each.offset}"
        made[name] = each
        if each.offset + each.dtype.itemsize > size:
            raise ObjectFileError(f"{each.name} is outside of what has it.")
        if len(made) > _MOST_FIELDS:
            raise ObjectFileError("a type of it has too many parts.")
    if not made:
        return np.dtype((np.void, size))
    return np.dtype(
        (
            Record,
            {
                "names": list(made),
                "formats": [each.dtype for each in made.values()],
                "offsets": [each.offset for each in made.values()],
                "itemsize": size,
            },
        )
    )


class Dtypes:
    """Makes dtypes of the types of one object file."""

    def __init__(self, types: Types) -> None:
        self._types = types
        # By the number of the type's description; None while it is being made.
        self._made: dict[int, list[Field] | None] = {}
        self._counts: dict[int, int] = {}

    def of(self, number: int) -> DType:
        """Return the dtype of a type.

        Raises
        ------
        ObjectFileError
            When it has no size, is not complete, or too large.
        """
        return self._of(number, 0)[0]

    def section(self, variables: Iterable[Variable], size: int) -> DType:
        """Return the dtype of a section of global variables, whose fields are the variables."""
        fields, count = [], 0
        for each in variables:
            dtype, parts = self._of(each.type, 0)
            count = _counted(count + parts)
            if dtype.itemsize:
                fields.append(Field(each.name, dtype, each.offset))
        return records(fields, size)

    def _of(self, number: int, depth: int) -> tuple[DType, int]:
        """Return a type's dtype, and the number of its parts."""
        if depth > DEEPEST:
            raise ObjectFileError("its types are nested too deeply.")
        found = self._types.plain(number)
        if found.kind == ARRAY:
            return self._array(found, depth)
        size = 8 if found.kind == POINTER else found.size_or_type
        if found.kind in (STRUCT, UNION) and size > MOST_BYTES:
            raise ObjectFileError("a type of it is too large.")
        if found.kind == STRUCT:
            fields, count = self._struct(found, depth)
            return records(fields, size), count
        if found.kind == UNION:
            return np.dtype((np.void, size)), 1
        return self._number(found, size, self._is_big_endian(number)), 1

    def _array(self, array: Type, depth: int) -> tuple[DType, int]:
        element, length = self._types.array(array)
        inner = self._types.plain(element)
        if (inner.kind, inner.name, inner.size_or_type) == (INTEGER, "char", 1) and length:
            _check_bytes(length)
            return np.dtype((np.bytes_, length)), 1
        dtype, count = self._of(element, depth + 1)
        _check_bytes(dtype.itemsize * length)
        if not dtype.itemsize * length:
            return np.dtype("V0"), count
        base, shape = dtype.subdtype or (dtype, ())
        if len(shape) == _MOST_AXES:
            raise ObjectFileError("an array of it has too many axes.")
        return np.dtype((base, (length, *shape))), count

    def _struct(self, struct: Type, depth: int) -> tuple[list[Field], int]:
        # Where its members are tells it from any other.
        if struct.follows in self._made:
            fields = self._made[struct.follows]
            if fields is None:
                raise ObjectFileError("a struct has itself within.")
            return fields, self._counts[struct.follows]
        self._made[struct.follows] = None
        try:
            made, count = self._members(struct, depth)
        except BaseException:
            del self._made[struct.follows]
            raise
        self._made[struct.follows], self._counts[struct.follows] = made, count
        return made, count

    def _members(self, struct: Type, depth: int) -> tuple[list[Field], int]:
        fields: list[Field] = []
        count = 0
        bits: list[Member] = []  # bit fields in a row
        for member in self._types.members(struct):
            if member.bits:
                bits.append(member)
                continue
            fields += _bytes_of(bits)
            bits = []
            if member.bits_before % 8:
                raise ObjectFileError(f"{member.name} begins within a byte.")
            dtype, parts = self._of(member.type, depth + 1)
            count = _counted(count + parts)
            fields += self._fields(member, dtype, depth)
        fields += _bytes_of(bits)
        return fields, _counted(count + len(fields))

    def _fields(self, member: Member, dtype: DType, depth: int) -> list[Field]:
        offset = member.bits_before // 8
        if not dtype.itemsize:
            return []
        if member.name:
            return [Field(member.name, dtype, offset)]
        inner = self._types.plain(member.type)
        if inner.kind != STRUCT:
            return [Field(f"union_{offset}", dtype, offset)]
        return [
            each._replace(offset=offset + each.offset) for each in self._struct(inner, depth + 1)[0]
        ]

    def _number(self, found: Type, size: int, big_endian: bool) -> DType:
        if found.kind == INTEGER:
            encoding = self._types.encoding(found)
            letter = "b" if encoding & _TRUTH and size == 1 else "i" if encoding & _SIGNED else "u"
        elif found.kind in (ENUM, LONG_ENUM):
            signed = found.flag or (found.kind == ENUM and self._types.has_negatives(found))
            letter = "i" if signed else "u"
        elif found.kind == POINTER:
            letter = "u"
        elif found.kind == FLOAT:
            letter = "f"
        else:
            raise ObjectFileError("a type of it has no size.")
        if size not in ((4, 8) if letter == "f" else (1, 2, 4, 8)):
            _check_bytes(size)
            return np.dtype((np.void, size))
        return np.dtype(f"{'>' if big_endian else '<'}{letter}{size}")

    def _is_big_endian(self, number: int) -> bool:
        for _step in range(DEEPEST):
            found = self._types.type(number)
            if found.kind == TYPEDEF and found.name in _BIG_ENDIAN:
                return True
            if found.kind not in SEE_THROUGH:
                break
            number = found.size_or_type
        return False


def _plain(value: Any) -> Any:
    return value if isinstance(value, Record) else value.tolist()


def _bytes_of(bits: list[Member]) -> list[Field]:
    """Return the bytes that have some bit fields, which are in a row."""
    if not bits:
        return []
    first = min(each.bits_before for each in bits) // 8
    end = math.ceil(max(each.bits_before + each.bits for each in bits) / 8)
    return [Field(f"bits_{first}", np.dtype((np.void, end - first)), first)]


def _counted(count: int) -> int:
    if count > _MOST_FIELDS:
        raise ObjectFileError("a type of it has too many parts.")
    return count


def _check_bytes(size: int) -> None:
    if size > MOST_BYTES:
        raise ObjectFileError("a type of it is too large.")
