"""The functions of a program: the one that packets enter by, and those that it calls.

The kernel takes one piece of code. A function that was not inlined lies elsewhere in the object
file, and the calls of it are relative to the calling instruction: so each function is placed behind
those before it, and its callers are told where (the kernel's Documentation/bpf/llvm_reloc.rst).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from xdplab.programs.elf import FUNCTION, ElfObject, ObjectFileError, Relocation, Section, Symbol

INSTRUCTION = struct.Struct("<BBhi")
LOAD_64 = 0x18
"""BPF_LD | BPF_IMM | BPF_DW, which takes the room of two instructions."""
CALL, OF_FUNCTION = 0x85, 1
"""BPF_JMP | BPF_CALL, and its source register, BPF_PSEUDO_CALL, for functions of the program."""

_TO_CALL = 10  # R_BPF_64_32
_MOST_BYTES = 2 << 20
_SECTIONS = ("xdp", "xdp.frags")
_Target = tuple[int, int]  # number of a section, and bytes from its beginning


class Function(NamedTuple):
    """A function, and where the program has it."""

    section: Section
    symbol: Symbol
    place: int
    """Bytes from the beginning of the program."""


class Linked:
    """A program's functions, one behind the other.

    Parameters
    ----------
    elf
        The object file.
    name
        As `spec.parse` takes it.

    Attributes
    ----------
    functions
        The function that packets enter by, and those that it calls.
    code
        Their instructions, in which calls of one another are right.
    references
        Relocations of other instructions, with each one's place in the code.

    Raises
    ------
    ObjectFileError
        When it is malformed, or calls what is not in the file.
    """

    def __init__(self, elf: ElfObject, name: str) -> None:
        self._elf = elf
        self._relocations: dict[int, dict[int, Relocation]] = {}
        self._known = {
            (symbol.section, symbol.value): symbol
            for symbol in elf.symbols
            if symbol.type == FUNCTION
        }
        self._places: dict[_Target, int] = {}
        self.functions: list[Function] = []
        self.code = bytearray()
        self.references: list[tuple[int, Relocation]] = []
        calls: list[tuple[int, _Target]] = []
        section, symbol = _find_program(elf, name)
        self._place((section.number, symbol.value))
        for one in self.functions:  # which grows
            for place, target in self._calls(one):
                calls.append((place, target))
                if target not in self._places:
                    self._place(target)
        for place, target in calls:
            fields = INSTRUCTION.unpack_from(self.code, place)
            distance = (self._places[target] - place) // INSTRUCTION.size - 1
            INSTRUCTION.pack_into(self.code, place, *fields[:3], distance)

    def _place(self, target: _Target) -> None:
        number, offset = target
        symbol = self._known.get(target)
        if symbol is None or not 0 < number < len(self._elf.sections):
            raise ObjectFileError("it calls a function that is not in it.")
        section = self._elf.sections[number]
        code = section.data[offset : offset + symbol.size]
        if len(code) != symbol.size or symbol.size % INSTRUCTION.size:
            raise ObjectFileError("its program is cut off.")
        self._places[target] = len(self.code)
        self.functions.append(Function(section, symbol, len(self.code)))
        self.code += code
        if len(self.code) > _MOST_BYTES:
            raise ObjectFileError("its functions are too large.")

    def _calls(self, one: Function) -> Iterator[tuple[int, _Target]]:
        """Find a function's calls of functions, and note what else it refers to."""
        told = self._of_section(one.section)
        size, second = INSTRUCTION.size, False
        for inside in range(0, one.symbol.size, size):
            place, offset = one.place + inside, one.symbol.value + inside
            relocation = told.get(offset)
            operation, registers, _offset, distance = INSTRUCTION.unpack_from(self.code, place)
            is_call = not second and operation == CALL and registers >> 4 == OF_FUNCTION
            second = not second and operation == LOAD_64
            if relocation is not None and relocation.type != _TO_CALL:
                if inside + 2 * size > one.symbol.size:
                    raise ObjectFileError("it has relocations that are not supported.")
                self.references.append((place, relocation))
            elif is_call and relocation is not None:
                # The instruction has the distance from the symbol to the function, less one.
                symbol = relocation.symbol
                yield place, (symbol.section, symbol.value + (distance + 1) * size)
            elif is_call:
                yield place, (one.section.number, offset + (distance + 1) * size)

    def _of_section(self, section: Section) -> dict[int, Relocation]:
        """Return the relocations of a section, by their offsets."""
        if section.number not in self._relocations:
            found = {each.offset: each for each in self._elf.relocations(section)}
            if any(offset % INSTRUCTION.size for offset in found):
                raise ObjectFileError("it has relocations that are not supported.")
            self._relocations[section.number] = found
        return self._relocations[section.number]


def _find_program(elf: ElfObject, name: str) -> tuple[Section, Symbol]:
    programs = [
        (section, symbol)
        for section in elf.sections
        if section.holds_instructions and section.name.split("/")[0] in _SECTIONS
        for symbol in elf.symbols
        if symbol.type == FUNCTION and symbol.section == section.number
    ]
    found = [each for each in programs if name in ("", each[0].name, each[1].name)]
    if len(found) != 1:
        named = f" {name!r}" if name else ""
        there = ", ".join(symbol.name for _section, symbol in programs)
        remedy = f"name one of {there}" if there else 'put one into SEC("xdp")'
        raise ObjectFileError(f"it has {len(found) or 'no'} XDP programs{named}: {remedy}.")
    return found[0]
