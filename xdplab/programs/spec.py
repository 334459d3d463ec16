"""The spec of an XDP program: what an object file says, as plain data.

`parse` reads any bytes, and either returns a spec or raises `ObjectFileError`; it makes nothing in
the kernel (`loading.py`). Broker and kernel backend use it alike; the broker runs it in a confined
process without privilege.

libbpf can't take the place of this reader there, as trials with libbpf 1.1.2 showed. Its
`bpf_object__open_mem` runs behind the parser's seccomp filter, but leaves open to which map an
instruction refers: only `bpf_object__load` finds that out, which calls bpf(2) itself. So its C code
would read a client's bytes in the process that has CAP_BPF and CAP_NET_ADMIN; and of 4,000 objects
with 1 to 8 bytes changed, 26 crashed it.
"""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from xdplab.core.errors import ConfigurationError
from xdplab.programs.btf import Types
from xdplab.programs.elf import UNDEFINED, ElfObject, ObjectFileError, Section, Symbol
from xdplab.programs.functions import INSTRUCTION, Linked

OBJECT_BYTES = 2 << 20
"""Most bytes of an object file."""

# linux/bpf.h: what the 64-bit constant of an instruction stands for.
NUMBER, MAP_INDEX, MAP_VALUE_INDEX = 0, 5, 6
XSKMAP, ARRAY = 17, 2  # enum bpf_map_type
FRAGMENTS = 1 << 5  # BPF_F_XDP_HAS_FRAGS
_TO_64 = 1  # R_BPF_64_64
_READ_ONLY, _MAPPABLE = 1 << 7, 1 << 10  # BPF_F_RDONLY_PROG, BPF_F_MMAPABLE

_DECLARED = {
    "type": "type", "max_entries": "entries", "map_flags": "flags", "key": "key_size",
    "key_size": "key_size", "value": "value_size", "value_size": "value_size",
}  # fmt: skip
CONSTANTS = ".rodata"
DATA_SECTIONS = (CONSTANTS, ".data", ".bss")
"""Sections of global variables, and beginnings of their names. Each is an array of one entry."""


class MapSpec(NamedTuple):
    """A map to make."""

    name: str
    type: int
    """Of ``enum bpf_map_type``."""
    key_size: int
    value_size: int
    entries: int
    flags: int
    initial: bytes = b""
    """Value of the only entry of an array."""
    frozen: bool = False
    """Whether nobody may change it."""


class ProgramSpec(NamedTuple):
    """Maps, and a program whose instructions refer to them by their index."""

    maps: list[MapSpec]
    name: str
    license: str
    instructions: bytes
    flags: int

    def for_queues(self, queues: int) -> ProgramSpec:
        """Return it with room for a socket of each queue in its XSKMAPs."""
        return self._replace(
            maps=[
                one._replace(entries=max(one.entries, queues)) if one.type == XSKMAP else one
                for one in self.maps
            ]
        )

    def plain(self) -> dict[str, Any]:
        """Return it in types of JSON."""
        maps = [one._asdict() | {"initial": _to_text(one.initial)} for one in self.maps]
        return {
            **self._asdict(),
            "maps": maps,
            "instructions": _to_text(self.instructions),
        }


def parse(data: bytes, name: str = "") -> ProgramSpec:
    """Read an object file.

    Parameters
    ----------
    data
        The whole file.
    name
        Name of the program's function, or of its section, such as ``"xdp"``, where that holds but
        one. It may be left out where the file has one XDP program.

    Raises
    ------
    ObjectFileError
        When it is malformed, or has what is not supported: relocations against the kernel's types
        (CO-RE), kernel functions and variables, maps of maps and of programs, maps that are pinned.
    """
    elf = ElfObject(data)
    linked = Linked(elf, name)
    section, symbol, _place = linked.functions[0]
    types = elf.section(".BTF")
    declared = Types(types.data).declarations() if types else {}
    maps: dict[str, MapSpec] = {
        map_name: _map(map_name, said) for map_name, said in declared.items()
    }
    instructions = linked.code
    for place, relocation in linked.references:
        if relocation.type != _TO_64:
            raise ObjectFileError("it has relocations that are not supported.")
        _refer(elf, maps, instructions, place, relocation.symbol)
    license_ = elf.section("license")
    return ProgramSpec(
        list(maps.values()),
        symbol.name,
        license_.data.rstrip(b"\0").decode("ascii", "replace")[:64] if license_ else "",
        bytes(instructions),
        FRAGMENTS if section.name == "xdp.frags" else 0,
    )


def refusal(error: ConfigurationError) -> ConfigurationError:
    """Return what a user is told where an object file has no spec, or one that is not allowed."""
    return ConfigurationError(f"the object file can't be loaded: {error}")


def _map(name: str, said: dict[str, int]) -> MapSpec:
    if not said.keys() <= _DECLARED.keys():
        raise ObjectFileError(f"its map {name} has {', '.join(said)}, not all of them supported.")
    fields = {"type": 0, "key_size": 0, "value_size": 0, "entries": 0, "flags": 0}
    fields |= {_DECLARED[key]: value for key, value in said.items()}
    return MapSpec(
        name,
        fields["type"],
        fields["key_size"],
        fields["value_size"],
        fields["entries"],
        fields["flags"],
    )


def _refer(
    elf: ElfObject, maps: dict[str, MapSpec], instructions: bytearray, place: int, symbol: Symbol
) -> None:
    """Make a 64-bit constant refer to a map, or to a value in one."""
    if symbol.section == UNDEFINED or symbol.section >= len(elf.sections):
        raise ObjectFileError(f"it uses {symbol.name or 'something'}, which is not in it.")
    section = elf.sections[symbol.section]
    code, registers, offset, number = INSTRUCTION.unpack_from(instructions, place)
    second = INSTRUCTION.unpack_from(instructions, place + 8)
    if section.name == ".maps" and symbol.name in maps:
        kind, index, number = MAP_INDEX, list(maps).index(symbol.name), second[3]
    elif section.name.startswith(DATA_SECTIONS):
        maps.setdefault(section.name, _data_map(section))
        # The compiler puts the offset in the section into the constant.
        kind, index = MAP_VALUE_INDEX, list(maps).index(section.name)
        number = (number + symbol.value) & 0x7FFFFFFF
    else:
        raise ObjectFileError(f"it refers to {section.name or 'nothing'}, which is not supported.")
    INSTRUCTION.pack_into(instructions, place, code, registers & 0xF | kind << 4, offset, index)
    INSTRUCTION.pack_into(instructions, place + 8, *second[:3], number)


def _data_map(section: Section) -> MapSpec:
    read_only = section.name.startswith(CONSTANTS)
    if section.size > OBJECT_BYTES:
        raise ObjectFileError("its data are too large.")
    initial = section.data or bytes(section.size)
    flags = _MAPPABLE | (_READ_ONLY if read_only else 0)
    return MapSpec(section.name, ARRAY, 4, len(initial), 1, flags, initial, read_only)


def _to_text(data: bytes) -> str:
    return base64.b64encode(data).decode()
