"""BTF: the types of an object file, by which it declares maps.

The format is described in the kernel's Documentation/bpf/btf.rst (Linux 6.18). A declaration like

    struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __type(key, __u32);
    } counts SEC(".maps");

is a variable in the section `.maps` whose type is a struct with all fields of the map: a member of
`__uint` points to an array whose length is the number, a member of `__type` points to the type.

Global variables are those of other sections, such as `.data`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from xdplab.programs.elf import ObjectFileError, text, unpack

_HEADER = struct.Struct("<HBBIIIII")
_TYPE, _ARRAY, _TRIPLE = map(struct.Struct, ("<III", "<III", "<III"))
_NUMBER = struct.Struct("<I")
_MAGIC = 0xEB9F
INTEGER, POINTER, ARRAY, STRUCT, UNION, ENUM, FLOAT, LONG_ENUM = 1, 2, 3, 4, 5, 6, 16, 19
TYPEDEF = 8
_DATA_SECTION, _VARIABLE_KIND = 15, 14
# Kinds that wrap another type and don't change its size: typedef, volatile, const, restrict, and a
# type's tag.
SEE_THROUGH = {TYPEDEF, 9, 10, 11, 18}
_SIZED = {INTEGER, STRUCT, UNION, ENUM, FLOAT, LONG_ENUM}
# Bytes that follow a type: so many, and for each of its members.
_FOLLOWS = {1: (4, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 13: (0, 8), 14: (4, 0),
            15: (0, 12), 17: (4, 0), 19: (0, 12)}  # fmt: skip
_KINDS = 19
_MOST_TYPES = 50_000
_TYPED = ("key", "value")  # of a map
_KINDS_BY_WORD = {
    "struct": (STRUCT,), "union": (UNION,), "enum": (ENUM, LONG_ENUM),
    "": (INTEGER, TYPEDEF, FLOAT),
}  # fmt: skip
DEEPEST, MOST_BYTES = 32, 1 << 24
"""Most types within each other, and most bytes of a type that is read."""


class Type(NamedTuple):
    """A type as the file has it."""

    name: str
    kind: int
    members: int
    """So many."""
    size_or_type: int
    """Its bytes, or the number of the type that it refers to."""
    follows: int
    """Where its members are."""
    flag: bool
    """Of a struct, that it has bit fields; of an enum, that it has a sign."""


class Member(NamedTuple):
    """A part of a struct or a union."""

    name: str
    type: int
    bits_before: int
    bits: int
    """Of a bit field; else 0."""


class Variable(NamedTuple):
    """A global variable."""

    name: str
    type: int
    offset: int
    """In its section."""


class Types:
    """The types of an object file.

    Parameters
    ----------
    data
        The section `.BTF`.
    moved
        What the file's relocations add to its numbers, by their places in it: without them a
        variable's offset is not known.

    Raises
    ------
    ObjectFileError
        When it is malformed. The other methods raise it too.
    """

    def __init__(self, data: bytes, moved: Mapping[int, int] | None = None) -> None:
        magic, _version, _flags, length, types, types_size, strings, strings_size = unpack(
            _HEADER, data, 0
        )
        if magic != _MAGIC:
            raise ObjectFileError("its types are not BTF.")
        self._strings = data[length + strings : length + strings + strings_size]
        self._data = data[: length + types + types_size]
        self._types = [Type("void", 0, 0, 0, 0, False)]
        self._types += self._read(length + types)
        self._moved = moved or {}

    def _read(self, offset: int) -> Iterator[Type]:
        count = 0
        while offset < len(self._data):
            name, info, size_or_type = unpack(_TYPE, self._data, offset)
            kind, members = info >> 24 & 0x1F, info & 0xFFFF
            fixed, each = _FOLLOWS.get(kind, (0, 0))
            offset += _TYPE.size
            count += 1
            if not 0 < kind <= _KINDS or count > _MOST_TYPES:
                raise ObjectFileError("it has types of an unknown kind, or too many.")
            flag = bool(info >> 31)
            yield Type(text(self._strings, name), kind, members, size_or_type, offset, flag)
            offset += fixed + each * members

    def declarations(self) -> dict[str, dict[str, int]]:
        """Read the maps that are declared.

        Returns
        -------
        dict
            Map name to its fields: `key` and `value` are sizes of types in bytes, all others are
            the numbers as declared.
        """
        return {
            name: {
                said: self.size(number) if said in _TYPED else self._length(number)
                for said, number in fields.items()
            }
            for name, fields in self._declared()
        }

    def map_types(self) -> dict[str, dict[str, int]]:
        """Return the numbers of the types of `key` and `value`, by map, where they are declared."""
        return {
            name: {said: number for said, number in fields.items() if said in _TYPED}
            for name, fields in self._declared()
        }

    def variables(self) -> dict[str, list[Variable]]:
        """Read the global variables of each section."""
        sections = [one for one in self._types if one.kind == _DATA_SECTION]
        return {one.name: list(self._variables(one)) for one in sections if one.name != ".maps"}

    def named(self, name: str) -> list[int]:
        """Return the numbers of the types that C calls so, such as "struct event"."""
        kind, _, tag = name.rpartition(" ")
        kinds = _KINDS_BY_WORD.get(kind.strip(), ())
        return [
            number
            for number, each in enumerate(self._types)
            if each.name == tag and each.kind in kinds
        ]

    def members(self, of: Type) -> Iterator[Member]:
        """Go through the members of a struct or a union."""
        for name, number, where in self._triples(of):
            bits = where >> 24 if of.flag else 0
            offset = where & 0xFFFFFF if of.flag else where
            yield Member(text(self._strings, name), number, offset, bits)

    def encoding(self, integer: Type) -> int:
        """Return the flags of an integer: 1 for a sign, 4 for true and false."""
        found: int = unpack(_NUMBER, self._data, integer.follows)[0]
        return found >> 24 & 0xF

    def has_negatives(self, enum: Type) -> bool:
        """Tell whether a value of an enum of 4 bytes is negative: compilers did not always flag."""
        values = (
            unpack(_NUMBER, self._data, enum.follows + 8 * number + 4)[0]
            for number in range(enum.members)
        )
        return any(value >> 31 for value in values)

    def _variables(self, section: Type) -> Iterator[Variable]:
        for place, (number, offset, _size) in enumerate(self._triples(section)):
            variable = self.type(number)
            if variable.kind != _VARIABLE_KIND:
                raise ObjectFileError(f"something else than a variable is in {section.name}.")
            moved = self._moved.get(section.follows + place * _TRIPLE.size + _NUMBER.size, 0)
            yield Variable(variable.name, variable.size_or_type, offset + moved)

    def _declared(self) -> Iterator[tuple[str, dict[str, int]]]:
        """Go through the maps, and the types that the members of their declarations point to."""
        sections = [one for one in self._types if one.kind == _DATA_SECTION and one.name == ".maps"]
        for section in sections[:1]:
            for variable in self._variables(section):
                yield variable.name, self._declaration(self.plain(variable.type))

    def _declaration(self, structure: Type) -> dict[str, int]:
        if structure.kind != STRUCT:
            raise ObjectFileError("a map is declared by something else than a struct.")
        said = {}
        for member in self.members(structure):
            pointer = self.plain(member.type)
            if pointer.kind != POINTER:
                name = member.name
                raise ObjectFileError(f"a map's {name} is declared in a way that is not supported.")
            said[member.name] = pointer.size_or_type
        return said

    def _triples(self, of: Type) -> Iterator[tuple[int, ...]]:
        for number in range(of.members):
            yield unpack(_TRIPLE, self._data, of.follows + number * _TRIPLE.size)

    def type(self, number: int) -> Type:
        """Return a type by its number."""
        if number >= len(self._types):
            raise ObjectFileError("a type refers to none.")
        return self._types[number]

    def plain(self, number: int) -> Type:
        """Return the type behind typedefs and qualifiers."""
        for _step in range(DEEPEST):
            found = self.type(number)
            if found.kind not in SEE_THROUGH:
                return found
            number = found.size_or_type
        raise ObjectFileError("its types are nested too deeply.")

    def array(self, array: Type) -> tuple[int, int]:
        """Return the number of an array's element type, and its length."""
        element, _index, length = unpack(_ARRAY, self._data, array.follows)
        return element, length

    def _length(self, number: int) -> int:
        array = self.plain(number)
        if array.kind != ARRAY:
            raise ObjectFileError("a map's number is declared in a way that is not supported.")
        return self.array(array)[1]

    def size(self, number: int) -> int:
        """Return the bytes of a type."""
        size = 1
        for _step in range(DEEPEST):
            found = self.plain(number)
            if found.kind == ARRAY:
                number, length = self.array(found)
                size *= length
            else:
                size *= self._own_size(found)
                break
            if size > MOST_BYTES:
                break
        else:
            raise ObjectFileError("its types are nested too deeply.")
        if size > MOST_BYTES:
            raise ObjectFileError("a map has a key or value that is too large.")
        return size

    def _own_size(self, of: Type) -> int:
        if of.kind == POINTER:
            return 8
        if of.kind not in _SIZED:
            raise ObjectFileError("a map has a key or value of no size.")
        return of.size_or_type
