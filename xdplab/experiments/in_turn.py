"""The machine that runs things in turn, under `Grid`, `Sweep`, `Compare`, `tune` and benchmarks.

The caller says what there is to do, and keeps the results. To continue after a stop, it calls again
with what is left.
"""

from __future__ import annotations

import signal
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from xdplab.core.errors import XdplabError
from xdplab.core.locks import new_lock
from xdplab.experiments.progress import Progress, Silent

Thing = TypeVar("Thing")


class StoppedError(Exception):
    """Ends the present thing before its time; it counts as not done."""


class Stop(threading.Event):
    """A request to end things that run in turn, set from any thread."""

    def check(self) -> None:
        """Raise `StoppedError` if it is set."""
        if self.is_set():
            raise StoppedError

    @contextmanager
    def by_interrupt(self) -> Iterator[None]:
        """Let the first interrupt (Ctrl-C) set it; only a second one raises KeyboardInterrupt."""
        before = signal.getsignal(signal.SIGINT)
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main or not callable(before):
            yield
            return

        def on_interrupt(number: int, frame: FrameType | None) -> None:
            if self.is_set():
                before(number, frame)
            self.set()

        signal.signal(signal.SIGINT, on_interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def in_turn(
    things: Iterable[Thing],
    do: Callable[[Thing], object],
    *,
    stop: Stop | None = None,
    label: Callable[[Thing], str] = str,
    progress: Progress | None = None,
    failed: Callable[[Thing, XdplabError], object] | None = None,
) -> bool:
    """Do something with each thing, one after the other.

    Parameters
    ----------
    things
        Drawn one by one: the next one may depend on the results of those before.
    do
        Does it, and keeps the result.
    stop
        Ends it before the next thing. To end a long thing early, `do` calls `Stop.check`.
    label
        Returns the words that show which thing is being done.
    progress
        Told when a thing begins and ends. Default: nothing is shown.
    failed
        Notes the error of one thing, and the others go on. Default: an error ends it.

    Returns
    -------
    bool
        Whether all were done; False if it was stopped.
    """
    progress = progress or Silent()
    for thing in things:
        if stop is not None and stop.is_set():
            return False
        progress.begin(label(thing))
        try:
            do(thing)
        except StoppedError:
            return False
        except XdplabError as error:
            if failed is None:
                raise
            failed(thing, error)
        progress.end()
    return True


def in_rounds(things: Sequence[Thing], rounds: int) -> Iterator[tuple[int, Thing]]:
    """Yield each thing once a round, with the round's number from 0.

    Every second round is in reverse order: a machine that slows down affects all things alike.
    """
    for number in range(rounds):
        for thing in things if number % 2 == 0 else reversed(things):
            yield number, thing


class _Use:
    """Makes sure that only one series of runs at a time uses something."""

    def __init__(self) -> None:
        self.lock = new_lock()  # held by the series that runs
        self.stop = Stop()  # ends that series


_uses: weakref.WeakKeyDictionary[object, _Use] = weakref.WeakKeyDictionary()
_uses_lock = new_lock()


@contextmanager
def alone(used: object, stop: Stop) -> Iterator[None]:
    """End another series of runs that uses the same thing, and exclude others in the block."""
    with _uses_lock:
        use = _uses.setdefault(used, _Use())
        use.stop.set()
        use.stop = stop  # at once, so that the newest of several that wait wins
    with use.lock:
        yield
