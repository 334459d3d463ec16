"""Elements of a map, read and written by its descriptor, and what the kernel refuses there."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from xdplab.core.errors import ConfigurationError, KernelError, PermissionRefusedError
from xdplab.core.more_power import MORE_POWER
from xdplab.native import ffi, lib
from xdplab.programs.maps import HASHES, LPM_TRIE, PER_CPU, MapFacts

Bytes = npt.NDArray[np.uint8]

_BUCKET = 256  # entries that may come while others are read, or that were deleted and stay a while


@cache
def possible_cpus() -> int:
    """Return the number of CPUs that this machine may ever have: parts of a per-CPU value."""
    return int(lib.xdplab_possible_cpus())


def value_bytes(facts: MapFacts) -> int:
    """Return the bytes of a value as the kernel hands it over, with those of all CPUs."""
    if facts.type in PER_CPU:
        return (facts.value_size + 7) // 8 * 8 * possible_cpus()
    return facts.value_size


def lookup(descriptor: int, facts: MapFacts, key: bytes) -> bytes | None:
    """Return the bytes of a key's value; None where it has none."""
    room = ffi.new("uint8_t[]", value_bytes(facts))
    code = lib.xdplab_element_lookup(descriptor, key, room)
    if code == -errno.ENOENT:
        return None
    _check(code, descriptor, facts, "read")
    return bytes(ffi.buffer(room))


def update(descriptor: int, facts: MapFacts, key: bytes, value: bytes) -> None:
    """Write one value."""
    _check(lib.xdplab_element_update(descriptor, key, value), descriptor, facts, "write to")


def delete(descriptor: int, facts: MapFacts, key: bytes) -> bool:
    """Delete a key; return whether it was there."""
    code = lib.xdplab_element_delete(descriptor, key)
    if code != -errno.ENOENT:
        _check(code, descriptor, facts, "delete from")
    return bool(code == 0)


def read_all(descriptor: int, facts: MapFacts) -> tuple[Bytes, Bytes]:
    """Return all keys and values, as rows of bytes."""
    room = facts.entries + (_BUCKET if facts.type in HASHES else 0)
    try:
        keys = np.zeros((room, facts.key_size), np.uint8)
        values = np.zeros((room, value_bytes(facts)), np.uint8)
    except (MemoryError, ValueError):
        raise KernelError(
            f"read the map {facts.name}", errno.ENOMEM, "It is too large to be read as a whole."
        ) from None
    elements = _elements(facts, keys, values)
    code = lib.xdplab_elements_read(descriptor, elements)
    _check(code, descriptor, facts, "read")
    return keys[: elements.count], values[: elements.count]


def write_all(descriptor: int, facts: MapFacts, keys: Bytes, values: Bytes) -> None:
    """Write many values, in rows of bytes."""
    elements = _elements(facts, keys, values)
    code = lib.xdplab_elements_write(descriptor, elements)
    told = f"{elements.count:,} of {len(keys):,} entries were written."
    _check(code, descriptor, facts, "write to", told)


def delete_all(descriptor: int, facts: MapFacts, keys: Bytes) -> None:
    """Delete keys; one that is not there is none to delete."""
    elements = _elements(facts, keys, np.zeros((1, 1), np.uint8))
    _check(lib.xdplab_elements_delete(descriptor, elements), descriptor, facts, "delete from")


def _elements(facts: MapFacts, keys: Bytes, values: Bytes) -> Any:
    made = ffi.new("struct xdplab_elements *")
    held = [ffi.from_buffer("uint8_t[]", each) for each in (keys, values)]
    made.keys, made.values = held
    made.key_size, made.value_size = facts.key_size, value_bytes(facts)
    made.count = len(keys)
    return made


def _check(code: int, descriptor: int, facts: MapFacts, tried: str, told: str = "") -> None:
    if code < 0:
        _refuse(-code, descriptor, facts, tried, told)


def _refuse(code: int, descriptor: int, facts: MapFacts, tried: str, told: str) -> NoReturn:
    name, most = facts.name, facts.entries
    kind, remedy = KernelError, ""
    if code in (errno.E2BIG, errno.ENOSPC) and tried != "read":
        remedy = (
            f"It is full, with {most:,} entries: delete some, del program.maps[{name!r}][key], or "
            f"declare more in the source, __uint(max_entries, {2 * most})."
        )
    elif code == errno.EINVAL and facts.type == LPM_TRIE:
        remedy = f"A prefix has 0 to {8 * (facts.key_size - 4)} bits."
    elif code == errno.ENOSPC:
        remedy = "It changed too fast to be read: try again."
    elif code == errno.EPERM and (why := _forbidden(descriptor, tried)):
        raise ConfigurationError(f"the map {name} can't be {why}.")
    elif code in (errno.EPERM, errno.EACCES):
        kind = PermissionRefusedError
        remedy = (
            "Before Linux 5.19, or where a seccomp filter or a security module forbids bpf(2), "
            f"entries of maps need CAP_BPF: {MORE_POWER}."
        )
    raise kind(f"{tried} the map {name}", code, f"{remedy} {told}".strip())


def _forbidden(descriptor: int, tried: str) -> str:
    """Say what the map itself forbids; empty where it is something else."""
    mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
    if tried == "read":
        return "read: it is declared with BPF_F_WRONLY" if mode == os.O_WRONLY else ""
    if mode == os.O_RDONLY:
        return "written to: it is declared with BPF_F_RDONLY"
    with suppress(OSError):
        lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
        if ["frozen:", "1"] in (line.split() for line in lines):
            return (
                "written to: it is frozen, as constants are. Give them when the program is loaded: "
                'Program(source, port, constants={"limit": 3})'
            )
    return ""
