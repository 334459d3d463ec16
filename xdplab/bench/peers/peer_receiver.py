"""What the receivers that others wrote have in common: how a run with one of them goes.

A new peer is a program to drive, and a receiver with a `PeerReceiver` behind it, in a file of its
own.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from xdplab.bench.peers.peer import Peer, PeerError
from xdplab.bench.peers.spending import spending
from xdplab.bench.receiver import Run
from xdplab.bench.wire import REST_SECONDS, Wire, unanswered
from xdplab.core.closing import Closing

_SETTLE_SECONDS = 0.05


class Counting(Closing):
    """A running program that counts what it receives, as a benchmark drives it."""

    version: str
    """As the program itself says it."""
    _peer: Peer

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._peer.pid

    @abstractmethod
    def received(self) -> int:
        """Read how many packets it counted, once no more arrive.

        Raises
        ------
        PeerError
            When it has ended, does not answer, answers with something else, or counts on.
        """

    @abstractmethod
    def quit(self) -> None:
        """Let it end in its own way.

        Raises
        ------
        PeerError
            When it does not.
        """

    def close(self) -> None:
        """Kill it if it is still there."""
        self._peer.close()


class PeerReceiver(ABC):
    """Receives a run's traffic with a program that others wrote, started for that run.

    Parameters
    ----------
    name
        What the result calls it.
    settings
        What the result says of how it was called.
    beside_stack
        Whether the host's stack gets the packets as well, as it does beside a packet socket.
    """

    program: str

    def __init__(self, name: str, settings: dict[str, Any], *, beside_stack: bool) -> None:
        self.name, self.settings = name, settings
        self.version: str | None = None
        self._beside_stack = beside_stack

    @abstractmethod
    def missing(self) -> str | None:
        """Say what to do where the program is not there; None where it is."""

    @abstractmethod
    def open(self, wire: Wire) -> Counting:
        """Start the program, and return once it receives.

        Raises
        ------
        PeerError
            When it does not come up. Nothing of it is left.
        """

    def run(self, wire: Wire, seconds: float) -> Run:
        """Measure once, with nothing left behind.

        Raises
        ------
        PeerError
            When it does not come up, does not answer, or does not end.
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
                # What it takes for the last of them, too, though they may wait for a while.
                packets = program.received() - before
            program.quit()
        return Run(elapsed, sent, packets, spent.per_packet(packets))


def settled(program: str, read: Callable[[], int], seconds: float) -> int:
    """Read a count until it stands still.

    Parameters
    ----------
    program
        Whose it is.
    read
        Reads it.
    seconds
        How long to wait at most.

    Raises
    ------
    PeerError
        When it goes on growing, and what `read` raises.
    """
    deadline = time.monotonic() + seconds
    before, now = -1, read()
    while now != before:
        if time.monotonic() > deadline:
            raise PeerError(f"{program} still counts after {seconds:g} s without traffic.")
        time.sleep(_SETTLE_SECONDS)
        before, now = now, read()
    return now
