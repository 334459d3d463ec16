"""Signals that end a command early: by Ctrl-C, `kill`, or a terminal that goes away."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Self

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PATIENCE_SECONDS = 5.0
"""For this time after the first signal, others are ignored, so that results can be written."""


class Signals:
    """Context manager: turns the first of these signals into KeyboardInterrupt.

    A signal that was ignored before, as `nohup` has it, stays ignored.
    """

    def __init__(self) -> None:
        self._number, self._first, self._waits = 0, 0.0, False
        self._before: dict[int, object] = {}

    @property
    def status(self) -> int:
        """The exit status of a command that a signal ended, as a shell has it; 0 without one."""
        return 128 + self._number if self._number else 0

    def __str__(self) -> str:
        return signal.Signals(self._number).name if self._number else "no signal"

    def wait(self) -> None:
        """From now on leave it to `check` to raise the interrupt of the first signal."""
        self._waits = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal came."""
        if self._number:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _ENDING:
                if (before := signal.getsignal(number)) is not signal.SIG_IGN:
                    self._before[number] = before
                    signal.signal(number, self._take)
        return self

    def __exit__(self, *_error: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type] # it was one

    def _take(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        is_first = not self._number
        if is_first:
            self._number, self._first = number, now
        if (is_first and not self._waits) or now > self._first + _PATIENCE_SECONDS:
            raise KeyboardInterrupt
