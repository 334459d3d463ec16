"""Reads a ledger repeatedly, without delaying the pump.

A reading queries the kernel over netlink and waits for the workers' next records: some 3 ms of CPU
time, and 10 ms of waiting. So it runs on a thread of its own, twice a second, and rarely while no
count changes. The thread ends with the reading, so none outlives the views.
"""

from __future__ import annotations

import time
import weakref
from typing import TYPE_CHECKING, NamedTuple

from xdplab.core.errors import XdplabError
from xdplab.core.locks import new_lock
from xdplab.core.threads import Thread
from xdplab.ledger.account import Account
from xdplab.ledger.ledger import Ledger

if TYPE_CHECKING:
    from xdplab.engine.traffic import Traffic

INTERVAL = 0.5
"""Seconds between two readings."""

_IDLE_INTERVAL = 5.0  # while no count changes that can be read without a system call
_LONG_AGO, _PATIENCE = 2.0, 0.1

_MOVING = (
    *("rx_producer", "rx_consumer", "tx_producer", "tx_consumer", "completion_producer"),
    *("rx_ring_full", "rx_dropped", "rx_too_long", "tx_invalid_descs", "state"),
)


class Reading(NamedTuple):
    """The result of reading a ledger."""

    account: Account
    begun: float
    """When the ledger began, in seconds since 1970."""
    generates: bool
    """Whether the workers made what they sent, as with the action "generate"."""
    multi_buffer: bool


class LedgerReader:
    """Keeps a ledger and its last reading.

    Parameters
    ----------
    ledger
        A ledger. The reader keeps neither its engine nor its generator alive.

    Raises
    ------
    ClosedError
        When the engine was closed.
    InterfaceGoneError
        When an interface is gone.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._engine = weakref.ref(ledger.engine)
        self._traffic = None if ledger.traffic is None else weakref.ref(ledger.traffic)
        self._ledger = ledger.weakly()
        self._lock = new_lock()  # held while the ledger is read or replaced
        self._busy = False
        self._due = self._overdue = self._looked = 0.0
        self._seen: tuple[object, ...] = ()
        self.problem = ""
        """Why the last reading failed, or empty."""
        self.reading = self._read()
        """The last successful reading."""

    def look(self) -> None:
        """Start a reading, unless one is running or not yet due, or no count changed."""
        now, before = time.monotonic(), self._looked
        self._looked = now
        if self._busy or now < self._due:
            return
        self._busy = True
        worker = Thread(self._work, name="xdplab-ledger")
        worker.start()
        if now - before > _LONG_AGO:  # nothing was shown meanwhile, so the reading is old
            worker.join(_PATIENCE)

    def read(self) -> Reading:
        """Read the ledger now; if that fails, return the last reading."""
        with self._lock:
            try:
                self.reading, self.problem = self._read(), ""
            except ReferenceError:
                self.problem = self._gone()
            except XdplabError as error:
                self.problem = str(error)
        return self.reading

    def begin_anew(self, traffic: Traffic | None = None) -> None:
        """Restart the counts at zero now. It takes up to 0.2 s while packets flow.

        Parameters
        ----------
        traffic
            The generator, if it has changed.
        """
        with self._lock:
            if traffic is not None:
                self._traffic = weakref.ref(traffic)
            try:
                engine = self._engine()
                if engine is None:
                    raise ReferenceError
                sender = self._traffic() if self._traffic else None
                self._ledger = Ledger(engine, sender).weakly()
                self.reading, self.problem = self._read(), ""
            except ReferenceError:
                self.problem = self._gone()
            except XdplabError as error:
                self.problem = str(error)

    def _work(self) -> None:
        try:
            overdue = time.monotonic() >= self._overdue
            if overdue or not self._stands_still():
                self.read()
                self._overdue = time.monotonic() + _IDLE_INTERVAL
        finally:
            self._due = time.monotonic() + INTERVAL
            self._busy = False

    def _read(self) -> Reading:
        self._seen = self._look_quickly()
        account, engine = self._ledger.read(), self._ledger.engine
        multi_buffer = engine.configuration.memory.multi_buffer
        return Reading(account, self._ledger.begun, engine.action == "generate", multi_buffer)

    def _stands_still(self) -> bool:
        try:
            return not self.reading.account.situation.flowing and self._look_quickly() == self._seen
        except (ReferenceError, XdplabError):
            return False

    def _look_quickly(self) -> tuple[object, ...]:
        """Return counts that are cheap to read and change when packets move."""
        ledger = self._ledger
        engine, traffic = ledger.engine, ledger.traffic
        total = engine.telemetry.total()
        return (
            *(int(total[name]) for name in _MOVING),
            engine.verdicts(),
            engine.running,
            None if traffic is None else (traffic.sent, traffic.running),
        )

    def _gone(self) -> str:
        if self._engine() is None:
            return "nothing holds the engine any more"
        return "nothing holds the generator any more: begin_anew(traffic) follows another"
