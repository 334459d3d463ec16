"""Relocatable ELF objects for the BPF machine: the parts that an XDP program needs.

The layout is that of the System V ABI (gABI 4.1, chapters 4 and 5); what is BPF's own is in the
kernel's Documentation/bpf/llvm_reloc.rst (Linux 6.18). Nothing here trusts the file: each offset
and size is checked against the bytes of the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from xdplab.core.errors import ConfigurationError

_IDENTIFICATION = b"\x7fELF\x02\x01\x01"  # 64 bits, little endian, version 1
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQ")
_RELOCATABLE, _MACHINE_BPF = 1, 247
_SYMBOLS, _NO_BITS, _RELOCATIONS = 2, 8, 9
_EXECUTABLE = 4
_MOST_SECTIONS, _MOST_ENTRIES, _LONGEST_NAME = 1024, 20_000, 255

FUNCTION = 2
UNDEFINED = 0


class ObjectFileError(ConfigurationError):
    """An object file that is malformed, or has unsupported parts."""


class Section(NamedTuple):
    """A part of the file."""

    number: int
    name: str
    type: int
    flags: int
    size: int
    data: bytes
    link: int
    info: int
    offset: int
    """In the file."""

    @property
    def holds_instructions(self) -> bool:
        """Whether it holds a program."""
        return bool(self.flags & _EXECUTABLE)


class Symbol(NamedTuple):
    """A name for a place in a section."""

    name: str
    type: int
    section: int
    value: int
    size: int


class Relocation(NamedTuple):
    """An instruction that refers to a symbol."""

    offset: int
    type: int
    symbol: Symbol


class ElfObject:
    """An object file, written by a compiler or by anybody else.

    Parameters
    ----------
    data
        The whole file.

    Raises
    ------
    ObjectFileError
        When it is not an object for the BPF machine. The other methods raise it too.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        header = unpack(_HEADER, data, 0)
        identification, kind, machine = header[:3]
        self._sections_at, self._section_size, count, names = header[6], *header[11:14]
        if not identification.startswith(_IDENTIFICATION) or machine != _MACHINE_BPF:
            raise ObjectFileError("it is no ELF file of 64 bits, little endian, for BPF.")
        if kind != _RELOCATABLE or self._section_size != _SECTION.size or count > _MOST_SECTIONS:
            raise ObjectFileError("it is no relocatable object.")
        raw = [
            unpack(_SECTION, data, self._sections_at + number * _SECTION.size)
            for number in range(count)
        ]
        if names >= count:
            raise ObjectFileError("its sections have no names.")
        strings = self._bytes(raw[names])
        self.sections = [
            Section(
                number, text(strings, fields[0]), fields[1], fields[2], fields[5],
                self._bytes(fields), fields[6], fields[7], fields[4],
            )
            for number, fields in enumerate(raw)
        ]  # fmt: skip

    def section(self, name: str) -> Section | None:
        """Find a section by its name."""
        return next((section for section in self.sections if section.name == name), None)

    @cached_property
    def symbols(self) -> list[Symbol]:
        """All symbols, by their index."""
        table = next((each for each in self.sections if each.type == _SYMBOLS), None)
        if table is None:
            return []
        if table.link >= len(self.sections):
            raise ObjectFileError("its symbols have no names.")
        strings = self.sections[table.link].data
        return [
            Symbol(text(strings, name), kind & 0xF, section, value, size)
            for name, kind, _other, section, value, size in _entries(_SYMBOL, table.data)
        ]

    def relocations(self, section: Section) -> Iterator[Relocation]:
        """Go through the relocations of a section."""
        for table in self.sections:
            if table.type != _RELOCATIONS or table.info != section.number:
                continue
            for offset, what in _entries(_RELOCATION, table.data):
                if what >> 32 >= len(self.symbols):
                    raise ObjectFileError("a relocation refers to no symbol.")
                yield Relocation(offset, what & 0xFFFFFFFF, self.symbols[what >> 32])

    def _bytes(self, fields: tuple[int, ...]) -> bytes:
        kind, offset, size = fields[1], fields[4], fields[5]
        if kind == _NO_BITS:
            return b""
        if offset + size > len(self._data):
            raise ObjectFileError("a section reaches past its end.")
        return self._data[offset : offset + size]


def unpack(layout: struct.Struct, data: bytes, offset: int) -> tuple[Any, ...]:
    """Unpack a struct that must be there."""
    if offset + layout.size > len(data):
        raise ObjectFileError("it ends too early.")
    return layout.unpack_from(data, offset)


def text(strings: bytes, offset: int) -> str:
    """Read a string out of a table of them."""
    end = strings.find(b"\0", offset, offset + _LONGEST_NAME + 1)
    if end < 0:
        raise ObjectFileError("a name is too long, or nowhere.")
    return strings[offset:end].decode("ascii", "replace")


def _entries(layout: struct.Struct, data: bytes) -> list[tuple[int, ...]]:
    if len(data) % layout.size or len(data) // layout.size > _MOST_ENTRIES:
        raise ObjectFileError("a table has an odd size.")
    return list(layout.iter_unpack(data))
