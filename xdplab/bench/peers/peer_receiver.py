"""Base classes of third-party receivers: a counting program, and a run with it.

A new peer is a `Counting` program and a receiver derived from `PeerReceiver`, in one file.
"""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from xdplab.bench.peers.cpu_time import spending
from xdplab.bench.peers.peer import Peer, PeerError
from xdplab.bench.receiver import Received
from xdplab.bench.wire import REST_SECONDS, Wire, unanswered
from xdplab.core.closing import Closing

ANSWER_SECONDS = 30.0
"""Seconds to wait for each answer of a program: far more than needed, even on a busy machine."""

_SETTLE_SECONDS = 0.05


class Counting(Closing):
    """A running program that counts the packets it receives, controlled by a benchmark."""

    version: str
    """The version, as printed by the program."""
    _peer: Peer

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._peer.pid

    def received(self) -> int:
        """Read the number of packets it counted, once no more arrive.

        Raises
        ------
        PeerError
            When it has ended, does not answer, gives a wrong answer, or goes on counting.
        """
        return settled(self._peer.name, self.count, ANSWER_SECONDS)

    @abstractmethod
    def count(self) -> int:
        """Ask it for the number of packets that it counted so far."""

    @abstractmethod
    def quit(self) -> None:
        """Ask it to end.

        Raises
        ------
        PeerError
            When it does not end.
        """

    def close(self) -> None:
        """Kill it if it is still running."""
        self._peer.close()

    def _expect(self, pattern: str) -> re.Match[str]:
        """Wait for an answer."""
        return self._peer.expect(pattern, ANSWER_SECONDS)

    def _begun(self, pattern: str) -> re.Match[str]:
        """Wait until it says that it receives; close it if it does not."""
        try:
            return self._expect(pattern)
        except BaseException:
            self.close()
            raise

    def _ended(self) -> None:
        """Wait until it has ended."""
        self._peer.wait(ANSWER_SECONDS)


class PeerReceiver(ABC):
    """Receives a run's traffic with a third-party program, started for that run.

    Parameters
    ----------
    name
        Its name in the result.
    settings
        Its settings, for the result.
    beside_stack
        Whether the host's stack gets the packets as well, as with a packet socket.
    """

    program: str

    def __init__(self, name: str, settings: dict[str, Any], *, beside_stack: bool) -> None:
        self.name, self.settings = name, settings
        self.version: str | None = None
        self._beside_stack = beside_stack

    @abstractmethod
    def missing(self) -> str | None:
        """Return what to do if the program is missing; None if it is installed."""

    @abstractmethod
    def open(self, wire: Wire) -> Counting:
        """Start the program, and return once it receives.

        Raises
        ------
        PeerError
            When it does not start. Nothing of it is left.
        """

    def run(self, wire: Wire, seconds: float) -> Received:
        """Measure once, and clean up.

        Raises
        ------
        PeerError
            When it does not start, does not answer, or does not end.
        KernelError
            When the generator ended by itself.
        """
        with ExitStack() as stack:
            if self._beside_stack:
                stack.enter_context(unanswered(wire.lab.port))
            program = stack.enter_context(self.open(wire))
            self.version = program.version
            wire.warm_up(REST_SECONDS)
            before = program.received()
            with spending(program.pid, {wire.worker, wire.traffic.cpu}) as spent:
                sent, elapsed = wire.send(seconds)
                # Includes the time for the last packets, though they may wait for a while.
                packets = program.received() - before
            program.quit()
        return Received(elapsed, sent, packets, spent.per_packet(packets))


def settled(program: str, read: Callable[[], int], seconds: float) -> int:
    """Read a count until it stops growing.

    Parameters
    ----------
    program
        The program's name.
    read
        Reads the count.
    seconds
        Longest time to wait.

    Raises
    ------
    PeerError
        When it goes on growing. Errors of `read` are passed on.
    """
    deadline = time.monotonic() + seconds
    before, now = -1, read()
    while now != before:
        if time.monotonic() > deadline:
            raise PeerError(f"{program} still counts after {seconds:g} s without traffic.")
        time.sleep(_SETTLE_SECONDS)
        before, now = now, read()
    return now
