"""The one thread of a process that copies telemetry into widgets.

It beats ten times a second while there are subscribers, and ends when there are none. Only the pump
sends rows to browsers, so the data that it sends needs no lock.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import Protocol

from xdplab.core.locks import new_lock

INTERVAL = 0.1
"""Seconds from one beat to the next."""


class Subscriber(Protocol):
    """The methods that the pump calls, always on its own thread."""

    def beat(self) -> None:
        """Do the periodic work, ten times a second."""

    def failed(self, error: Exception) -> None:
        """Handle an `error` raised by `beat`, which will not be called again."""


# Guards these two, so that a thread that is about to end is never taken for a running one.
_lock = new_lock()
_subscribers: weakref.WeakSet[Subscriber] = weakref.WeakSet()
_thread: threading.Thread | None = None


def subscribe(subscriber: Subscriber) -> None:
    """Call `subscriber` at each beat, as long as it is referenced elsewhere."""
    global _thread  # noqa: PLW0603
    with _lock:
        _subscribers.add(subscriber)
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_run, name="xdplab-pump", daemon=True)
            _thread.start()


def unsubscribe(subscriber: Subscriber) -> None:
    """Stop calling `subscriber`."""
    with _lock:
        _subscribers.discard(subscriber)


def on_pump_thread() -> bool:
    """Return whether the caller runs on the pump's thread."""
    return threading.current_thread() is _thread


def _run() -> None:
    global _thread  # noqa: PLW0603
    due = time.monotonic()
    while True:
        with _lock:
            present = list(_subscribers)
            if not present:
                _thread = None
                return
        while present:
            _beat(present.pop())
        # After a beat that took too long the next follows at once; missed beats are skipped.
        due = max(due + INTERVAL, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


def _beat(subscriber: Subscriber) -> None:
    try:
        subscriber.beat()
    except Exception as error:
        unsubscribe(subscriber)
        subscriber.failed(error)
