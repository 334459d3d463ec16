"""Reads a ledger again and again, without holding up the pump.

A reading asks the kernel over netlink and waits for the workers' next records: some 3 ms of CPU
time, and 10 ms of waiting. So it happens on a thread of its own, twice a second, and hardly at all
while nothing moves. The thread ends with the reading: none outlives the views.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, NamedTuple

from xdplab.core.errors import XdplabError
from xdplab.core.locks import new_lock
from xdplab.ledger.account import Account
from xdplab.ledger.ledger import Ledger

if TYPE_CHECKING:
    from xdplab.engine.traffic import Traffic

INTERVAL = 0.5
"""Seconds between two readings."""

_IDLE_INTERVAL = 5.0  # while no count moves that can be looked at without a system call
_LONG_AGO, _PATIENCE = 2.0, 0.1

_MOVING = (
    *("rx_producer", "rx_consumer", "tx_producer", "tx_consumer", "completion_producer"),
    *("rx_ring_full", "rx_dropped", "rx_too_long", "tx_invalid_descs", "state"),
)


class Reading(NamedTuple):
    """A ledger, read."""

    account: Account
    begun: float
    """When the ledger began, in seconds since 1970."""
    generates: bool
    """Whether the workers made what they sent, as with the action "generate"."""
    multi_buffer: bool


class LedgerReader:
    """Keeps a book and the last reading of it.

    Parameters
    ----------
    book
        A ledger. What is kept of it keeps neither its engine nor its generator alive.

    Raises
    ------
    ClosedError
        When the engine was closed.
    InterfaceGoneError
        When an interface is gone.
    """

    def __init__(self, book: Ledger) -> None:
        self._engine = weakref.ref(book.engine)
        self._traffic = None if book.traffic is None else weakref.ref(book.traffic)
        self._book = book.weakly()
        self._lock = new_lock()  # held while the book is read or replaced
        self._wants_anew = False
        self._busy = False
        self._due = self._overdue = self._looked = 0.0
        self._seen: tuple[object, ...] = ()
        self.problem = ""
        """Why the last reading did not come about, or empty."""
        self.reading = self._read()
        """The last that came about."""

    def look(self) -> None:
        """Have the ledger read, unless that is under way, not yet due, or nothing moved."""
        now, before = time.monotonic(), self._looked
        self._looked = now
        if self._busy or now < self._due:
            return
        self._busy = True
        worker = threading.Thread(target=self._work, name="xdplab-ledger", daemon=True)
        worker.start()
        if now - before > _LONG_AGO:  # nobody looked meanwhile, so what is shown is old
            worker.join(_PATIENCE)

    def read(self) -> Reading:
        """Read the ledger now; where that is impossible, return the last reading."""
        with self._lock:
            try:
                if self._wants_anew:
                    self._begin()
                self.reading, self.problem = self._read(), ""
            except ReferenceError:
                self.problem = self._gone()
            except XdplabError as error:
                self.problem = str(error)
        return self.reading

    def begin_anew(self, traffic: Traffic | None = None) -> None:
        """Count from the next reading on, from zero.

        Parameters
        ----------
        traffic
            The generator, where it is another one than before.
        """
        if traffic is not None:
            self._traffic = weakref.ref(traffic)
        self._wants_anew = True
        self._due = 0.0

    def _work(self) -> None:
        try:
            overdue = self._wants_anew or time.monotonic() >= self._overdue
            if overdue or not self._stands_still():
                self.read()
                self._overdue = time.monotonic() + _IDLE_INTERVAL
        finally:
            self._due = time.monotonic() + INTERVAL
            self._busy = False

    def _begin(self) -> None:
        engine = self._engine()
        if engine is None:
            raise ReferenceError
        self._wants_anew = False
        self._book = Ledger(engine, self._traffic() if self._traffic else None).weakly()

    def _read(self) -> Reading:
        self._seen = self._look_quickly()
        account, engine = self._book.read(), self._book.engine
        multi_buffer = engine.configuration.multi_buffer
        return Reading(account, self._book.begun, engine.action == "generate", multi_buffer)

    def _stands_still(self) -> bool:
        try:
            return not self.reading.account.situation.flowing and self._look_quickly() == self._seen
        except (ReferenceError, XdplabError):
            return False

    def _look_quickly(self) -> tuple[object, ...]:
        """Return what costs next to nothing to look at, and moves where packets do."""
        book = self._book
        engine, traffic = book.engine, book.traffic
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
