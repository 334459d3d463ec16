"""What an object file says of its maps' types and of its global variables, for who loads it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from xdplab.core.errors import ConfigurationError
from xdplab.programs.btf import Types
from xdplab.programs.dtypes import DType, Dtypes
from xdplab.programs.elf import ElfObject, ObjectFileError, Section
from xdplab.programs.maps import ARRAYS, MapFacts
from xdplab.programs.packing import pack
from xdplab.programs.spec import CONSTANTS, DATA_SECTIONS

_INDEX = np.dtype("<u4")  # of an array


class Place(NamedTuple):
    """Where a global variable is."""

    section: str
    dtype: DType
    offset: int


class Described:
    """The types of one object file.

    Parameters
    ----------
    data
        The whole file.

    Raises
    ------
    ObjectFileError
        When it is malformed; not where `spec.parse` read it.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._elf = ElfObject(data)
        section = self._elf.section(".BTF")
        self._types = Types(section.data, self._moved(section)) if section else None
        self._dtypes = Dtypes(self._types) if self._types else None
        self._maps = self._types.map_types() if self._types else {}

    def dtypes(self, facts: MapFacts) -> tuple[DType, DType]:
        """Return the dtypes of a map's keys and values; bytes, where they have no type."""
        types = self._maps.get(facts.name, {})
        value = self._of(types.get("value"), facts.value_size)
        if facts.type in ARRAYS:
            return _INDEX, self._section(facts.name, facts.value_size) or value
        return self._of(types.get("key"), facts.key_size), value

    def named(self, name: str) -> DType:
        """Return the dtype of the type that C calls so, such as "struct event".

        Raises
        ------
        ConfigurationError
            When there is none, or several.
        """
        found = self._types.named(name) if self._types else []
        if len(found) != 1 or self._dtypes is None:
            _, _, tag = name.rpartition(" ")
            raise ConfigurationError(
                f"type={name!r} is {'several types' if found else 'no type'} of the object file. "
                "A compiler keeps the types of maps and of variables: declare one, "
                f"{name} *unused_{tag} __attribute__((unused));"
            )
        return self._dtypes.of(found[0])

    def variables(self, maps: Mapping[str, MapFacts]) -> dict[str, Place]:
        """Return the global variables in the sections that are among these maps."""
        found: dict[str, Place] = {}
        for name, facts in maps.items():
            dtype = self._section(name, facts.value_size)
            for variable, field in (dtype.fields or {}).items() if dtype else ():
                found.setdefault(variable, Place(name, *field[:2]))
        return found

    def with_constants(self, constants: Mapping[str, object]) -> bytes:
        """Return the file with other values of its constants.

        Raises
        ------
        ConfigurationError
            When it has no such constant, or a value does not fit.
        """
        data = bytearray(self._data)
        sections = [each for each in self._elf.sections if each.name.startswith(DATA_SECTIONS)]
        sizes = {each.name: MapFacts(each.name, 2, 4, each.size, 1) for each in sections}
        places = self.variables(sizes)
        for name, value in constants.items():
            place = places.get(name)
            if place is None or not place.section.startswith(CONSTANTS):
                raise ConfigurationError(self._no_constant(name, places))
            packed = pack(place.dtype, value, f"constants[{name!r}]")
            section = next(each for each in sections if each.name == place.section)
            if len(section.data) != section.size:
                raise ObjectFileError(f"its section {section.name} has no bytes.")
            begin = section.offset + place.offset
            data[begin : begin + len(packed)] = packed
        return bytes(data)

    def _no_constant(self, name: str, places: Mapping[str, Place]) -> str:
        if name in places:
            return (
                f"constants={name!r} is a variable: set it when the program is loaded, "
                f"program.variables[{name!r}] = 3, or declare it as const volatile."
            )
        there = [each for each, place in places.items() if place.section.startswith(CONSTANTS)]
        known = f"It has: {', '.join(there)}." if there else "Declare it as const volatile."
        return f"constants={name!r} is no constant of the object file. {known}"

    def _of(self, number: int | None, size: int) -> DType:
        bytes_ = np.dtype((np.void, size))
        if number is None or self._dtypes is None:
            return bytes_
        try:
            dtype = self._dtypes.of(number)
        except ObjectFileError:
            return bytes_
        return dtype if dtype.itemsize == size else bytes_

    def _section(self, name: str, size: int) -> DType | None:
        if not name.startswith(DATA_SECTIONS) or self._types is None or self._dtypes is None:
            return None
        try:
            variables = self._types.variables().get(name)
            return self._dtypes.section(variables, size) if variables else None
        except ObjectFileError:
            return None

    def _moved(self, section: Section) -> dict[int, int]:
        moved = {}
        # Where they are malformed, variables are not where the rest says. The program loads all the
        # same.
        with suppress(ObjectFileError):
            for each in self._elf.relocations(section):
                moved[each.offset] = each.symbol.value
        return moved
