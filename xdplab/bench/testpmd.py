"""The peer `dpdk-testpmd`: DPDK's own test program, here dropping packets on its AF_XDP driver.

It is driven by its command line and by the commands that one would type at its prompt, and its own
counters are read. See https://doc.dpdk.org/guides/testpmd_app_ug/ and /guides/nics/af_xdp.html.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import ExitStack, suppress
from tempfile import TemporaryDirectory
from typing import Any

from xdplab.bench.peer import Peer, PeerError
from xdplab.bench.receiver import Run
from xdplab.bench.wire import Wire
from xdplab.closing import Closing
from xdplab.errors import XdplabError
from xdplab.host import Host
from xdplab.interface import Interface
from xdplab.netlink import netlink

PROGRAM = "dpdk-testpmd"

ANSWER_SECONDS = 20.0
"""How long to wait for each of its answers: far more than it takes, even on a busy machine."""

_SETTLE_SECONDS = 0.05
_PROMPT = "testpmd> "
_PROMISCUOUS = 0x100  # IFF_PROMISC
_NO_PROGRAM = -1  # of IFLA_XDP_FD


class Testpmd(Closing):
    """A `dpdk-testpmd` that receives and drops what arrives on queue 0 of a host's interface.

    Parameters
    ----------
    host
        Whose interface it takes.
    worker, other
        Cores of its receiving thread, and of its main thread, which sleeps at its prompt.
    busy_budget
        Packets of a busy poll (``SO_BUSY_POLL_BUDGET``), 0 for none; its driver's own default
        where this is None.

    Raises
    ------
    PeerError
        When it does not come up. Nothing of it is left.
    """

    def __init__(
        self, host: Host, *, worker: int, other: int, busy_budget: int | None = None
    ) -> None:
        self._interface = host.interface
        # Even without shared files it makes itself a directory, and leaves it behind.
        with ExitStack() as undo, TemporaryDirectory(prefix="xdplab-testpmd-") as directory:
            undo.callback(self._restore)
            environment = {
                "RUNTIME_DIRECTORY": directory,
                # Not a bpffs: libxdp can't pin its dispatcher, which would stay after a kill, and
                # attaches its program without one.
                "LIBXDP_BPFFS": directory,
            }
            arguments = _arguments(self._interface, worker, other, busy_budget)
            self._peer = undo.enter_context(Peer(host, arguments, environment))
            self.version = self._peer.expect(r"RTE Version: '([^'\n]+)'", ANSWER_SECONDS)[1]
            self._peer.expect(_PROMPT, ANSWER_SECONDS)
            self._peer.tell("start")
            self._peer.expect(r"packets/burst=\d+", ANSWER_SECONDS)
            self._undo = undo.pop_all()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._peer.pid

    def received(self) -> int:
        """Read how many packets it counted, once no more arrive.

        Raises
        ------
        PeerError
            When it has ended, does not answer, answers with something else, or counts on.
        """
        deadline = time.monotonic() + ANSWER_SECONDS
        before, now = -1, self._received()
        while now != before:
            if time.monotonic() > deadline:
                raise PeerError(
                    f"{PROGRAM} still counts after {ANSWER_SECONDS:g} s without traffic."
                )
            time.sleep(_SETTLE_SECONDS)
            before, now = now, self._received()
        return now

    def _received(self) -> int:
        self._peer.tell("show port stats all")
        return int(self._peer.expect(r"RX-packets:\s*(\d+)\s.*?Throughput", ANSWER_SECONDS)[1])

    def quit(self) -> None:
        """Let it end in its own way.

        Raises
        ------
        PeerError
            When it does not.
        """
        self._peer.tell("stop")
        self._peer.tell("quit")
        self._peer.expect(r"Bye\.\.\.", ANSWER_SECONDS)
        self._peer.wait(ANSWER_SECONDS)

    def close(self) -> None:
        """Kill it if it is still there, and clean up what it left."""
        self._undo.close()

    def _restore(self) -> None:
        """Make the interface what it was, as far as that still exists."""
        with suppress(XdplabError):
            self._interface.namespace.run(_restore, self._interface.index)


def _arguments(interface: Interface, worker: int, other: int, busy_budget: int | None) -> list[str]:
    device = f"net_af_xdp0,iface={interface.name},start_queue=0,queue_count=1"
    if busy_budget is not None:
        device += f",busy_budget={busy_budget}"
    return [
        PROGRAM,
        "-v",  # print the version
        *("--lcores", f"0@{other},1@{worker}", "--main-lcore", "0"),
        *("--no-huge", "-m", "512", "--no-shconf", "--no-telemetry", "--no-pci"),
        *("--file-prefix", f"xdplab-{os.getpid()}"),
        *("--vdev", device),
        "--",
        *("-i", "--forward-mode=rxonly", "--no-mlockall", "--total-num-mbufs=16384"),
    ]


def _restore(index: int) -> None:
    with netlink("restore an interface after dpdk-testpmd") as route:
        route.link("set", index=index, flags=0, change=_PROMISCUOUS)  # left even in good order
        route.link("set", index=index, xdp_fd=_NO_PROGRAM)  # left after a kill


class TestpmdReceiver:
    """Receives a run's traffic with a `dpdk-testpmd` of its own.

    Parameters
    ----------
    busy_budget
        As for `Testpmd`.
    """

    program = PROGRAM

    def __init__(self, busy_budget: int | None = None) -> None:
        self.name = PROGRAM if busy_budget is None else f"{PROGRAM} busy_budget={busy_budget}"
        self.settings: dict[str, Any] = {
            "driver": "net_af_xdp",
            "forward_mode": "rxonly",
            "busy_budget": busy_budget,
        }
        self.version: str | None = None
        self._busy_budget = busy_budget

    def missing(self) -> str | None:
        """Say what to do where there is none; None where there is one."""
        return None if shutil.which(PROGRAM) else "not installed: apt install dpdk-dev"

    def run(self, wire: Wire, seconds: float) -> Run:
        """Measure once.

        Raises
        ------
        PeerError
            When it does not come up, does not answer, or does not end.
        KernelError
            When the generator ended by itself.
        """
        with Testpmd(
            wire.lab.port,
            worker=wire.worker,
            other=wire.traffic.cpu,
            busy_budget=self._busy_budget,
        ) as testpmd:
            self.version = testpmd.version
            wire.warm_up()
            before = testpmd.received()
            sent, elapsed = wire.send(seconds)
            packets = testpmd.received() - before
            testpmd.quit()
        return Run(seconds=elapsed, sent=sent, rx_packets=packets)
