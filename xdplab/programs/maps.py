"""The maps of a loaded XDP program."""

from __future__ import annotations

from typing import NamedTuple

from xdplab.core.held import HeldDescriptor
from xdplab.core.table import Row, Table, Tabled

TYPES = (
    *("unspec", "hash", "array", "prog_array", "perf_event_array", "percpu_hash", "percpu_array"),
    *("stack_trace", "cgroup_array", "lru_hash", "lru_percpu_hash", "lpm_trie", "array_of_maps"),
    *("hash_of_maps", "devmap", "sockmap", "cpumap", "xskmap", "sockhash", "cgroup_storage"),
    *("reuseport_sockarray", "percpu_cgroup_storage", "queue", "stack", "sk_storage"),
    *("devmap_hash", "struct_ops", "ringbuf", "inode_storage", "task_storage", "bloom_filter"),
    *("user_ringbuf", "cgrp_storage", "arena"),
)
"""Names of ``enum bpf_map_type`` (linux/bpf.h), by number."""

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
        Its number in ``enum bpf_map_type`` (linux/bpf.h), such as 2 for an array, whose name the
        table shows.
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
        facts = (self.entries, self.key_size, self.value_size)
        return (self.name, self._type_name, *(f"{fact:,}" for fact in facts))

    @property
    def _type_name(self) -> str:
        return TYPES[self.type] if 0 <= self.type < len(TYPES) else str(self.type)

    def _table(self) -> Table:
        return Table("Map, closed" if self.closed else "Map", [self.row], HEADINGS)

    def _brief(self) -> str:
        return (
            f"<Map {self.name}: {self._type_name}, {self.entries} entries, "
            f"{self.key_size} + {self.value_size} bytes>"
        )
