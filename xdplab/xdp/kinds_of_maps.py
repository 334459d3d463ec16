"""Which class a map of a loaded program is of."""

from __future__ import annotations

from xdplab.programs.described import Described
from xdplab.programs.maps import ARRAYS, HASHES, RING_BUFFER, MapFacts
from xdplab.xdp.maps import ArrayMap, HashMap, Map
from xdplab.xdp.ring_buffer import RingBuffer


def map_of(facts: MapFacts, descriptor: int, described: Described) -> Map:
    """Return a map of the class that its type has."""
    dtypes = described.dtypes(facts)
    if facts.type == RING_BUFFER:
        return RingBuffer(facts, descriptor, dtypes, described)
    kind = HashMap if facts.type in HASHES else ArrayMap if facts.type in ARRAYS else Map
    return kind(facts, descriptor, *dtypes)
