"""How much of the machine one user, and all of them, can take through the broker."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import NamedTuple

_MEBIBYTE = 1 << 20

FIRST_MESSAGE_SECONDS = 3.0
"""For a client to say what it is here for."""
ANSWER_SECONDS = 5.0
"""For a client to make room for an answer."""
PARSER_SECONDS = 10.0
"""For an object file to be read."""
_PARSER_CPU_SECONDS = 5
_PARSER_MEMORY = 256 * _MEBIBYTE

OBJECT_BYTES = 2 * _MEBIBYTE
"""Of an object file."""
MAP_BYTES = 16 * _MEBIBYTE
"""Of the maps of one object together."""

LAB_TASKS = 128
"""Processes and threads of a lab process."""
_DESCRIPTORS = 256


class Limits(NamedTuple):
    """What may be taken."""

    sessions: int = 64
    """Connections of one user; all users have four times as many."""
    memory: int = 512 * _MEBIBYTE
    """Bytes of UMEMs that one session has the kernel pin in all."""

    @property
    def all_sessions(self) -> int:
        """Connections of all users."""
        return 4 * self.sessions


def memory_to_spare() -> int:
    """Bytes that may be pinned before less than a quarter of the machine's memory is available.

    UMEMs live as long as their client's sockets, which outlive sessions: so a session's own limit
    is none on what a client has pinned through many.
    """
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, available = (int(lines[name].split()[0]) << 10 for name in ("MemTotal", "MemAvailable"))
    return available - total // 4


def limit_doorman() -> None:
    """Limit what the doorman hands on to its sessions."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each session takes one


def limit_session() -> None:
    """Limit what a session takes of the machine."""
    most = min(_DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def limit_lab_process() -> None:
    """Limit a lab process' processes and threads, which systemd counts as the broker's."""
    resource.setrlimit(resource.RLIMIT_NPROC, (LAB_TASKS, LAB_TASKS))


def limit_parser() -> None:
    """Limit what a parser takes of the machine."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - before the filter, and quick
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _PARSER_MEMORY, used + _PARSER_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_PARSER_CPU_SECONDS, _PARSER_CPU_SECONDS))
