"""Ends a system call that takes too long."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_AGAIN_SECONDS = 0.1


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Have the kernel end this thread's system calls by EINTR after some seconds.

    The signal comes again and again: the first may come just before the call begins.
    """
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
