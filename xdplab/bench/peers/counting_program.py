"""A Python program that counts packets: count_packets.py, running inside a lab."""

from __future__ import annotations

import sys
from pathlib import Path

from xdplab.bench.peers.peer import Peer
from xdplab.bench.peers.peer_receiver import Counting
from xdplab.net.host import Host

PROGRAM = Path(__file__).with_name("count_packets.py")


class CountingProgram(Counting):
    """A separate Python process that counts the packets at a host's interface.

    Parameters
    ----------
    host
        The host with the interface.
    way
        ``"socket"`` or ``"sniff"``.
    name
        Its name in errors.
    cpu
        Its core.

    Raises
    ------
    PeerError
        When it does not start. Nothing of it is left.
    """

    def __init__(self, host: Host, way: str, *, name: str, cpu: int) -> None:
        # -P: modules in the program's folder must not replace the standard library's.
        arguments = [sys.executable, "-P", str(PROGRAM), way, host.interface.name]
        self._peer = Peer(host, arguments, name=name, cpu=cpu)
        self.version = self._begun(r"ready: ([^\n]+)\n")[1]

    def count(self) -> int:
        """Ask it for the number of packets that it counted so far."""
        self._peer.tell("count")
        return int(self._expect(r"counted (\d+)\n")[1])

    def quit(self) -> None:
        """Ask it to end; as for `Counting`."""
        self._peer.tell("quit")
        self._ended()
