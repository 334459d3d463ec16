"""A base of objects that hold one descriptor."""

from __future__ import annotations

import os
import weakref

from xdplab.core.closing import Closing
from xdplab.core.errors import ClosedError


class HeldDescriptor(Closing):
    """Holds a descriptor until `close`, or its last reference.

    Parameters
    ----------
    descriptor
        The descriptor, which this object owns.
    closed_words
        The message of `ClosedError` after `close`.
    """

    def __init__(self, descriptor: int, closed_words: str) -> None:
        self._descriptor, self._closed_words = descriptor, closed_words
        self._closer = weakref.finalize(self, os.close, descriptor)

    def fileno(self) -> int:
        """Return the descriptor, for bpf(2).

        Raises
        ------
        ClosedError
            After `close`.
        """
        if self.closed:
            raise ClosedError(self._closed_words)
        return self._descriptor

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._closer.alive

    def close(self) -> None:
        """Close the descriptor. A second call does nothing."""
        self._closer()
