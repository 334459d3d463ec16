"""Global variables of a loaded XDP program, read and set in the memory that the program uses."""

from __future__ import annotations

import difflib
import mmap
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from xdplab.core.checks import is_a, shown
from xdplab.core.closing import Uncopied
from xdplab.core.errors import ConfigurationError, MissingKeyError
from xdplab.core.table import Table, Tabled
from xdplab.programs.described import Place
from xdplab.programs.packing import pack, unpack
from xdplab.programs.spec import CONSTANTS
from xdplab.xdp.maps import Map

_AT_ONCE = (1, 2, 4, 8)  # bytes that the processor loads and stores in one step


class Variables(Tabled, Uncopied, Mapping[str, Any]):
    """Global variables of a loaded program, by name: read and set while it runs.

    Values are as those of an `ArrayMap`. One of up to 8 bytes is read and set in one step; of a
    larger one, the program may see a part of the old value and a part of the new one. A variable
    that is static in a function is called ``function.variable``. Constants can be read only.
    Variables that the program does not use are not there.

    Raises
    ------
    MissingKeyError
        When there is no such variable.
    ConfigurationError
        When a value has another type, or is out of range, or it is a constant.
    ClosedError
        After the program was closed.
    """

    def __init__(self, places: Mapping[str, Place], sections: Mapping[str, Map]) -> None:
        self._places, self._sections = places, sections
        self._mapped: dict[str, mmap.mmap] = {}

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_"):
            raise ConfigurationError(
                f"a variable is set by its name in brackets: program.variables[{name!r}] = "
                f"{shown(value)}."
            )
        super().__setattr__(name, value)

    def __getitem__(self, name: str) -> Any:
        place = self._place(name)
        memory, size = self._memory(place.section), place.dtype.itemsize
        if size in _AT_ONCE:
            data = np.frombuffer(memory, f"u{size}", 1, place.offset)[0].tobytes()
        else:
            data = memory[place.offset : place.offset + size]
        return unpack(place.dtype, data)

    def __setitem__(self, name: str, value: Any) -> None:
        place = self._place(name)
        if place.section.startswith(CONSTANTS):
            raise ConfigurationError(
                f"variables[{name!r}] is a constant: give it when the program is loaded, "
                f"Program(source, port, constants={{{name!r}: {shown(value)}}})."
            )
        packed = pack(place.dtype, value, f"variables[{name!r}]")
        memory, size = self._memory(place.section), len(packed)
        if size in _AT_ONCE:
            room = np.frombuffer(memory, f"u{size}", 1, place.offset)
            room[0] = np.frombuffer(packed, f"u{size}")[0]
        else:
            memory[place.offset : place.offset + size] = packed

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def release(self) -> None:
        """Let the memory go."""
        self._mapped.clear()

    def _place(self, name: object) -> Place:
        found = self._places.get(name) if is_a(name, str) else None
        if found is None:
            known = ", ".join(self._places) or "none"
            near = is_a(name, str) and difflib.get_close_matches(name[:99], self._places, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"It has: {known}."
            raise MissingKeyError(f"the program uses no global variable {shown(name)}. {hint}")
        return found

    def _memory(self, section: str) -> mmap.mmap:
        one = self._sections[section]
        descriptor = one.fileno()  # or it says that the program was closed
        if section not in self._mapped:
            writes = 0 if section.startswith(CONSTANTS) else mmap.PROT_WRITE
            size = -(-one.value_size // mmap.PAGESIZE) * mmap.PAGESIZE
            self._mapped[section] = mmap.mmap(descriptor, size, prot=mmap.PROT_READ | writes)
        return self._mapped[section]

    def _table(self) -> Table:
        if any(each.closed for each in self._sections.values()):
            return Table("Variables, closed")
        rows = [(name, str(self[name]), place.section) for name, place in self._places.items()]
        return Table(self._brief()[1:-1], rows, ("variable", "value", "section") if rows else ())

    def _brief(self) -> str:
        return f"<Variables: {', '.join(self._places) or 'none'}>"
