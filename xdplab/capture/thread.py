"""A thread that calls a function with each batch of a queue."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from xdplab.core.closing import Uncopied
from xdplab.core.threads import Thread

if TYPE_CHECKING:
    from xdplab.capture.batch import Batch


class BatchThread(Uncopied):
    """Receives on a thread of its own, and calls a function with each batch.

    Runs from the beginning until `stop`, the end of its ``with``, the capture's close, or an error
    of the function.

    Parameters
    ----------
    batches
        Gives batches, and an empty one at least every tenth of a second.
    function
        Takes a batch.
    cpu
        The thread's core.
    """

    def __init__(
        self, batches: Iterator[Batch], function: Callable[[Batch], object], cpu: int
    ) -> None:
        self._batches, self._function, self._cpu = batches, function, cpu
        self._stopped = False
        self.error: BaseException | None = None
        """What the function raised, or the receiver."""
        self._thread = Thread(self._run, name="xdplab-batches")
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it still receives."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End the thread, after the present call of the function.

        Raises
        ------
        BaseException
            What the function raised, once.
        """
        self._stopped = True
        if threading.current_thread() is not self._thread:
            self._thread.join()
            error, self.error = self.error, None
            if error is not None:
                raise error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            os.sched_setaffinity(0, {self._cpu})  # of this thread
            while not self._stopped and (batch := next(self._batches, None)) is not None:
                if len(batch):
                    self._function(batch)
        except BaseException as error:  # raised where the thread is joined
            self.error = error
