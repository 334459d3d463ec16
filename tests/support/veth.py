"""A veth pair on a host, v0 and p0, of four queues, and what ip-link(8) does to it."""

from __future__ import annotations

import socket

from pyroute2 import IPRoute

from support.waiting import eventually
from xdplab import Interface
from xdplab.net.host import Host
from xdplab.net.namespace import Namespace

_FOUR_QUEUES = "numtxqueues 4 numrxqueues 4"


def ip(host: Host, *commands: str) -> None:
    """Run ip(8) commands in the host's namespace."""
    for command in commands:
        host.command(["ip", *command.split()]).check_returncode()


def make_pair(host: Host) -> Interface:
    """Make the pair, up, with one queue in use; return v0."""
    ip(
        host,
        f"link add v0 {_FOUR_QUEUES} type veth peer name p0 {_FOUR_QUEUES}",
        "link set p0 up",
    )
    queues(host, 1)
    ip(host, "link set v0 up")
    return Interface.find("v0", host.interface.namespace)


def queues(host: Host, count: int) -> None:
    """Set how many queues of the pair are in use."""
    for name in ("v0", "p0"):
        host.command(["ethtool", "-L", name, "rx", str(count), "tx", str(count)])


def _send(name: str, count: int) -> None:
    # Until the kernel has noticed a link that came up, frames go nowhere.
    with IPRoute() as route:
        assert eventually(lambda: route.get_links(ifname=name)[0].get("operstate") == "UP")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((name, 0))
        for _ in range(count):
            raw.send(b"\xff" * 6 + b"\2\0\0\0\0\2" + b"\x08\x00" + bytes(50))


def send(host: Host, count: int = 10, name: str = "p0") -> None:
    """Send frames out of an interface of the host."""
    host.run(_send, name, count)


def _move(name: str, to: Namespace) -> None:
    with IPRoute() as route:
        (index,) = route.link_lookup(ifname=name)
        route.link("set", index=index, net_ns_fd=to.fd)


def move(name: str, host: Host, to: Host) -> None:
    """Move an interface of the host to another namespace."""
    host.run(_move, name, to.interface.namespace)
