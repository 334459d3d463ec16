"""The contents of an object file as plain data: maps, and a program that refers to them.

`describe` makes the description, in a confined process without privilege. A session reads it by
`check_description`, which trusts neither the file nor that process.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from pathlib import Path
from typing import Any, NamedTuple

from xdplab.core.checks import whole
from xdplab.programs.btf import Types
from xdplab.programs.elf import FUNCTION, UNDEFINED, ElfObject, ObjectFileError, Section, Symbol

OBJECT_BYTES = 2 << 20
"""Most bytes of an object file."""
MAP_BYTES = 16 << 20
"""Most bytes of all maps of one object together."""
MOST_MAPS = 32
"""Most maps of an object."""

_INSTRUCTION = struct.Struct("<BBhi")
_MOST_INSTRUCTIONS = 100_000
_LOAD_64, _CALL = 0x18, 0x85  # BPF_LD | BPF_IMM | BPF_DW, BPF_JMP | BPF_CALL
_CALL_ELSEWHERE = {0x8D}  # by register
# linux/bpf.h: what the 64-bit constant of an instruction stands for.
_NUMBER, MAP_INDEX, MAP_VALUE_INDEX = 0, 5, 6
_TO_64, _TO_CALL = 1, 10  # R_BPF_64_64, R_BPF_64_32

# linux/bpf.h. None of these holds programs, other maps, or interfaces: the owner of such a map
# enters objects of its own namespace, which is the host's.
XSKMAP, _ARRAY, _RING_BUFFER = 17, 2, 27
_PER_CPU = {5, 6, 10}
_MAP_TYPES = {1, _ARRAY, *_PER_CPU, 9, 11, XSKMAP, 22, 23, _RING_BUFFER}
# BPF_F_NO_PREALLOC, NO_COMMON_LRU, RDONLY_PROG, WRONLY_PROG, MMAPABLE
_MAP_FLAGS = 1 | 2 | 1 << 7 | 1 << 8 | 1 << 10
_READ_ONLY, _MAPPABLE = 1 << 7, 1 << 10
_FRAGMENTS = 1 << 5  # BPF_F_XDP_HAS_FRAGS
_NAME_BYTES = 15
_ENTRY_OVERHEAD = 64  # bytes; about what a hash table takes
_MAP_OVERHEAD, _PROGRAM_OVERHEAD = 16_384, 8_192
_COMPILED = 8  # times its size: rewritten by the verifier, and as machine code
# A per-CPU map has an entry for each possible CPU, also absent ones.
_CPUS = int(re.split("[-,]", Path("/sys/devices/system/cpu/possible").read_text())[-1]) + 1

_DECLARED = {
    "type": "type", "max_entries": "entries", "map_flags": "flags", "key": "key_size",
    "key_size": "key_size", "value": "value_size", "value_size": "value_size",
}  # fmt: skip
_DATA_SECTIONS = (".rodata", ".data", ".bss")


class Map(NamedTuple):
    """A map to make."""

    name: str
    type: int
    key_size: int
    value_size: int
    entries: int
    flags: int
    initial: bytes = b""
    frozen: bool = False


class Description(NamedTuple):
    """Maps, and a program whose instructions refer to them by their index."""

    maps: list[Map]
    name: str
    license: str
    instructions: bytes
    flags: int

    @property
    def size(self) -> int:
        """Bytes that the kernel takes for it, or less than that many."""
        program = _PROGRAM_OVERHEAD + _COMPILED * len(self.instructions)
        return program + sum(_MAP_OVERHEAD + _bytes(one) for one in self.maps)

    def plain(self) -> dict[str, Any]:
        """Return it in types of JSON."""
        maps = [one._asdict() | {"initial": _to_text(one.initial)} for one in self.maps]
        return {
            **self._asdict(),
            "maps": maps,
            "instructions": _to_text(self.instructions),
        }


def describe(data: bytes, name: str) -> Description:
    """Read an object file.

    Parameters
    ----------
    data
        The whole file.
    name
        Name of the program's function, or of its section, such as ``"xdp"``, where that holds but
        one.

    Raises
    ------
    ObjectFileError
        When it is malformed, or has what is not supported: calls of functions that are not inlined,
        relocations against the kernel's types (CO-RE), kernel functions and variables, maps of
        maps and of programs, maps that are pinned.
    """
    elf = ElfObject(data)
    section, symbol = _function(elf, name)
    types = elf.section(".BTF")
    declared = Types(types.data).declarations() if types else {}
    maps: dict[str, Map] = {map_name: _map(map_name, said) for map_name, said in declared.items()}
    instructions = bytearray(section.data[symbol.value : symbol.value + symbol.size])
    if len(instructions) != symbol.size or symbol.size % _INSTRUCTION.size:
        raise ObjectFileError("its program is cut off.")
    for relocation in elf.relocations(section):
        place = relocation.offset - symbol.value
        if not 0 <= place < symbol.size:
            continue
        if relocation.type == _TO_CALL:
            raise ObjectFileError("it calls a function: declare that as __always_inline.")
        if relocation.type != _TO_64 or place % 8 or place + 16 > symbol.size:
            raise ObjectFileError("it has relocations that are not supported.")
        _refer(elf, maps, instructions, place, relocation.symbol)
    license_ = elf.section("license")
    return Description(
        list(maps.values()),
        symbol.name[:_NAME_BYTES],
        license_.data.rstrip(b"\0").decode("ascii", "replace")[:64] if license_ else "",
        bytes(instructions),
        _FRAGMENTS if section.name == "xdp.frags" else 0,
    )


def _function(elf: ElfObject, name: str) -> tuple[Section, Symbol]:
    found = [
        (section, symbol)
        for section in elf.sections
        if section.holds_instructions and section.name.split("/")[0] in ("xdp", "xdp.frags")
        for symbol in elf.symbols
        if symbol.type == FUNCTION and symbol.section == section.number
        if name in (section.name, symbol.name)
    ]
    if len(found) != 1:
        raise ObjectFileError(
            f"it has {len(found) or 'no'} XDP programs {name!r}: name one, in a section xdp."
        )
    return found[0]


def _map(name: str, said: dict[str, int]) -> Map:
    if not said.keys() <= _DECLARED.keys():
        raise ObjectFileError(f"its map {name} has {', '.join(said)}, not all of them supported.")
    fields = {"type": 0, "key_size": 0, "value_size": 0, "entries": 0, "flags": 0}
    fields |= {_DECLARED[key]: value for key, value in said.items()}
    return Map(
        name[:_NAME_BYTES],
        fields["type"],
        fields["key_size"],
        fields["value_size"],
        fields["entries"],
        fields["flags"],
    )


def _refer(
    elf: ElfObject, maps: dict[str, Map], instructions: bytearray, place: int, symbol: Symbol
) -> None:
    """Make a 64-bit constant refer to a map, or to a value in one."""
    if symbol.section == UNDEFINED or symbol.section >= len(elf.sections):
        raise ObjectFileError(f"it uses {symbol.name or 'something'}, which is not in it.")
    section = elf.sections[symbol.section]
    code, registers, offset, number = _INSTRUCTION.unpack_from(instructions, place)
    second = _INSTRUCTION.unpack_from(instructions, place + 8)
    if section.name == ".maps" and symbol.name in maps:
        kind, index, number = MAP_INDEX, list(maps).index(symbol.name), second[3]
    elif section.name.startswith(_DATA_SECTIONS):
        maps.setdefault(section.name, _data_map(section))
        # The compiler puts the offset in the section into the constant.
        kind, index = MAP_VALUE_INDEX, list(maps).index(section.name)
        number = (number + symbol.value) & 0x7FFFFFFF
    else:
        raise ObjectFileError(f"it refers to {section.name or 'nothing'}, which is not supported.")
    _INSTRUCTION.pack_into(instructions, place, code, registers & 0xF | kind << 4, offset, index)
    _INSTRUCTION.pack_into(instructions, place + 8, *second[:3], number)


def _data_map(section: Section) -> Map:
    read_only = section.name.startswith(".rodata")
    if section.size > OBJECT_BYTES:
        raise ObjectFileError("its data are too large.")
    initial = section.data or bytes(section.size)
    flags = _MAPPABLE | (_READ_ONLY if read_only else 0)
    return Map(section.name[:_NAME_BYTES], _ARRAY, 4, len(initial), 1, flags, initial, read_only)


def check_description(plain: Any, queues: int) -> Description:  # noqa: ANN401 - as it came
    """Check a description, and return it; an XSKMAP gets as many entries as there are queues.

    Raises
    ------
    ObjectFileError
        When it is malformed.
    ConfigurationError
        When it asks for too much, or for something that is not allowed.
    """
    try:
        maps = [Map(**{**one, "initial": _to_bytes(one["initial"])}) for one in plain["maps"]]
        instructions = _to_bytes(plain["instructions"])
        description = Description(**{**plain, "maps": maps, "instructions": instructions})
    except (TypeError, KeyError, ValueError, binascii.Error):
        raise ObjectFileError("its description is malformed.") from None
    if len(maps) > MOST_MAPS:
        raise ObjectFileError(f"it has more than {MOST_MAPS} maps.")
    for name in (description.name, *(one.name for one in maps)):
        _check_name(name)
    if not isinstance(description.license, str) or not description.license.isprintable():
        raise ObjectFileError("its license is no text.")
    if description.flags not in (0, _FRAGMENTS):
        raise ObjectFileError("it asks for flags that are not supported.")
    maps = [_sized(one, queues) for one in maps]
    if sum(map(_bytes, maps)) > MAP_BYTES:
        raise ObjectFileError(f"its maps take more than {MAP_BYTES >> 20} MiB.")
    _check_instructions(description.instructions, len(maps))
    return description._replace(maps=maps)


def _sized(one: Map, queues: int) -> Map:
    kind = whole("map type", one.type, 0, 255)
    if kind not in _MAP_TYPES:
        raise ObjectFileError(f"its map {one.name} is of type {kind}, which is not allowed.")
    flags = whole("map flags", one.flags, 0, 2**31 - 1)
    if flags & ~_MAP_FLAGS or type(one.frozen) is not bool:
        raise ObjectFileError(f"its map {one.name} has flags that are not allowed.")
    if one.initial and (kind != _ARRAY or one.entries != 1 or len(one.initial) != one.value_size):
        raise ObjectFileError(f"its map {one.name} can't have what it begins with.")
    return one._replace(
        key_size=whole("key size", one.key_size, 0, 512),
        value_size=whole("value size", one.value_size, 0, MAP_BYTES),
        entries=queues if kind == XSKMAP else whole("max_entries", one.entries, 0, 2**31 - 1),
    )


def _bytes(one: Map) -> int:
    if one.type == _RING_BUFFER:
        return one.entries
    copies = _CPUS if one.type in _PER_CPU else 1
    value = (one.value_size + 7) // 8 * 8  # as the kernel rounds it
    return (one.key_size + value * copies + _ENTRY_OVERHEAD) * one.entries


def _check_name(name: object) -> None:
    # The kernel's rules.
    if not isinstance(name, str) or len(name) > _NAME_BYTES:
        raise ObjectFileError("a name in it is too long.")
    if not all(letter.isascii() and (letter.isalnum() or letter in "_.") for letter in name):
        raise ObjectFileError("a name in it has letters that the kernel does not take.")


def _check_instructions(instructions: bytes, maps: int) -> None:
    """Check that instructions refer only to these maps and the kernel's helpers.

    The verifier checks what a program may do. But by a descriptor's number a program could reach
    objects that are the session's and not the client's.
    """
    count = len(instructions) // _INSTRUCTION.size
    if not 0 < count <= _MOST_INSTRUCTIONS or len(instructions) % _INSTRUCTION.size:
        raise ObjectFileError(f"its program must have 1 to {_MOST_INSTRUCTIONS:,} instructions.")
    second = False
    for code, registers, _offset, number in _INSTRUCTION.iter_unpack(instructions):
        if second:
            second = False
            continue
        source = registers >> 4
        if code == _LOAD_64:
            second = True
            if source not in (_NUMBER, MAP_INDEX, MAP_VALUE_INDEX):
                raise ObjectFileError("it refers to something else than its maps.")
            if source != _NUMBER and not 0 <= number < maps:
                raise ObjectFileError("it refers to a map that it does not have.")
        elif (code == _CALL and source) or code in _CALL_ELSEWHERE:
            raise ObjectFileError("it calls something else than the kernel's helpers.")


def _to_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _to_bytes(value: Any) -> bytes:  # noqa: ANN401 - as it came
    return base64.b64decode(value, validate=True)
