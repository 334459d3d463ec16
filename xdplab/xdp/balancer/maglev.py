"""Maglev hashing: which server each hash of a connection goes to.

Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section
3.4. Each server has an order of its own of all entries. In turns, as often as its weight says, it
takes the next entry in that order that is free. So each has its share of the entries, and when a
server goes, nearly all entries of those that stay remain theirs. The table follows from names and
weights alone: all balancers with the same servers have the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from heapq import heapify, heapreplace

import numpy as np
import numpy.typing as npt

TABLE_SIZE = 16_381
"""Entries of a table, as in balancer_maps.bpf.h: a prime, so that each step reaches all entries."""

NO_SERVER = -1
"""What an entry has when no server has a weight."""

Places = npt.NDArray[np.int64]


def maglev(weights: Mapping[str, float]) -> Places:
    """Return for each entry of a table the place of its server in the mapping.

    Parameters
    ----------
    weights
        By the name of each server, 0 or more. One with 0 gets no entries.
    """
    taking = {name: weight for name, weight in weights.items() if weight > 0}
    table, free = [NO_SERVER] * TABLE_SIZE, TABLE_SIZE if taking else 0
    places = {name: place for place, name in enumerate(weights)}
    orders = {name: _order(name) for name in taking}
    # A server of weight 2 takes its first entry at 1/2, its second at 1, and so on. What they are
    # compared with is no other server's weight, so that one that goes does not change their turns.
    turns = [(1 / weight, name, 1) for name, weight in taking.items()]
    heapify(turns)
    while free:
        _, name, taken = turns[0]
        table[next(entry for entry in orders[name] if table[entry] == NO_SERVER)] = places[name]
        heapreplace(turns, ((taken + 1) / taking[name], name, taken + 1))
        free -= 1
    return np.array(table)


def _order(name: str) -> Iterator[int]:
    """Return all entries in a server's order: from one of them on, with a step."""
    hashed = blake2b(name.encode(), digest_size=16).digest()
    first, step = (int.from_bytes(half) for half in (hashed[:8], hashed[8:]))
    entries = np.arange(TABLE_SIZE) * (step % (TABLE_SIZE - 1) + 1)
    return iter(((first % TABLE_SIZE + entries) % TABLE_SIZE).tolist())
