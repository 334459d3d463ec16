"""The kernel's limits on this process, and the commands that raise them."""

from __future__ import annotations

import resource

from xdplab.core.own_process import own_process

_PLENTY = 4096

MORE_THREADS = (
    "The limit on processes and threads is reached: end some, or raise it (`ulimit -u`, or the "
    "cgroup's pids.max)."
)
"""The remedy where no thread or process can be started."""


def more_descriptors() -> str:
    """Return sentences on how this process can have more descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    command = _raised(resource.RLIMIT_NOFILE, "nofile", max(4 * soft, _PLENTY))
    return (
        f"This process' limit of {soft:,} descriptors is reached. Close engines, labs and files "
        f"that it no longer needs, or raise the limit: {command}."
    )


def more_locked_memory(size: int) -> str:
    """Return sentences on how this process can lock so many more bytes."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    # Memory that other processes of the user have locked counts, too.
    command = _raised(resource.RLIMIT_MEMLOCK, "memlock", 2 * (soft + size))
    return (
        f"The UMEM exceeds the limit on locked memory, {soft:,} bytes for all that this user's "
        "processes lock: choose a smaller ring_size, run with CAP_IPC_LOCK, or raise the limit: "
        f"{command}."
    )


def _raised(kind: int, option: str, wanted: int) -> str:
    """Write the command that raises a limit of this process."""
    _, hard = resource.getrlimit(kind)
    # The process' own user may raise it up to the hard limit.
    if hard == resource.RLIM_INFINITY or wanted <= hard:
        return f"`prlimit --pid {own_process()} --{option}={wanted}:`"
    return f"`sudo prlimit --pid {own_process()} --{option}={wanted}:{wanted}`"
