"""The handler of an engine: attached, replaced and taken away while packets flow."""

from __future__ import annotations

import time
import warnings
from typing import Any

from xdplab.core.checks import seconds
from xdplab.core.errors import ConfigurationError
from xdplab.core.locks import new_lock
from xdplab.core.text import si
from xdplab.engine.why_it_ended import Endings
from xdplab.handlers.handler import Handler, handler_of
from xdplab.ledger.explain_handler import budget_of, watched
from xdplab.native import ffi

_LEAVES_WITHIN = 1.0  # seconds
_LOOK_SECONDS = 0.001
_LONGEST_BUDGET = 3600.0  # seconds


class Handling(Endings):
    """Part of `Engine`: its handler, and how long that takes."""

    def _begin_handling(self) -> None:
        self._handler: Handler | None = None
        self._handling_lock = new_lock()
        self._before_handler = ""
        # Old ones that a worker was still in when it was last looked at, with when it had begun.
        self._left_behind: list[tuple[Handler, dict[int, int]]] = []

    @property
    def handler(self) -> Handler | None:
        """The function that workers call for each packet, with the action ``"handler"``; or None.

        Set it to what `c_handler` returns, to a function with
        ``@numba.cfunc(xdplab.handler_signature)`` in front of it, to a function pointer of ctypes
        or cffi, or to a `Handler` of one of these with a state. That makes ``"handler"`` the
        action. None takes it away, and the action is again what it was. On return no worker uses
        the one before any more; no packet is lost.

        It runs on the workers' threads, as part of this process. One that crashes ends the process.
        One that never returns keeps its worker until the process ends: `handler_note` says so, and
        `close` does not wait for it.
        """
        return self._handler

    @handler.setter
    def handler(self, value: Any) -> None:
        handler = None if value is None else handler_of(value)
        with self._handling_lock:
            if handler is not None:
                self.configuration.action_index("handler")
            self._refuse_once_ended()
            before = self._handler
            if handler is None:
                self._leave_action()
            else:
                self._native.keep(handler)
            self._native.set_handler(ffi.NULL if handler is None else handler.handling)
            self._handler = handler
            if handler is not None:
                self._take_action()
            self._let_go(before)

    @property
    def handler_budget(self) -> float:
        """Seconds that the handler may take for a batch; `handler_note` reports when it takes more.

        By default 0.001.
        """
        return budget_of(self.telemetry)

    @handler_budget.setter
    def handler_budget(self, value: float) -> None:
        budget = seconds("handler_budget", value, 0, _LONGEST_BUDGET)
        self._store("handler_budget_ns", round(budget * 1e9))

    @property
    def handler_note(self) -> str:
        """What is wrong with the handler: it took longer than its budget, or has not returned yet.

        A sentence each; empty where all is well.
        """
        return watched(self.telemetry)

    def _take_action(self) -> None:
        if self.action != "handler":
            self._before_handler = self.action
            self.action = "handler"

    def _leave_action(self) -> None:
        if self.action == "handler":
            self.action = self._before_handler

    def _let_go(self, before: Handler | None) -> None:
        """Wait until no worker uses the old handler any more, so that it can be freed."""
        if before is not None:
            workers = range(self.telemetry.workers)
            begun = {worker: self._native.inside_handler(worker) for worker in workers}
            self._left_behind.append((before, begun))
        deadline = time.monotonic() + _LEAVES_WITHIN
        while not self._all_left() and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        if before is not None and any(old is before for old, _begun in self._left_behind):
            warnings.warn(
                f"The handler before is still in use. {self.handler_note} The next one takes over "
                "when it returns.",
                stacklevel=4,  # this, the setter, and FixedNames.__setattr__
            )

    def _all_left(self) -> bool:
        for old, begun in list(self._left_behind):
            if all(not at or self._native.inside_handler(n) != at for n, at in begun.items()):
                self._left_behind.remove((old, begun))
                self._native.let_go(old)
        return not self._left_behind

    def _refuse_without_handler(self, action: str) -> None:
        if action == "handler" and self._handler is None:
            raise ConfigurationError(
                "action='handler' takes a handler, and this engine has none: "
                "engine.handler = xdplab.c_handler(source) attaches one, and makes it the action."
            )


def warn_of_what_stays(name: str, umem_bytes: int, callers: int) -> None:
    """Say what a handler that does not return keeps from being given back."""
    warnings.warn(
        f"The engine on {name} is closed, but its handler does not return. Packets go to the stack "
        "again. Until the process ends, the worker's thread goes on, and its queue's socket, its "
        f"UMEM of {si(umem_bytes)}B and the handler's memory stay.",
        stacklevel=2 + callers,
    )
