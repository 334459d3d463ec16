"""What the kernel limits this process to, and the commands that let it have more."""

from __future__ import annotations

import os
import resource

_PLENTY = 4096

MORE_THREADS = (
    "There are as many processes and threads as there may be: end some, or raise the limit, "
    "`ulimit -u` or the cgroup's pids.max."
)
"""What to do where no thread or process can be started."""


def more_descriptors() -> str:
    """Say how this process can have more descriptors, in sentences."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    command = _raised(resource.RLIMIT_NOFILE, "nofile", max(4 * soft, _PLENTY))
    return (
        f"This process may have {soft:,} descriptors. Close engines, labs and files that it no "
        f"longer needs, or let it have more: {command}."
    )


def more_locked_memory(size: int) -> str:
    """Say how this process can lock so many more bytes, in sentences."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    # What other processes of the user have locked counts, too.
    command = _raised(resource.RLIMIT_MEMLOCK, "memlock", 2 * (soft + size))
    return (
        f"The UMEM is above the limit on locked memory, {soft:,} bytes for all of this user: "
        f"choose a smaller ring_size, run it with CAP_IPC_LOCK, or raise the limit: {command}."
    )


def _raised(kind: int, option: str, wanted: int) -> str:
    """Write the command that raises a limit of this process."""
    _, hard = resource.getrlimit(kind)
    # Up to its hard limit, a process' own user may raise it.
    if hard == resource.RLIM_INFINITY or wanted <= hard:
        return f"`prlimit --pid {os.getpid()} --{option}={wanted}:`"
    return f"`sudo prlimit --pid {os.getpid()} --{option}={wanted}:{wanted}`"
