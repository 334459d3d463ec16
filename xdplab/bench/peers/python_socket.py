"""The simplest peer: a raw AF_PACKET socket in Python, read packet by packet."""

from __future__ import annotations

from xdplab.bench.peers.counting_program import CountingProgram
from xdplab.bench.peers.peer_receiver import PeerReceiver
from xdplab.bench.wire import Wire


class SocketReceiver(PeerReceiver):
    """Receives a run's traffic with Python's `socket`, in a process of its own."""

    program = "Python socket"

    def __init__(self) -> None:
        settings = {"family": "AF_PACKET", "call": "recv_into"}
        super().__init__(self.program, settings, beside_stack=True)

    def missing(self) -> str | None:
        """Return None: Python is always installed."""
        return None

    def open(self, wire: Wire) -> CountingProgram:
        """Start one; as for `CountingProgram`."""
        return CountingProgram(wire.lab.port, "socket", name=self.program, cpu=wire.worker)
