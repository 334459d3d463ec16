"""Reads what an attached program does, without delaying the pump.

Verdicts are the driver's counts. The time of a run is the kernel's, which counts runs only while it
is asked to, for about 20 ns a run: so it is asked for the first part of each reading. A reading
takes netlink and bpf(2), and waits; so it runs on a thread of its own, twice a second, which ends
with it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from xdplab.core.errors import PermissionRefusedError, XdplabError
from xdplab.core.locks import new_lock
from xdplab.core.threads import Thread
from xdplab.net.driver_counters import DriverVerdicts, verdicts

if TYPE_CHECKING:
    from xdplab.xdp.link import Link
    from xdplab.xdp.program import Program

INTERVAL = 0.5
"""Seconds from one reading to the next."""

_LISTEN, _ENOUGH = 0.05, 0.3  # seconds of counting runs: at least, and until there is one


class Rates(NamedTuple):
    """Packets a second, by what became of them."""

    came: float = 0.0
    passed: float = 0.0
    dropped: float = 0.0
    sent: float = 0.0
    redirected: float = 0.0


class Reading(NamedTuple):
    """The result of reading a program."""

    time_ns: int
    """When it was read, by CLOCK_MONOTONIC."""
    program: Program
    """The program that the link has."""
    counts: DriverVerdicts | None
    """Since the reader was made; None where the driver counts no verdicts."""
    rates: Rates | None
    """Since the reading before."""
    nanoseconds: float | None
    """A run's mean, as last measured; None where none was."""


class ProgramReader:
    """Keeps a link and its last reading.

    Parameters
    ----------
    link
        The link of the program.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        """The link of the program."""
        self._lock = new_lock()  # held while it is read
        self._busy, self._due = False, 0.0
        self._timed: tuple[Program, float] | None = None
        self.problem = ""
        """Why the last reading failed, or empty."""
        self._begun = self._counted = self._counts()
        self.reading = Reading(time.monotonic_ns(), link.program, _none(self._begun), None, None)
        """The last successful reading."""

    def look(self) -> None:
        """Start a reading, unless one is running or not yet due."""
        if self._busy or time.monotonic() < self._due:
            return
        self._busy = True
        Thread(self._work, name="xdplab-program").start()

    def read(self) -> Reading:
        """Read the program now; if that fails, return the last reading."""
        with self._lock:
            try:
                self.reading, self.problem = self._read(), ""
            except XdplabError as error:
                self.problem = str(error)
        return self.reading

    def _work(self) -> None:
        try:
            self.read()
        finally:
            self._due = time.monotonic() + INTERVAL
            self._busy = False

    def _read(self) -> Reading:
        program, before = self.link.program, self.reading
        nanoseconds = self._time_a_run(program)
        counts, now = self._counts(), time.monotonic_ns()
        rates = None
        if counts is not None and self._counted is not None:
            seconds = (now - before.time_ns) / 1e9
            grown = _since(counts, self._counted)
            rates = Rates(*(count / seconds for count in (grown.came, grown.passed, *grown[1:])))
        self._counted = counts
        since = None if counts is None or self._begun is None else _since(counts, self._begun)
        return Reading(now, program, since, rates, nanoseconds)

    def _counts(self) -> DriverVerdicts | None:
        # With "skb" the program runs in the stack, behind the driver, which passes it all packets.
        if self.link.attach != "native":
            return None
        interface = self.link.interface
        return verdicts(interface.driver, interface.driver_statistics())

    def _time_a_run(self, program: Program) -> float | None:
        end = time.monotonic() + _ENOUGH
        with suppress(PermissionRefusedError), program.statistics() as statistics:
            time.sleep(_LISTEN)
            while not (runs := statistics.runs) and time.monotonic() < end:
                time.sleep(_LISTEN)
            if runs:
                self._timed = program, statistics.nanoseconds
        return self._timed[1] if self._timed and self._timed[0] is program else None


def _since(counts: DriverVerdicts, begun: DriverVerdicts) -> DriverVerdicts:
    return DriverVerdicts(*(now - then for now, then in zip(counts, begun, strict=True)))


def _none(counts: DriverVerdicts | None) -> DriverVerdicts | None:
    return None if counts is None else DriverVerdicts()
