"""Threads whose end can be waited for, whatever interrupts the wait.

An interrupt (Ctrl-C) is raised between any two steps of Python, also within those of `threading`
and `concurrent.futures`. In Python 3.11 a `Thread` whose `join` was interrupted says that it has
ended, and an interrupted ``Condition.wait`` may raise RuntimeError in the interrupt's place. So
here a thread ends by releasing a lock, and its end is a value of its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

_LOOK_SECONDS = 0.1


class Thread(threading.Thread):
    """A daemon thread: an interrupt of `join` ends only the wait, and `is_alive` stays right.

    Parameters
    ----------
    target
        What it calls.
    args
        The arguments.
    name
        The thread's name, for debuggers.
    """

    def __init__(self, target: Callable[..., object], *args: Any, name: str) -> None:
        super().__init__(target=target, args=args, name=name, daemon=True)
        self._owner = os.getpid()
        self._has_ended = False
        self._end = threading.Lock()
        self._end.acquire()

    def start(self) -> None:
        """Start it.

        Raises
        ------
        RuntimeError
            When there can be no more threads.
        """
        try:
            super().start()
        except RuntimeError as error:
            if isinstance(interrupt := error.__context__, KeyboardInterrupt):
                raise interrupt from None
            raise

    def run(self) -> None:
        """Call the target."""
        try:
            super().run()
        finally:
            self._has_ended = True
            self._end.release()

    def is_alive(self) -> bool:
        """Whether it was started and has not ended. A forked child has none of its parent's."""
        return self.ident is not None and not self._has_ended and os.getpid() == self._owner

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, at most `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.is_alive():
            left = _LOOK_SECONDS if deadline is None else deadline - time.monotonic()
            # Looks again before long: an interrupted wait of another thread's may keep the lock.
            if self._end.acquire(timeout=max(0, min(left, _LOOK_SECONDS))):
                self._end.release()
            elif left <= 0:
                return
