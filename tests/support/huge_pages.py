"""Huge pages: a machine has one number of them, which one test at a time changes."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RESERVED = Path("/proc/sys/vm/nr_hugepages")


@contextmanager
def own_huge_pages(more: int = 0) -> Iterator[None]:
    """Have the number to oneself, with some more set aside, which takes root; put it back then."""
    with RESERVED.open() as setting:
        fcntl.flock(setting, fcntl.LOCK_EX)  # tests of other files run in other processes
        before = int(RESERVED.read_text())
        if more:
            RESERVED.write_text(f"{before + more}")
        try:
            yield
        finally:
            if int(RESERVED.read_text()) != before:
                RESERVED.write_text(f"{before}")
