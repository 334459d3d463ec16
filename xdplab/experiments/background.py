"""Work on a thread of its own, such as things in turn, so that a notebook stays usable."""

from __future__ import annotations

import weakref
from collections.abc import Callable

from xdplab.core.checks import join_seconds
from xdplab.core.errors import XdplabError
from xdplab.core.locks import new_lock
from xdplab.core.threads import Thread
from xdplab.experiments.in_turn import Stop
from xdplab.net.replacing import current_cell

Work = Callable[[Stop], None]
"""Does what is left to do, and returns soon after it was stopped."""


class Background:
    """Starts, stops and continues the work on a thread.

    In a notebook, work that a cell made is stopped when the cell runs again, since its results are
    no longer visible.

    Parameters
    ----------
    work
        Called on a thread of its own.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._lock = new_lock()
        self._stop = Stop()
        self._thread: Thread | None = None
        self.error = ""
        """The error that ended the work, or empty."""
        self._replaced = _stop_what_this_cell_made(self)

    @property
    def running(self) -> bool:
        """Whether the thread is running."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    @property
    def stopping(self) -> bool:
        """Whether the thread is running and about to end."""
        return self.running and self._stop.is_set()

    def start(self) -> None:
        """Continue the work unless it is running. If it is about to end, wait for its end first."""
        with self._lock:
            if self.running and not self._stop.is_set():
                return
            before = [self._thread, self._replaced and self._replaced._thread]
            self.error, self._stop = "", Stop()
            self._thread = Thread(self._run, self._stop, before, name="xdplab-series")
            self._thread.start()

    def stop(self) -> None:
        """Make the work end soon."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the thread's end, at most `timeout` seconds; return whether it ended.

        An interrupt (Ctrl-C) makes the work end soon, too.

        Raises
        ------
        XdplabError
            When the work ended with an error.
        """
        timeout = join_seconds("timeout", timeout)
        thread = self._thread
        if thread is not None:
            try:
                thread.join(timeout)
            except KeyboardInterrupt:
                self.stop()
                raise
        if self.error:
            raise XdplabError(self.error)
        return not self.running

    def _run(self, stop: Stop, before: list[Thread | None]) -> None:
        for thread in before:
            if thread is not None:
                thread.join()
        try:
            self._work(stop)
        except XdplabError as error:
            self.error = str(error)
        except Exception as error:  # no other place would report it
            self.error = f"{type(error).__name__}: {error}"


_makers: weakref.WeakKeyDictionary[Background, str] = weakref.WeakKeyDictionary()


def _stop_what_this_cell_made(made: Background) -> Background | None:
    """Return the last one stopped, which may still be about to end."""
    cell, last = current_cell(), None
    if cell is not None:
        for last in [other for other, maker in _makers.items() if maker == cell]:
            last.stop()
        _makers[made] = cell
    return last
