"""Waiting for what other threads, the kernel or a browser are about to do."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], seconds: float = 30) -> bool:
    """Wait until a condition holds; say whether it did in time, which a busy machine needs."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
