"""Why the kernel drops packets: its own reasons, by interface."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from support.capabilities import without
from support.frames import raw_socket
from support.objects import HEAD, compiled
from support.waiting import eventually

from xdplab import (
    ClosedError,
    ConfigurationError,
    DropReasons,
    Engine,
    Lab,
    Program,
    Traffic,
)

# It reads the kernel's memory, for which no backend stands in.
pytestmark = [pytest.mark.kernel, pytest.mark.privilege]

COUNT = 20


def send(lab: Lab, packet: Packet) -> None:
    """Send a frame some times, slowly enough for each to arrive."""
    with raw_socket(lab.peer) as raw:
        for _ in range(COUNT):
            raw.send(bytes(packet))


def to_port(lab: Lab, **udp: int) -> Packet:
    ethernet = Ether(src=lab.peer.interface.mac, dst=lab.port.interface.mac)
    return ethernet / IP(src=lab.peer.ipv4, dst=lab.port.ipv4) / UDP(sport=7, dport=77, **udp)


def counted(drops: DropReasons, lab: Lab, where: str, reason: str) -> int:
    return sum(
        drop.packets
        for drop in drops.read()
        if (drop.interface, drop.where, drop.reason) == (lab.port.interface.name, where, reason)
    )


def test_each_drop_of_the_stack_has_the_kernels_reason(lab: Lab, other: Lab) -> None:
    stranger = to_port(lab)
    stranger.dst = "02:00:00:00:ff:ff"
    cases = {
        "NO_SOCKET": to_port(lab),
        "UDP_CSUM": to_port(lab, chksum=1),
        "OTHERHOST": stranger,
    }
    with lab.port.socket() as listening:
        # A checksum is looked at where a program would get the datagram.
        listening.bind((lab.port.ipv4, 77))
        with DropReasons(lab.port) as drops:
            send(lab, cases["UDP_CSUM"])
            listening.settimeout(0.1)
            with pytest.raises(TimeoutError):
                listening.recv(100)
            assert eventually(lambda: counted(drops, lab, "stack", "UDP_CSUM") == COUNT)
    with DropReasons(lab.port) as drops:
        for reason in ("NO_SOCKET", "OTHERHOST"):
            send(lab, cases[reason])
            assert eventually(lambda: counted(drops, lab, "stack", reason) == COUNT), reason  # noqa: B023
        send(other, to_port(other))
        shown = str(drops)
        assert "no program listens on their port" in shown
        assert "OTHERHOST" in shown
        # Another lab's interfaces have the same indices, and are not watched.
        assert counted(drops, lab, "stack", "NO_SOCKET") == COUNT


@pytest.mark.parametrize(
    ("body", "where", "reason"),
    [
        ("return XDP_ABORTED;", "XDP", "ABORTED"),
        ("return 77;", "XDP", "77"),
        ("return bpf_redirect(99999, 0);", "redirect", "EINVAL"),
    ],
)
def test_a_drop_of_xdp_has_the_verdict_or_the_error(
    lab: Lab, body: str, where: str, reason: str
) -> None:
    source = f'{HEAD}\nSEC("xdp") int drops(struct xdp_md *context) {{ (void)context; {body} }}'
    with Program(compiled(source), lab.port) as program, DropReasons(lab.port) as drops:
        program.attach()
        send(lab, to_port(lab))
        assert eventually(lambda: counted(drops, lab, where, reason) == COUNT)
        (drop,) = [each for each in drops.read() if each.where == where]
        assert f"{COUNT} packets dropped on {lab.port.interface.name}" in drop.words()


def test_a_ledger_tells_what_the_kernel_dropped_and_why(lab: Lab) -> None:
    with (
        Engine(lab.port, match="udp port 9", ring_size=4096) as engine,
        Traffic(lab.peer, lab.port, rate=1000, count=COUNT) as traffic,
    ):
        ledger = engine.ledger(traffic, drop_reasons=True)
        assert traffic.wait(60)
        with lab.peer.socket() as sender:
            for _ in range(COUNT):
                sender.sendto(b"", (lab.port.ipv4, 77))
        words = f"{COUNT} packets dropped by the stack of {lab.port.interface.name}, NO_SOCKET: no"
        assert eventually(lambda: words in ledger.settle().explain())
        assert "dropped by the stack" not in engine.ledger(traffic).settle().explain()


def test_what_can_not_be_watched_is_refused(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match=r"interfaces=\[\] must be 1 to 64"):
        DropReasons([])
    with (
        Lab(backend="soft") as soft,
        pytest.raises(ConfigurationError, match="is simulated, and the kernel never sees"),
    ):
        DropReasons(soft.port)
    drops = DropReasons(lab.port)
    drops.close()
    assert drops.closed
    assert "closed" in str(drops)
    with pytest.raises(ClosedError, match="were closed: DropReasons"):
        drops.read()


def test_without_the_privilege_it_is_refused_in_words(privileged: None) -> None:
    text = "from xdplab import DropReasons; DropReasons('lo')"
    done = subprocess.run(
        [*without("all"), sys.executable, "-c", text], capture_output=True, text=True, check=False
    )
    assert "PermissionRefusedError" in done.stderr
    assert "CAP_PERFMON" in done.stderr


def test_a_socket_that_is_full_is_told(lab: Lab) -> None:
    with lab.port.socket() as receiver, lab.peer.socket() as sender:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the kernel's least
        receiver.bind((lab.port.ipv4, 77))
        with DropReasons(lab.port) as drops:

            def is_full() -> bool:
                sender.sendto(bytes(1000), (lab.port.ipv4, 77))
                return counted(drops, lab, "stack", "SOCKET_RCVBUFF") > 0

            assert eventually(is_full)
