"""What lets one call of a queue at a time through, until its capture is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from xdplab.core.errors import ClosedError, HandlerError
from xdplab.core.locks import new_lock

_LOOK_SECONDS = 0.1


class Gate:
    """Lets one call at a time through, until it is closed.

    Parameters
    ----------
    is_held
        Tells, during a call, whether a handler has not returned for seconds.
    """

    def __init__(self, is_held: Callable[[], bool]) -> None:
        self.lock = new_lock()
        self._is_held = is_held
        self.closed = False
        self.in_call = False
        """Whether a thread receives or sends; else who has the lock has it for a moment."""

    def check(self) -> None:
        """Raise `ClosedError` once it is closed."""
        if self.closed:
            raise ClosedError("this capture was closed. Make a new one: Capture(lab.port).")

    def close(self) -> bool:
        """Let no more calls through, and wait for the present one.

        Returns
        -------
        bool
            False where a handler holds that, which is then left to it.
        """
        self.closed = True
        if done := self.wait():
            self.lock.release()
        return done

    def wait(self) -> bool:
        """Take the lock, unless a handler holds the present call: return whether it was taken."""
        while not self.lock.acquire(timeout=_LOOK_SECONDS):
            if self._is_held():
                return False
        return True

    @contextmanager
    def between_calls(self) -> Iterator[None]:
        """Let nobody in meanwhile.

        Raises
        ------
        HandlerError
            When a handler holds the present call.
        """
        if not self.wait():
            raise HandlerError(
                "a thread is in a call whose handler has not returned for seconds, and may never "
                "do so: capture.close() gives up on it; only the end of the process ends it."
            )
        try:
            yield
        finally:
            self.lock.release()
