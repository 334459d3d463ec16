"""What sends a `Traffic`'s frames, wherever it runs."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, Protocol

from xdplab._engine import lib
from xdplab.errors import ClosedError
from xdplab.native_errors import new_error, raise_error


class Generator(Protocol):
    """Makes numbered frames, from `start` until it is stopped or has done what it was to do.

    Calls come from one thread at a time, and none but `closed` and `close` after `close`.
    """

    def start(self) -> None:
        """Send from now on; what was sent before counts on.

        Raises
        ------
        KernelError
            When it can't.
        """

    def stop(self) -> None:
        """Stop, and wait until the last frame has left."""

    def set_interval(self, picoseconds: int) -> None:
        """Change the time between two frames; 0 for as fast as it can."""

    def set_size(self, size: int) -> None:
        """Change the bytes of a frame."""

    @property
    def sent(self) -> int:
        """Frames handed to the interface so far."""

    @property
    def too_long(self) -> int:
        """Of those, frames longer than the interface takes."""

    @property
    def running(self) -> bool:
        """Whether it is sending."""

    @property
    def fault(self) -> int:
        """The errno that ended it, or 0."""

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""

    def close(self) -> None:
        """Stop and give everything back. Nothing in a forked child, whose it is not."""


class NativeGenerator:
    """A generator of the C engine, in this process.

    Parameters
    ----------
    pointer
        To it; owned from now on.
    functions
        What the names of its functions begin with, such as ``"xdplab_generator"``.
    """

    def __init__(self, pointer: Any, functions: str) -> None:  # noqa: ANN401 - cffi is untyped
        self._pointer, self._functions = pointer, functions
        self._owner, self._lock = os.getpid(), threading.RLock()
        # On exit too: a daemon thread may still be in a call then, which the lock waits for.
        self._closer = weakref.finalize(
            self, _close, pointer, self._function("close"), self._owner, self._lock
        )

    def start(self) -> None:
        """Send from now on."""
        if os.getpid() != self._owner:
            raise ClosedError("this generator is another process'. Make one in this process.")
        error = new_error()
        if self._call("start", error):
            raise_error(error)

    def stop(self) -> None:
        """Stop; nothing in a forked child, which has none of its threads."""
        if os.getpid() == self._owner:
            self._call("stop")

    def set_interval(self, picoseconds: int) -> None:
        """Change the time between two frames."""
        self._call("set_interval", picoseconds)

    def set_size(self, size: int) -> None:
        """Change the bytes of a frame."""
        self._call("set_size", size)

    @property
    def sent(self) -> int:
        """Frames handed to the interface so far."""
        return int(self._call("sent"))

    @property
    def too_long(self) -> int:
        """Of those, frames longer than the interface takes."""
        return int(self._call("too_long"))

    @property
    def running(self) -> bool:
        """Whether it is sending."""
        return bool(self._call("running"))

    @property
    def fault(self) -> int:
        """The errno that ended it, or 0."""
        return int(self._call("fault"))

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._closer.alive

    def close(self) -> None:
        """Stop and give everything back."""
        self._closer()

    def _call(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - cffi is untyped
        with self._lock:
            return self._function(name)(self._pointer, *arguments)

    def _function(self, name: str) -> Any:  # noqa: ANN401 - as above
        return getattr(lib, f"{self._functions}_{name}")


def _close(pointer: Any, close: Any, owner: int, lock: threading.RLock) -> None:  # noqa: ANN401 - as above
    if os.getpid() == owner:
        with lock:
            close(pointer)
