"""An object of the C side: opened once and closed once, by the process that opened it."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from xdplab.core.errors import ClosedError
from xdplab.core.locks import new_lock
from xdplab.native import ffi


class NativeHandle:
    """Owns an object of the C side, and closes it at `close`, its last reference, or exit.

    An interrupt (Ctrl-C) may come between any two steps of Python. So one native call closes the
    object and clears the pointer to it: either both happen, or neither.

    Parameters
    ----------
    give_back
        The native function that closes the object and sets the pointer to it to NULL.
    closed_words
        The message of `ClosedError` after `close`.
    """

    def __init__(self, give_back: Callable[[Any], None], closed_words: str) -> None:
        self.lock = new_lock()
        """Held during a native call: the object takes one at a time."""
        self._closed_words, self._owner = closed_words, os.getpid()
        (held,) = ffi.typeof(give_back).args
        self._held, self._give_back = ffi.new(held), give_back
        self.kept: list[Any] = []
        """What the object uses until it is closed; for ever, where it could not be closed."""
        # On exit too: a daemon thread may still be in a call then, which the lock waits for.
        weakref.finalize(
            self, _close, self._held, self._give_back, self._owner, self.lock, self.kept
        )

    def open(
        self,
        run: Callable[[Callable[[], None]], None],
        opener: Callable[..., Any],
        *arguments: object,
        kept: object = None,
    ) -> bool:
        """Open it by a native function on another thread; return whether that worked.

        An interrupt ends only the caller's wait. An object that the thread opens after that is
        closed, or its queue would stay taken until the process ends.

        Parameters
        ----------
        run
            Calls a function on a thread.
        opener, arguments
            The native function and its arguments.
        kept
            Objects that the arguments point to: they must live until the function has returned.
        """
        returned: Future[object] = Future()

        def call() -> None:
            self._held[0] = opener(*arguments)
            returned.set_result(kept)

        try:
            run(call)
        except BaseException:
            returned.add_done_callback(lambda _returned: self.close())
            raise
        return not self.closed

    @property
    def pointer(self) -> Any:
        """The pointer to the object.

        Raises
        ------
        ClosedError
            After `close`.
        """
        pointer = self._held[0]
        if not pointer:
            raise ClosedError(self._closed_words)
        return pointer

    @property
    def closed(self) -> bool:
        """Whether `close` was called, or it was never opened."""
        return not self._held[0]

    @property
    def is_ours(self) -> bool:
        """Whether this process opened it, not a parent that it was forked from."""
        return os.getpid() == self._owner

    def close(self) -> bool:
        """Close it; return whether that could be done. If not, it stays, and so does what it uses.

        A forked child only forgets it: the parent's threads still use it.
        """
        return _close(self._held, self._give_back, self._owner, self.lock, self.kept)


_never_closed: list[list[Any]] = []


def _close(held: Any, give_back: Any, owner: int, lock: Any, kept: list[Any]) -> bool:
    with lock:
        if os.getpid() != owner:
            held[0] = ffi.NULL
        elif give_back(held):
            _never_closed.append(kept)
            return False
    return True
