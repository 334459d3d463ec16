"""The peer `dpdk-testpmd`: DPDK's own test program, here on its AF_XDP and AF_PACKET drivers.

It is controlled by its command line and by commands at its prompt, and its own counters are read.
See https://doc.dpdk.org/guides/testpmd_app_ug/ and /guides/nics/af_xdp.html.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, suppress

from xdplab.bench.peers.peer import Peer
from xdplab.bench.peers.peer_receiver import Counting, PeerReceiver
from xdplab.bench.temporary_folder import temporary_folder
from xdplab.bench.wire import Wire
from xdplab.core.errors import XdplabError
from xdplab.net.host import Host
from xdplab.net.interface import Interface
from xdplab.net.netlink import netlink

PROGRAM = "dpdk-testpmd"

AF_XDP, AF_PACKET = "net_af_xdp", "net_af_packet"
"""Its drivers."""

_PROMPT = "testpmd> "
_PROMISCUOUS = 0x100  # IFF_PROMISC
_NO_PROGRAM = -1  # of IFLA_XDP_FD


class Testpmd(Counting):
    """A `dpdk-testpmd` on queue 0 of a host's interface, or of two in one namespace.

    It drops packets, or forwards them to the other interface.

    Parameters
    ----------
    hosts
        The hosts whose interfaces it takes: one to drop, two to forward.
    worker, other
        Cores of its forwarding thread, and of its main thread, which sleeps at its prompt.
    driver
        `AF_XDP` or `AF_PACKET`.
    busy_budget
        Packets of a busy poll (``SO_BUSY_POLL_BUDGET``), 0 for none; None: the AF_XDP driver's
        default.

    Raises
    ------
    PeerError
        When it does not start. Nothing of it is left.
    """

    def __init__(
        self,
        *hosts: Host,
        worker: int,
        other: int,
        driver: str = AF_XDP,
        busy_budget: int | None = None,
    ) -> None:
        self._interfaces = [host.interface for host in hosts]
        with ExitStack() as undo:
            undo.callback(self._restore)
            # Even without shared files it makes a directory, and does not remove it.
            with temporary_folder("xdplab-testpmd-") as folder:
                environment = {
                    "RUNTIME_DIRECTORY": str(folder),
                    # Not a bpffs: so libxdp can't pin its dispatcher, which would stay after a
                    # kill, and attaches its program without one.
                    "LIBXDP_BPFFS": str(folder),
                }
                options = f",busy_budget={busy_budget}" if busy_budget is not None else ""
                arguments = _arguments(self._interfaces, worker, other, driver, options)
                self._peer = undo.enter_context(Peer(hosts[0], arguments, environment))
                self.version = self._expect(r"RTE Version: '([^'\n]+)'")[1]
                self._expect(_PROMPT)
                self._peer.tell("start")
                self._expect(r"packets/burst=\d+")
            self._undo = undo.pop_all()

    def count(self) -> int:
        """Ask it for the number of packets that it counted so far, on all its interfaces."""
        return sum(self._counted_by(port) for port in range(len(self._interfaces)))

    def _counted_by(self, port: int) -> int:
        self._peer.tell(f"show port stats {port}")
        return int(self._expect(r"RX-packets:\s*(\d+)\s.*?Throughput")[1])

    def quit(self) -> None:
        """Ask it to end; as for `Counting`."""
        self._peer.tell("stop")
        self._peer.tell("quit")
        self._expect(r"Bye\.\.\.")
        self._ended()

    def close(self) -> None:
        """Kill it if it is still running, and clean up what it left."""
        self._undo.close()

    def _restore(self) -> None:
        """Restore the interfaces that still exist."""
        for interface in self._interfaces:
            with suppress(XdplabError):
                interface.namespace.run(_restore, interface.index)


def _arguments(
    interfaces: list[Interface], worker: int, other: int, driver: str, options: str
) -> list[str]:
    queues = ",start_queue=0,queue_count=1" if driver == AF_XDP else ",qpairs=1"
    devices = [
        f"{driver}{number},iface={interface.name}{queues}{options}"
        for number, interface in enumerate(interfaces)
    ]
    mode = "rxonly" if len(interfaces) == 1 else "io"
    return [
        PROGRAM,
        "-v",  # print the version
        *("--lcores", f"0@{other},1@{worker}", "--main-lcore", "0"),
        *("--no-huge", "-m", "512", "--no-shconf", "--no-telemetry", "--no-pci"),
        *("--file-prefix", f"xdplab-{os.getpid()}"),
        *(part for device in devices for part in ("--vdev", device)),
        "--",
        *("-i", f"--forward-mode={mode}", "--no-mlockall", "--total-num-mbufs=16384"),
    ]


def _restore(index: int) -> None:
    with netlink("restore an interface after dpdk-testpmd") as route:
        route.link("set", index=index, flags=0, change=_PROMISCUOUS)  # left even after a normal end
        route.link("set", index=index, xdp_fd=_NO_PROGRAM)  # left after a kill


def missing() -> str | None:
    """Return what to do if testpmd is missing; None if it is installed."""
    return None if shutil.which(PROGRAM) else "not installed: apt install dpdk-dev"


class TestpmdReceiver(PeerReceiver):
    """Receives a run's traffic with a `dpdk-testpmd` of its own.

    Parameters
    ----------
    driver, busy_budget
        As for `Testpmd`.
    name
        What the result calls it.
    """

    program = PROGRAM

    def __init__(
        self, driver: str = AF_XDP, busy_budget: int | None = None, name: str | None = None
    ) -> None:
        self._driver, self._busy_budget = driver, busy_budget
        told = PROGRAM if busy_budget is None else f"{PROGRAM} busy_budget={busy_budget}"
        settings = {"driver": driver, "forward_mode": "rxonly", "busy_budget": busy_budget}
        super().__init__(name or told, settings, beside_stack=driver == AF_PACKET)

    def missing(self) -> str | None:
        """Return what to do if testpmd is missing; None if it is installed."""
        return missing()

    def open(self, wire: Wire) -> Testpmd:
        """Start one; as for `Testpmd`."""
        return Testpmd(
            wire.lab.port,
            worker=wire.worker,
            other=wire.traffic.cpu,
            driver=self._driver,
            busy_budget=self._busy_budget,
        )
