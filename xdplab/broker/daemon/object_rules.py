"""What a session loads of a client's own program: the bounds of its spec, and its memory."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xdplab.core.checks import whole
from xdplab.programs.elf import ObjectFileError
from xdplab.programs.functions import CALL, INSTRUCTION, LOAD_64, OF_FUNCTION
from xdplab.programs.spec import (
    ARRAY,
    FRAGMENTS,
    MAP_INDEX,
    MAP_VALUE_INDEX,
    NUMBER,
    XSKMAP,
    MapSpec,
    ProgramSpec,
)

MAP_BYTES = 16 << 20
"""Most bytes of all maps of one object together."""
MOST_MAPS = 32
"""Most maps of an object."""

_MOST_INSTRUCTIONS = 100_000
_LONGEST_NAME = 63
_CALL_ELSEWHERE = {0x8D}  # by register

# linux/bpf.h. None of these holds programs, other maps, or interfaces: the owner of such a map
# enters objects of its own namespace, which is the host's.
_RING_BUFFER = 27
_PER_CPU = {5, 6, 10}
_MAP_TYPES = {1, ARRAY, *_PER_CPU, 9, 11, XSKMAP, 22, 23, _RING_BUFFER}
# BPF_F_NO_PREALLOC, NO_COMMON_LRU, RDONLY_PROG, WRONLY_PROG, MMAPABLE
_MAP_FLAGS = 1 | 2 | 1 << 7 | 1 << 8 | 1 << 10
_ENTRY_OVERHEAD = 64  # bytes; about what a hash table takes beside key and value
_MAP_OVERHEAD, _PROGRAM_OVERHEAD = 16_384, 8_192
_COMPILED = 8  # times its size: rewritten by the verifier, and as machine code
# A per-CPU map has an entry for each possible CPU, also absent ones.
_CPUS = int(re.split("[-,]", Path("/sys/devices/system/cpu/possible").read_text())[-1]) + 1


def size_of(spec: ProgramSpec) -> int:
    """Return the bytes that the kernel takes for it, or more than that."""
    # Each function becomes a program of the kernel's.
    functions = 1 + len(set(_calls(spec.instructions)))
    program = functions * _PROGRAM_OVERHEAD + _COMPILED * len(spec.instructions)
    return program + sum(_MAP_OVERHEAD + _bytes(one) for one in spec.maps)


def check_spec(plain: Any, queues: int) -> ProgramSpec:
    """Check a spec that came in types of JSON, and return it with room for so many queues.

    It trusts neither the object file nor the process that read it.

    Raises
    ------
    ObjectFileError
        When it is malformed.
    ConfigurationError
        When it asks for too much, or for something that is not allowed.
    """
    try:
        maps = [MapSpec(**{**one, "initial": _to_bytes(one["initial"])}) for one in plain["maps"]]
        instructions = _to_bytes(plain["instructions"])
        spec = ProgramSpec(**{**plain, "maps": maps, "instructions": instructions})
    except (TypeError, KeyError, ValueError, binascii.Error):
        raise ObjectFileError("its spec is malformed.") from None
    if len(maps) > MOST_MAPS:
        raise ObjectFileError(f"it has more than {MOST_MAPS} maps.")
    for name in (spec.name, *(one.name for one in maps)):
        _check_name(name)
    if not isinstance(spec.license, str) or not spec.license.isprintable():
        raise ObjectFileError("its license is no text.")
    if spec.flags not in (0, FRAGMENTS):
        raise ObjectFileError("it asks for flags that are not supported.")
    spec = spec._replace(maps=[_checked(one) for one in maps]).for_queues(queues)
    if sum(map(_bytes, spec.maps)) > MAP_BYTES:
        raise ObjectFileError(f"its maps take more than {MAP_BYTES >> 20} MiB.")
    _check_instructions(spec.instructions, len(maps))
    return spec


def _checked(one: MapSpec) -> MapSpec:
    kind = whole("map type", one.type, 0, 255)
    if kind not in _MAP_TYPES:
        raise ObjectFileError(f"its map {one.name} is of type {kind}, which is not allowed.")
    flags = whole("map flags", one.flags, 0, 2**31 - 1)
    if flags & ~_MAP_FLAGS or type(one.frozen) is not bool:
        raise ObjectFileError(f"its map {one.name} has flags that are not allowed.")
    if one.initial and (kind != ARRAY or one.entries != 1 or len(one.initial) != one.value_size):
        raise ObjectFileError(f"its map {one.name} can't have what it begins with.")
    return one._replace(
        key_size=whole("key size", one.key_size, 0, 512),
        value_size=whole("value size", one.value_size, 0, MAP_BYTES),
        entries=whole("max_entries", one.entries, 0, 2**31 - 1),
    )


def _bytes(one: MapSpec) -> int:
    if one.type == _RING_BUFFER:
        return one.entries
    copies = _CPUS if one.type in _PER_CPU else 1
    value = (one.value_size + 7) // 8 * 8  # as the kernel rounds it
    beside = 0 if one.type == ARRAY else one.key_size + _ENTRY_OVERHEAD
    return (value * copies + beside) * one.entries


def _check_name(name: object) -> None:
    # The kernel's rules, but for the length.
    if not isinstance(name, str) or len(name) > _LONGEST_NAME:
        raise ObjectFileError("a name in it is too long.")
    if not all(letter.isascii() and (letter.isalnum() or letter in "_.") for letter in name):
        raise ObjectFileError("a name in it has letters that the kernel does not take.")


def _check_instructions(instructions: bytes, maps: int) -> None:
    """Check that instructions refer only to these maps, themselves and the kernel's helpers.

    The verifier checks what a program may do. But by a descriptor's number a program could reach
    objects that are the session's and not the client's.
    """
    count = len(instructions) // INSTRUCTION.size
    if not 0 < count <= _MOST_INSTRUCTIONS or len(instructions) % INSTRUCTION.size:
        raise ObjectFileError(f"its program must have 1 to {_MOST_INSTRUCTIONS:,} instructions.")
    if any(not 0 <= target < count for target in _calls(instructions)):
        raise ObjectFileError("it calls a function that is not in it.")
    second = False
    for code, registers, _offset, number in INSTRUCTION.iter_unpack(instructions):
        if second:
            second = False
            continue
        source = registers >> 4
        if code == LOAD_64:
            second = True
            if source not in (NUMBER, MAP_INDEX, MAP_VALUE_INDEX):
                raise ObjectFileError("it refers to something else than its maps.")
            if source != NUMBER and not 0 <= number < maps:
                raise ObjectFileError("it refers to a map that it does not have.")
        elif (code == CALL and source not in (0, OF_FUNCTION)) or code in _CALL_ELSEWHERE:
            raise ObjectFileError("it calls something else than its functions and helpers.")


def _calls(instructions: bytes) -> Iterator[int]:
    """Go through the calls of functions: the number of the first instruction of each."""
    for place, (code, registers, _offset, number) in enumerate(
        INSTRUCTION.iter_unpack(instructions)
    ):
        # The second half of a constant can look like one, too: it counts in vain.
        if code == CALL and registers >> 4 == OF_FUNCTION:
            yield place + 1 + number


def _to_bytes(value: Any) -> bytes:
    return base64.b64decode(value, validate=True)
