"""A Python program that counts packets: count_packets.py, running inside a lab."""

from __future__ import annotations

import sys
from pathlib import Path

from xdplab.bench.peers.peer import Peer
from xdplab.bench.peers.peer_receiver import Counting, settled
from xdplab.net.host import Host

PROGRAM = Path(__file__).with_name("count_packets.py")

ANSWER_SECONDS = 30.0
"""Seconds to wait for each of its answers: far more than needed, even on a busy machine."""


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
        self._name = name
        self._peer = Peer(host, arguments, name=name, cpu=cpu)
        try:
            self.version = self._peer.expect(r"ready: ([^\n]+)\n", ANSWER_SECONDS)[1]
        except BaseException:
            self._peer.close()
            raise

    def received(self) -> int:
        """Read the number of packets it counted, once no more arrive.

        Raises
        ------
        PeerError
            When it has ended, does not answer, gives a wrong answer, or goes on counting.
        """
        return settled(self._name, self._received, ANSWER_SECONDS)

    def _received(self) -> int:
        self._peer.tell("count")
        return int(self._peer.expect(r"counted (\d+)\n", ANSWER_SECONDS)[1])

    def quit(self) -> None:
        """Ask it to end.

        Raises
        ------
        PeerError
            When it does not end.
        """
        self._peer.tell("quit")
        self._peer.wait(ANSWER_SECONDS)
