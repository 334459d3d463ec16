"""A series of runs on a thread of its own, so that the notebook stays usable meanwhile."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

from xdplab.core.checks import join_seconds
from xdplab.core.errors import XdplabError
from xdplab.core.locks import new_lock
from xdplab.net.claims import current_cell

Work = Callable[[threading.Event], None]
"""Takes the runs that are left, and returns soon after the event was set."""


class Runner:
    """Lets work begin, end and go on.

    In a notebook, one that was made by a cell is stopped when the cell runs again: what it has
    measured can't be seen any more.

    Parameters
    ----------
    work
        Called on a thread of its own.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._lock = new_lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.error = ""
        """Why the work ended by itself, or empty."""
        self._replaced = _stop_what_this_cell_made(self)

    @property
    def running(self) -> bool:
        """Whether the thread is at work."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    @property
    def stopping(self) -> bool:
        """Whether it is at work, and about to end."""
        return self.running and self._stop.is_set()

    def start(self) -> None:
        """Go on with the work, unless it is being done. What is about to end is waited for."""
        with self._lock:
            if self.running and not self._stop.is_set():
                return
            before = [self._thread, self._replaced and self._replaced._thread]
            self.error, self._stop = "", threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._stop, before), name="xdplab-series", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Have the work end soon."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the thread has ended, at most so many seconds; say whether it has.

        Raises
        ------
        XdplabError
            When the work ended with an error.
        """
        timeout = join_seconds("timeout", timeout)
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
        if self.error:
            raise XdplabError(self.error)
        return not self.running

    def _run(self, stop: threading.Event, before: list[threading.Thread | None]) -> None:
        for thread in before:
            if thread is not None:
                thread.join()
        try:
            self._work(stop)
        except XdplabError as error:
            self.error = str(error)
        except Exception as error:  # which nobody else would tell of
            self.error = f"{type(error).__name__}: {error}"


_makers: weakref.WeakKeyDictionary[Runner, str] = weakref.WeakKeyDictionary()


def _stop_what_this_cell_made(made: Runner) -> Runner | None:
    """Return the last of those, which may be about to end still."""
    cell, last = current_cell(), None
    if cell is not None:
        for last in [runner for runner, maker in _makers.items() if maker == cell]:
            last.stop()
        _makers[made] = cell
    return last
