"""The peer `tcpdump`: libpcap's own program, which writes what it captures, or discards it.

It prints its counts on SIGUSR1 and at its end. See tcpdump(1).
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import ExitStack

from xdplab.bench.peers.peer import Peer, PeerError
from xdplab.bench.peers.peer_receiver import ANSWER_SECONDS, Counting, PeerReceiver
from xdplab.bench.temporary_folder import temporary_folder
from xdplab.bench.wire import Wire
from xdplab.net.host import Host

PROGRAM = "tcpdump"
NOWHERE = "/dev/null"

_LOOK_AGAIN_SECONDS = 0.1
_VERSION = r"tcpdump version (\S+)\s+libpcap version (\S+)"
_COUNTS = (
    r"(\d+) packets? captured.*?(\d+) packets? received by filter"
    r".*?(\d+) packets? dropped by kernel"
)


class Tcpdump(Counting):
    """A `tcpdump` that captures the packets at a host's interface.

    Parameters
    ----------
    host
        The host with the interface.
    cpu
        Its core.
    path
        Of the file that it writes.

    Raises
    ------
    PeerError
        When it does not start. Nothing of it is left.
    """

    def __init__(self, host: Host, *, cpu: int, path: str = NOWHERE) -> None:
        with Peer(host, [PROGRAM, "--version"]) as asked:
            told = asked.expect(_VERSION, ANSWER_SECONDS)
            self.version = f"{told[1]}, libpcap {told[2]}"
        arguments = [PROGRAM, "-i", host.interface.name, "-n", "-w", path]
        # It would change its user, and then the kernel would no longer kill it with this process.
        arguments += ["-Z", "root"] if os.geteuid() == 0 else []
        self._peer = Peer(host, arguments, cpu=cpu)
        self._begun("listening on")

    def received(self) -> int:
        """Read the number of packets it captured, once it has read all that the kernel holds.

        The kernel hands over a block of packets when it is full or after a second.

        Raises
        ------
        PeerError
            When it has ended, does not answer, gives a wrong answer, or never catches up.
        """
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            captured, passed, dropped = self._counts()
            if captured + dropped >= passed:
                return captured
            if time.monotonic() > deadline:
                raise PeerError(
                    f"{PROGRAM} has captured {captured} of {passed} packets and was told that "
                    f"{dropped} were dropped, {ANSWER_SECONDS:g} s after the last of them."
                )
            time.sleep(_LOOK_AGAIN_SECONDS)

    def count(self) -> int:
        """Ask it for the number of packets that it captured so far."""
        return self._counts()[0]

    def _counts(self) -> tuple[int, int, int]:
        self._peer.signal(signal.SIGUSR1)
        captured, passed, dropped = self._expect(_COUNTS).groups()
        return int(captured), int(passed), int(dropped)

    def quit(self) -> None:
        """Ask it to end; as for `Counting`."""
        self._peer.signal(signal.SIGINT)
        self._expect(_COUNTS)
        self._ended()


class WritingTcpdump(Tcpdump):
    """A `tcpdump` that writes to a file, which is removed when it is closed."""

    def __init__(self, host: Host, *, cpu: int) -> None:
        with ExitStack() as stack:
            folder = stack.enter_context(temporary_folder("xdplab-tcpdump-"))
            super().__init__(host, cpu=cpu, path=str(folder / "packets.pcap"))
            self._file = stack.pop_all()

    def close(self) -> None:
        """Kill it if it is still running; as for `Counting`."""
        super().close()
        self._file.close()


class TcpdumpReceiver(PeerReceiver):
    """Receives a run's traffic with a `tcpdump` of its own.

    Parameters
    ----------
    writes
        Whether it writes the packets to a file, or discards them.
    """

    program = PROGRAM
    WRITES = "tcpdump -w"

    def __init__(self, *, writes: bool = False) -> None:
        settings = {} if writes else {"write": NOWHERE}
        super().__init__(self.WRITES if writes else PROGRAM, settings, beside_stack=True)
        self._kind = WritingTcpdump if writes else Tcpdump

    def missing(self) -> str | None:
        """Return what to do if tcpdump is missing; None if it is installed."""
        return None if shutil.which(PROGRAM) else "not installed: apt install tcpdump"

    def open(self, wire: Wire) -> Tcpdump:
        """Start one; as for `Tcpdump`."""
        return self._kind(wire.lab.port, cpu=wire.worker)
