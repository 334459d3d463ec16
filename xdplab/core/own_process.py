"""How a command that changes a process names this one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_SHELL = "$$"  # as a shell names itself
_named: list[str] = []


def own_process() -> str:
    """Return this process' number; within `of_a_shell`, the shell that started it."""
    return _named[-1] if _named else str(os.getpid())


@contextmanager
def of_a_shell() -> Iterator[None]:
    """Have the shell changed, since this process ends before a remedy can be typed.

    What the shell starts next is changed with it.
    """
    _named.append(_SHELL)
    try:
        yield
    finally:
        _named.pop()
