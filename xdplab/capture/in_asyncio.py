"""Batches in asyncio: the event loop waits for the socket, and nothing polls meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from xdplab.core.errors import ClosedError, ConfigurationError

if TYPE_CHECKING:
    from xdplab.capture.batch import Batch

_TURN_SECONDS = 0.001
"""Longest time of batch after batch without letting the loop's other tasks run."""


class Waiter:
    """A task's sleep until a queue has packets, which `wake` ends, too."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readable: asyncio.Future[None] | None = None

    async def until_readable(self, descriptor: int) -> None:
        """Sleep until a descriptor is readable.

        Raises
        ------
        ConfigurationError
            When another task sleeps so.
        """
        if self._readable is not None:
            raise ConfigurationError(
                "another task waits for packets of this queue. Let one task receive, and hand "
                "batches on; or give each a queue of its own: Capture(port, queue=[0, 1])."
            )
        loop = self._loop = asyncio.get_running_loop()
        self._readable = loop.create_future()
        loop.add_reader(descriptor, self._woken)
        try:
            await self._readable
        finally:
            loop.remove_reader(descriptor)
            self._readable = None

    def wake(self) -> None:
        """End the sleep, from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken)

    def _woken(self) -> None:
        if self._readable is not None and not self._readable.done():
            self._readable.set_result(None)


async def batches(
    take: Callable[[], Batch],
    may_sleep: Callable[[], bool],
    descriptor: Callable[[], int],
    waiter: Waiter,
) -> AsyncIterator[Batch]:
    """Give batch after batch, until the capture is closed.

    Parameters
    ----------
    take
        Returns a batch, maybe an empty one, at once.
    may_sleep
        Whether still no packet waits, so that the descriptor will tell of the next.
    descriptor
        Returns the descriptor that is readable when a packet waits.
    waiter
        Sleeps meanwhile.
    """
    since = time.monotonic()
    while True:
        try:
            batch = take()
            if not len(batch) and may_sleep():
                await waiter.until_readable(descriptor())
                since = time.monotonic()
                continue
        except ClosedError:
            return
        if len(batch):
            yield batch
        if time.monotonic() - since > _TURN_SECONDS:
            await asyncio.sleep(0)
            since = time.monotonic()
