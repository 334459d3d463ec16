"""The maps of a loaded XDP program."""

from __future__ import annotations

from typing import NamedTuple

from xdplab.core.held import HeldDescriptor
from xdplab.core.table import Row, Table, Tabled

HEADINGS = ("map", "type", "entries", "key, bytes", "value, bytes")


class MapFacts(NamedTuple):
    """What the spec says of a map."""

    name: str
    type: int
    key_size: int
    value_size: int
    entries: int


class Map(Tabled, HeldDescriptor):
    """A map of a loaded program. `Program` makes it, and `Program.close` closes it.

    Attributes
    ----------
    name
        Its name in the source. The sections of global variables are ``.data``, ``.bss`` and
        ``.rodata``.
    type
        Its number in ``enum bpf_map_type`` (linux/bpf.h), such as 2 for an array.
    key_size, value_size
        Bytes of a key and of a value.
    entries
        The most entries that it can have.
    """

    def __init__(self, facts: MapFacts, descriptor: int) -> None:
        self.name, self.type, self.key_size, self.value_size, self.entries = facts
        super().__init__(descriptor, f"the map {self.name} was closed, with its program.")

    def close(self) -> None:
        """Close the descriptor. The kernel keeps the map for as long as a program uses it."""
        super().close()

    @property
    def row(self) -> Row:
        """Its facts under `HEADINGS`."""
        facts = (self.type, self.entries, self.key_size, self.value_size)
        return (self.name, *(f"{fact:,}" for fact in facts))

    def _table(self) -> Table:
        return Table("Map, closed" if self.closed else "Map", [self.row], HEADINGS)

    def _brief(self) -> str:
        return (
            f"<Map {self.name}: type {self.type}, {self.entries} entries, "
            f"{self.key_size} + {self.value_size} bytes>"
        )
