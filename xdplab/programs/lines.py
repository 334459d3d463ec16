"""Which line of its source each instruction of a program comes from, as its object file tells.

The section `.BTF.ext` is described in the kernel's Documentation/bpf/btf.rst (Linux 6.18). Nothing
here trusts the file.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from pathlib import PurePath
from typing import NamedTuple

from xdplab.core.source_lines import SourceLine
from xdplab.programs.elf import ElfObject, ObjectFileError, unpack
from xdplab.programs.functions import INSTRUCTION, Linked

_EXTENSION = struct.Struct("<HBBIIIII")
_TYPES = struct.Struct("<HBBIIIII")
_NUMBER = struct.Struct("<I")
_OF_SECTION = struct.Struct("<II")
_RECORD = struct.Struct("<IIII")
_MAGIC = 0xEB9F
_MOST_LINES, _LONGEST = 100_000, 255
_LINE_SHIFT = 10  # below it is the column


class _Record(NamedTuple):
    offset: int  # in the section, bytes
    file: int
    text: int
    line: int


class Lines:
    """Lines of a program's source, by the number of an instruction. Empty without ``clang -g``.

    Parameters
    ----------
    data
        The object file.
    name
        As `spec.parse` takes it.

    Raises
    ------
    ObjectFileError
        When it is malformed.
    """

    def __init__(self, data: bytes, name: str = "") -> None:
        elf = ElfObject(data)
        linked = Linked(elf, name)
        extension, types = elf.section(".BTF.ext"), elf.section(".BTF")
        self._strings = _strings(types.data) if types else b""
        read = _records(extension.data, self._strings) if extension else {}
        self._records: list[_Record] = []
        self._starts: list[int] = []
        for section, symbol, place in linked.functions:
            records = read.get(section.name, [])
            first, last = (
                bisect_left(records, offset, key=lambda record: record.offset)
                for offset in (symbol.value, symbol.value + symbol.size)
            )
            for record in records[first:last]:
                if not record.line:  # the compiler's own: it is of the line before
                    continue
                self._records.append(record)
                self._starts.append((place + record.offset - symbol.value) // INSTRUCTION.size)

    def __len__(self) -> int:
        return len(self._records)

    def of(self, instruction: int) -> SourceLine | None:
        """Return the line that an instruction comes from; None where it is not known."""
        place = bisect_right(self._starts, instruction) - 1
        if place < 0:
            return None
        record = self._records[place]
        file = PurePath(_text(self._strings, record.file)).name
        return SourceLine(file, record.line, _text(self._strings, record.text))


def _records(data: bytes, strings: bytes) -> dict[str, list[_Record]]:
    """Read the records of each section, in order."""
    magic, _version, _flags, header, _functions, _size, lines, length = unpack(_EXTENSION, data, 0)
    if magic != _MAGIC:
        raise ObjectFileError("its lines are not BTF.")
    part = data[header + lines : header + lines + length]
    found: dict[str, list[_Record]] = {}
    if not part:
        return found
    size = unpack(_NUMBER, part, 0)[0]
    if not _RECORD.size <= size <= 256:
        raise ObjectFileError("its lines have an odd size.")
    offset, count = _NUMBER.size, 0
    while offset < len(part):
        name, number = unpack(_OF_SECTION, part, offset)
        offset += _OF_SECTION.size
        count += number
        if count > _MOST_LINES:
            raise ObjectFileError("it has too many lines.")
        records = found.setdefault(_text(strings, name), [])
        for place in range(offset, offset + number * size, size):
            start, file, text, line = unpack(_RECORD, part, place)
            records.append(_Record(start, file, text, line >> _LINE_SHIFT))
        offset += number * size
    for records in found.values():
        records.sort()
    return found


def _strings(types: bytes) -> bytes:
    magic, _version, _flags, header, _types, _size, strings, length = unpack(_TYPES, types, 0)
    if magic != _MAGIC:
        raise ObjectFileError("its types are not BTF.")
    return types[header + strings : header + strings + length]


def _text(strings: bytes, offset: int) -> str:
    """Read a string, of a line as much as fits."""
    end = strings.find(b"\0", offset, offset + _LONGEST)
    return strings[offset : end if end >= 0 else offset + _LONGEST].decode("utf-8", "replace")
