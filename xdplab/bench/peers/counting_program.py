"""A Python program that counts packets: count_packets.py, running inside a lab."""

from __future__ import annotations

import sys
from pathlib import Path

from xdplab.bench.peers.peer import Peer
from xdplab.bench.peers.peer_receiver import Counting, settled
from xdplab.net.host import Host

PROGRAM = Path(__file__).with_name("count_packets.py")

ANSWER_SECONDS = 30.0
"""How long to wait for each of its answers: far more than it takes, even on a busy machine."""


class CountingProgram(Counting):
    """A Python of its own that counts what arrives at a host's interface.

    Parameters
    ----------
    host
        Whose interface.
    way
        ``"socket"`` or ``"sniff"``.
    name
        What errors call it.
    cpu
        Its core.

    Raises
    ------
    PeerError
        When it does not come up. Nothing of it is left.
    """

    def __init__(self, host: Host, way: str, *, name: str, cpu: int) -> None:
        # -P: modules of our folder are not taken for the standard library's.
        arguments = [sys.executable, "-P", str(PROGRAM), way, host.interface.name]
        self._name = name
        self._peer = Peer(host, arguments, name=name, cpu=cpu)
        try:
            self.version = self._peer.expect(r"ready: ([^\n]+)\n", ANSWER_SECONDS)[1]
        except BaseException:
            self._peer.close()
            raise

    def received(self) -> int:
        """Read how many packets it counted, once no more arrive.

        Raises
        ------
        PeerError
            When it has ended, does not answer, answers with something else, or counts on.
        """
        return settled(self._name, self._received, ANSWER_SECONDS)

    def _received(self) -> int:
        self._peer.tell("count")
        return int(self._peer.expect(r"counted (\d+)\n", ANSWER_SECONDS)[1])

    def quit(self) -> None:
        """Let it end in its own way.

        Raises
        ------
        PeerError
            When it does not.
        """
        self._peer.tell("quit")
        self._peer.wait(ANSWER_SECONDS)
