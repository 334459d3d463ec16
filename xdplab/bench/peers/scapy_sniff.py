"""The peer scapy: its `sniff`, which dissects each packet."""

from __future__ import annotations

from importlib.util import find_spec

from xdplab.bench.peers.counting_program import CountingProgram
from xdplab.bench.peers.peer_receiver import PeerReceiver
from xdplab.bench.wire import Wire


class SniffReceiver(PeerReceiver):
    """Receives a run's traffic with scapy's `sniff`, in a process of its own."""

    program = "scapy sniff"

    def __init__(self) -> None:
        super().__init__(self.program, {"store": False}, beside_stack=True)

    def missing(self) -> str | None:
        """Return what to do if scapy is missing; None if it is installed."""
        return None if find_spec("scapy") else "not installed: pip install scapy"

    def open(self, wire: Wire) -> CountingProgram:
        """Start one; as for `CountingProgram`."""
        return CountingProgram(wire.lab.port, "sniff", name=self.program, cpu=wire.worker)
