"""Iterating over what a program sends, as it comes."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import select
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from xdplab.core.checks import seconds
from xdplab.core.errors import ClosedError
from xdplab.programs.packing import plain

_LOOK_SECONDS = 0.2  # after so long a wait looks whether the source was closed


def longest_wait(timeout: object) -> float:
    """Check the argument `timeout` of what returns `Records`; None waits without a limit."""
    return math.inf if timeout is None else seconds("timeout", timeout, 0, math.inf)


class Records(Iterator[Any], AsyncIterator[Any]):
    """Records of a program as they come, such as `RingBuffer.records` returns.

    Parameters
    ----------
    fileno
        Returns a descriptor that is readable when records wait. It and `take` raise `ClosedError`
        once the source was closed, which ends the iteration.
    take
        Takes the records that wait, without waiting for any.
    timeout
        The iteration ends when no record came for so many seconds.
    """

    def __init__(
        self, fileno: Callable[[], int], take: Callable[[], Iterable[Any]], timeout: float
    ) -> None:
        self._fileno, self._take, self._timeout = fileno, take, timeout
        self._waiting: deque[Any] = deque()

    def __iter__(self) -> Records:
        return self

    def __next__(self) -> Any:
        deadline = time.monotonic() + self._timeout
        with suppress(ClosedError):
            while not self._fill():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise StopIteration
                poll = select.poll()
                poll.register(self._fileno(), select.POLLIN)
                poll.poll(min(left, _LOOK_SECONDS) * 1000)
            return plain(self._waiting.popleft())
        raise StopIteration

    def __aiter__(self) -> Records:
        return self

    async def __anext__(self) -> Any:
        deadline = time.monotonic() + self._timeout
        with suppress(ClosedError):
            while not self._fill():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise StopAsyncIteration
                await _readable(self._fileno(), min(left, _LOOK_SECONDS))
            return plain(self._waiting.popleft())
        raise StopAsyncIteration

    def _fill(self) -> bool:
        """Take what waits, where nothing is left; tell whether there is something."""
        if not self._waiting:
            self._waiting.extend(self._take())
        return bool(self._waiting)


async def _readable(descriptor: int, timeout: float) -> None:
    """Let other tasks run until a descriptor is readable, for so many seconds at most."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    try:
        # A loop has one reader for each descriptor, and another task may wait for this one.
        copy = os.dup(descriptor)
    except OSError as error:
        if error.errno == errno.EBADF:  # closed since by another thread, as the next look tells
            return
        raise
    loop.add_reader(copy, told.set)
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), timeout)
    finally:
        loop.remove_reader(copy)
        os.close(copy)
