"""Why io_uring is refused here: a setting, a seccomp filter, or a kernel without it."""

from __future__ import annotations

import errno
from pathlib import Path

_SETTING = Path("/proc/sys/kernel/io_uring_disabled")
_FILTER = "2"  # proc_pid_status(5)


def is_filtered() -> bool:
    """Whether this thread has a seccomp filter, as all in a container do."""
    try:
        status = Path("/proc/thread-self/status").read_text()
    except OSError:
        return False
    return any(line.split() == ["Seccomp:", _FILTER] for line in status.splitlines())


def switched_off() -> str:
    """Return the setting that forbids it to some or all users; empty where there is none."""
    try:
        value = _SETTING.read_text().strip()
    except OSError:  # before Linux 6.6
        return ""
    return "" if value == "0" else f"kernel.io_uring_disabled={value}"


def remedy(code: int, instead: str) -> str:
    """Say why the kernel refused a ring with this errno, and what to do.

    A filter may answer with any errno. Docker's answers EPERM, podman's ENOSYS, as a kernel without
    io_uring does.

    Parameters
    ----------
    code
        EPERM, EACCES or ENOSYS.
    instead
        A choice that needs no io_uring: "wait='poll'".
    """
    if code == errno.EPERM and (setting := switched_off()):
        return (
            f"io_uring is switched off by {setting}: `sudo sysctl kernel.io_uring_disabled=0` "
            f"allows it, or choose {instead}."
        )
    if is_filtered():
        return (
            f"A seccomp filter refuses io_uring here, as containers have one: choose {instead}, or "
            "start the container with `--security-opt seccomp=unconfined`, or with a filter that "
            "allows io_uring."
        )
    if code == errno.ENOSYS:
        return f"This kernel lacks io_uring: choose {instead}."
    return f"io_uring is forbidden here, by a security module: choose {instead}."
