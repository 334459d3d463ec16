"""The maps of a loaded XDP program: what is known of each before anything is read."""

from __future__ import annotations

from typing import NamedTuple

TYPES = (
    *("unspec", "hash", "array", "prog_array", "perf_event_array", "percpu_hash", "percpu_array"),
    *("stack_trace", "cgroup_array", "lru_hash", "lru_percpu_hash", "lpm_trie", "array_of_maps"),
    *("hash_of_maps", "devmap", "sockmap", "cpumap", "xskmap", "sockhash", "cgroup_storage"),
    *("reuseport_sockarray", "percpu_cgroup_storage", "queue", "stack", "sk_storage"),
    *("devmap_hash", "struct_ops", "ringbuf", "inode_storage", "task_storage", "bloom_filter"),
    *("user_ringbuf", "cgrp_storage", "arena"),
)
"""Names of ``enum bpf_map_type`` (linux/bpf.h), by number."""

HASH, ARRAY, PER_CPU_HASH, PER_CPU_ARRAY, LRU_HASH, PER_CPU_LRU_HASH, LPM_TRIE, RING_BUFFER = (
    *(1, 2, 5, 6, 9, 10, 11),
    27,
)
ARRAYS = {ARRAY, PER_CPU_ARRAY}
HASHES = {HASH, PER_CPU_HASH, LRU_HASH, PER_CPU_LRU_HASH, LPM_TRIE}
"""Types whose keys come and go."""
PER_CPU = {PER_CPU_HASH, PER_CPU_ARRAY, PER_CPU_LRU_HASH}


class MapFacts(NamedTuple):
    """What the spec says of a map."""

    name: str
    type: int
    key_size: int
    value_size: int
    entries: int
