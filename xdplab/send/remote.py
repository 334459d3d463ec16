"""A generator that runs in a session of the broker."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from xdplab.core.errors import ClosedError, KernelError, XdplabError
from xdplab.core.locks import new_lock
from xdplab.native import ffi, lib
from xdplab.refusals.errors import new_error, raise_error

if TYPE_CHECKING:
    from xdplab.broker.client import Connection


_NEWS_SECONDS = 0.02  # callers that wait for its end ask often, and each answer is a line in a log


class BrokerGenerator:
    """Makes numbered frames (`xdplab.send.generator.Generator`), by a thread of the broker's.

    The count and the rate are in a map of the program, which both sides have mapped.

    Parameters
    ----------
    session
        Session of the sender's network namespace; the generator owns it from now on.
    traffic
        The fields of ``struct xdplab_traffic`` but for `program`.
    """

    def __init__(self, session: Connection, traffic: Mapping[str, Any]) -> None:
        self._session = session
        self._owner, self._lock = os.getpid(), new_lock()
        self._last: dict[str, int] = {}
        self._asked = 0.0
        try:
            self._state = _open(session, traffic)
        except BaseException:
            session.close()
            raise
        self._closer = weakref.finalize(self, _close, session, self._state, self._lock)

    def start(self) -> None:
        """Send from now on."""
        self._session.request("generator_start")
        self._asked = 0.0

    def stop(self) -> None:
        """Stop; does nothing in a forked child, which does not own it."""
        if os.getpid() == self._owner:
            with suppress(XdplabError):  # the broker has ended, and with it the generator
                self._session.request("generator_stop")
            self._asked = 0.0

    def set_interval(self, picoseconds: int) -> None:
        """Change the time between two frames."""
        with self._lock:
            lib.xdplab_generator_state_set_interval(self._state, picoseconds)

    def set_size(self, size: int) -> None:
        """Change the bytes of a frame."""
        self._session.request("generator_set_size", {"size": size})

    @property
    def sent(self) -> int:
        """Frames handed to the interface so far."""
        with self._lock:
            return int(lib.xdplab_generator_state_sent(self._state))

    @property
    def sending_ns(self) -> int:
        """Nanoseconds that it spent sending, in all starts so far."""
        status = self._status()
        told = status.get("sending_ns", 0)
        if not told or not status["running"]:
            return told
        # The answer may be a moment old, and the generator has gone on since.
        return told + int((time.monotonic() - self._asked) * 1e9)

    @property
    def too_long(self) -> int:
        """Of those, frames longer than the interface takes."""
        return self._status()["too_long"]

    @property
    def running(self) -> bool:
        """Whether it is sending."""
        return bool(self._status()["running"])

    @property
    def fault(self) -> int:
        """The errno that ended it, or 0."""
        return self._status()["fault"]

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._closer.alive

    def close(self) -> None:
        """Stop and release all resources; in a forked child, only this process' copies of them."""
        self._closer()

    def _status(self) -> dict[str, int]:
        now = time.monotonic()
        if self._last.get("running") and now - self._asked < _NEWS_SECONDS:
            return self._last
        self._asked = now
        try:
            self._last = self._session.request("generator_status")[0]
        except KernelError as error:  # the broker has ended
            self._last = {"too_long": 0, **self._last, "running": 0, "fault": error.errno or 0}
        except ClosedError:  # in a forked child, which has no session
            self._last = {"too_long": 0, "fault": 0, **self._last, "running": 0}
        return self._last


def _open(session: Connection, traffic: Mapping[str, Any]) -> Any:
    stream = dict(traffic["stream"])
    stream["headers"] = bytes(stream["headers"]).hex()
    arguments = {
        "interface": traffic["interface_index"],
        "cpu": traffic["cpu"],
        "longest": traffic["longest"],
        "stream": stream,
    }
    _answer, (descriptor,) = session.request("generator_open", arguments)
    error = new_error()
    state = lib.xdplab_generator_state_map(descriptor, error)
    os.close(descriptor)
    if state == ffi.NULL:
        raise_error(error)
    return state


def _close(session: Connection, state: Any, lock: threading.RLock) -> None:
    session.close()
    with lock:  # on exit, a daemon thread may still be reading
        lib.xdplab_generator_state_unmap(state)
