"""Limits on the resources that one user, and all users, can take through the broker."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import NamedTuple

_MEBIBYTE = 1 << 20

FIRST_MESSAGE_SECONDS = 3.0
"""Time for a client to send its first message."""
ANSWER_SECONDS = 5.0
"""Time for a client to make room for an answer."""
RUN_SECONDS = 2.0
"""Time for a client's program to run on one frame, all repeats together."""
PARSER_SECONDS = 10.0
"""Time for an object file to be read."""
_PARSER_CPU_SECONDS = 5
_PARSER_MEMORY = 256 * _MEBIBYTE

LAB_TASKS = 128
"""Most processes and threads of a lab process."""
_DESCRIPTORS = 256


class Limits(NamedTuple):
    """Limits of the broker."""

    sessions: int = 64
    """Connections of one user; all users have four times as many."""
    memory: int = 512 * _MEBIBYTE
    """Bytes that one user has in all, in UMEMs, maps and programs."""
    objects: int = 2048
    """Maps and programs that one user has in all."""
    umems: int = 128
    """UMEMs that one user has in all; each costs the listener a descriptor."""

    @property
    def all_sessions(self) -> int:
        """Connections of all users."""
        return 4 * self.sessions

    def admits(self, own: int, everybodys: int) -> bool:
        """Tell whether a user who has some connections may have another.

        The last ones go to users with few: a user who has as many as are left gets none.
        """
        return own < min(self.sessions, self.all_sessions - everybodys)


def memory_to_spare() -> int:
    """Bytes that may be taken before less than a quarter of the machine's memory is available."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, available = (int(lines[name].split()[0]) << 10 for name in ("MemTotal", "MemAvailable"))
    return available - total // 4


def limit_listener() -> None:
    """Set the limits that sessions inherit from the listener."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each session takes one


def limit_session() -> None:
    """Limit the resources of a session."""
    most = min(_DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def limit_lab_process() -> None:
    """Limit a lab process' processes and threads, which systemd counts as the broker's."""
    resource.setrlimit(resource.RLIMIT_NPROC, (LAB_TASKS, LAB_TASKS))


def limit_parser() -> None:
    """Limit the resources of a parser."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - before the filter, and quick
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _PARSER_MEMORY, used + _PARSER_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_PARSER_CPU_SECONDS, _PARSER_CPU_SECONDS))
