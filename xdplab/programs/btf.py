"""BTF: the types of an object file, by which it declares maps.

The format is described in the kernel's Documentation/bpf/btf.rst (Linux 6.18). A declaration like

    struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __type(key, __u32);
    } counts SEC(".maps");

is a variable in the section `.maps` whose type is a struct with all fields of the map: a member of
`__uint` points to an array whose length is the number, a member of `__type` points to the type.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from xdplab.programs.elf import ObjectFileError, text, unpack

_HEADER = struct.Struct("<HBBIIIII")
_TYPE, _ARRAY, _MEMBER, _VARIABLE = map(struct.Struct, ("<III", "<III", "<III", "<III"))
_MAGIC = 0xEB9F
_POINTER, _ARRAY_KIND, _STRUCT, _UNION, _DATA_SECTION, _VARIABLE_KIND = 2, 3, 4, 5, 15, 14
# Kinds that wrap another type and don't change its size: typedef, volatile, const, restrict, and a
# type's tag.
_SEE_THROUGH = {8, 9, 10, 11, 18}
_SIZED = {1, _STRUCT, _UNION, 6, 16, 19}  # int, enums and floats, too
# Bytes that follow a type: so many, and for each of its members.
_FOLLOWS = {1: (4, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 13: (0, 8), 14: (4, 0),
            15: (0, 12), 17: (4, 0), 19: (0, 12)}  # fmt: skip
_KINDS = 19
_MOST_TYPES, _DEEPEST, _MOST_SIZE = 50_000, 32, 1 << 24


class _Type(NamedTuple):
    name: str
    kind: int
    members: int
    size_or_type: int
    follows: int  # where its members are


class Types:
    """The types of an object file.

    Parameters
    ----------
    data
        The section `.BTF`.

    Raises
    ------
    ObjectFileError
        When it is malformed. The other methods raise it too.
    """

    def __init__(self, data: bytes) -> None:
        magic, _version, _flags, length, types, types_size, strings, strings_size = unpack(
            _HEADER, data, 0
        )
        if magic != _MAGIC:
            raise ObjectFileError("its types are not BTF.")
        self._strings = data[length + strings : length + strings + strings_size]
        self._data = data[: length + types + types_size]
        self._types = [_Type("void", 0, 0, 0, 0)]
        self._types += self._read(length + types)

    def _read(self, offset: int) -> Iterator[_Type]:
        count = 0
        while offset < len(self._data):
            name, info, size_or_type = unpack(_TYPE, self._data, offset)
            kind, members = info >> 24 & 0x1F, info & 0xFFFF
            fixed, each = _FOLLOWS.get(kind, (0, 0))
            offset += _TYPE.size
            count += 1
            if not 0 < kind <= _KINDS or count > _MOST_TYPES:
                raise ObjectFileError("it has types of an unknown kind, or too many.")
            yield _Type(text(self._strings, name), kind, members, size_or_type, offset)
            offset += fixed + each * members

    def declarations(self) -> dict[str, dict[str, int]]:
        """Read the maps that are declared.

        Returns
        -------
        dict
            Map name to its fields: `key` and `value` are sizes of types in bytes, all others are
            the numbers as declared.
        """
        section = next(
            (one for one in self._types if one.kind == _DATA_SECTION and one.name == ".maps"), None
        )
        found = {}
        for variable_number, _offset, _size in self._triples(section) if section else ():
            variable = self._type(variable_number)
            if variable.kind != _VARIABLE_KIND:
                raise ObjectFileError("something else than a variable is in .maps.")
            found[variable.name] = self._declaration(self._plain(variable.size_or_type))
        return found

    def _declaration(self, structure: _Type) -> dict[str, int]:
        if structure.kind != _STRUCT:
            raise ObjectFileError("a map is declared by something else than a struct.")
        said = {}
        for name_offset, number, _offset in self._triples(structure):
            name = text(self._strings, name_offset)
            member = self._plain(number)
            if member.kind != _POINTER:
                raise ObjectFileError(f"a map's {name} is declared in a way that is not supported.")
            said[name] = (
                self._size(member.size_or_type)
                if name in ("key", "value")
                else self._length(member.size_or_type)
            )
        return said

    def _triples(self, of: _Type) -> Iterator[tuple[int, ...]]:
        for number in range(of.members):
            yield unpack(_MEMBER, self._data, of.follows + number * _MEMBER.size)

    def _type(self, number: int) -> _Type:
        if number >= len(self._types):
            raise ObjectFileError("a type refers to none.")
        return self._types[number]

    def _plain(self, number: int) -> _Type:
        for _step in range(_DEEPEST):
            found = self._type(number)
            if found.kind not in _SEE_THROUGH:
                return found
            number = found.size_or_type
        raise ObjectFileError("its types are nested too deeply.")

    def _array(self, array: _Type) -> tuple[int, int]:
        element, _index, length = unpack(_ARRAY, self._data, array.follows)
        return element, length

    def _length(self, number: int) -> int:
        array = self._plain(number)
        if array.kind != _ARRAY_KIND:
            raise ObjectFileError("a map's number is declared in a way that is not supported.")
        return self._array(array)[1]

    def _size(self, number: int) -> int:
        size = 1
        for _step in range(_DEEPEST):
            found = self._plain(number)
            if found.kind == _ARRAY_KIND:
                number, length = self._array(found)
                size *= length
            else:
                size *= self._own_size(found)
                break
            if size > _MOST_SIZE:
                break
        else:
            raise ObjectFileError("its types are nested too deeply.")
        if size > _MOST_SIZE:
            raise ObjectFileError("a map has a key or value that is too large.")
        return size

    def _own_size(self, of: _Type) -> int:
        if of.kind == _POINTER:
            return 8
        if of.kind not in _SIZED:
            raise ObjectFileError("a map has a key or value of no size.")
        return of.size_or_type
