"""The threads of a process."""

from __future__ import annotations

from pathlib import Path


def threads_of(process: int | str = "self") -> dict[int, str]:
    """Name the threads of a process that are there; one may end meanwhile."""
    found = {}
    for thread in Path(f"/proc/{process}/task").glob("*"):
        try:
            found[int(thread.name)] = (thread / "comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
