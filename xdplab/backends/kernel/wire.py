"""Wires between real namespaces: veth pairs, whose ends have addresses and are quiet."""

from __future__ import annotations

import dataclasses
import errno
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdplab.backends.lab_plan import WireEnd
from xdplab.core.errors import KernelError
from xdplab.net.host import Host
from xdplab.net.interface import Interface
from xdplab.net.namespace import Namespace
from xdplab.net.netlink import ethtool, netlink

if TYPE_CHECKING:
    from pyroute2.ethtool.ioctl import EthtoolFeaturesList

_LOOPBACK_INDEX = 1
_NO_DUPLICATE_DETECTION = 0x02  # IFA_F_NODAD
_NO_LINK_LOCAL_ADDRESS = 1  # IN6_ADDR_GEN_MODE_NONE; without it nothing solicits routers either
_LISTENER_REPORTS = 2  # how often the kernel reports a multicast group that it joined
_SETTLE_SECONDS = 3.0  # reports are sent within 2 s, even where they can't be hurried

_REMEDIES = {
    errno.EOPNOTSUPP: "The kernel needs veth and IPv6: try `modprobe veth`.",
    errno.ENOMEM: "There is too little memory: ask for fewer queues.",
    errno.ENOBUFS: "There is too little memory: ask for fewer queues.",
}


def make_wire(
    ends: tuple[WireEnd, WireEnd], namespaces: tuple[Namespace, Namespace], index: int
) -> tuple[Host, Host]:
    """Join two namespaces by a wire that is up, and soon quiet.

    Parameters
    ----------
    ends
        The interfaces to make.
    namespaces
        Where `run` has privilege.
    index
        The first end's interface index. It must differ from the other's, which the kernel chooses,
        2 or the next. Where both are the same, the kernel mistakes a veth for an unstacked device
        and reports its link up to a second late (linkwatch_urgent_event).

    Raises
    ------
    KernelError
        When the kernel refuses. A wire half-made ends with its namespaces.
    """
    namespaces[0].run(_make_pair, *ends, namespaces[1], index)
    for end, namespace in zip(ends, namespaces, strict=True):
        namespace.run(_set_up, end)
    # Only now: a veth that is switched on sees whether its peer has GRO, and takes no frames that a
    # program redirects to it where the peer has not (veth_set_xdp_features).
    for end, namespace in zip(ends, namespaces, strict=True):
        namespace.run(_switch_on, end.name)
    hosts = [
        Host(dataclasses.replace(Interface.find(end.name, space), _peer_namespace=other))
        for end, space, other in zip(ends, namespaces, reversed(namespaces), strict=True)
    ]
    return hosts[0], hosts[1]


def wait_until_quiet(name: str) -> None:
    """Wait for the last frames that the kernel sends by itself.

    A new IPv6 interface sends by itself. Duplicate address detection and router solicitation are
    off. Multicast listener reports can't be switched off, so they are hurried and waited for. Other
    frames come only after traffic: neighbour discovery and ARP, and a few seconds later the
    kernel's checks that those neighbours are still there.
    """
    counters = Path(f"/proc/thread-self/net/dev_snmp6/{name}")
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        reports: dict[str, Any] = dict(line.split() for line in counters.read_text().splitlines())
        if int(reports.get("Icmp6OutMLDv2Reports", 0)) >= _LISTENER_REPORTS:
            return
        time.sleep(0.001)


def remove_wires(wires: Sequence[tuple[Host, Host]]) -> None:
    """Remove wires, and close the namespaces at their ends."""
    # A socket that is still open keeps its namespace, but must not keep the wire. Where this
    # fails (the wire is gone, the privilege dropped), the kernel does it with the namespaces.
    for host, _ in wires:
        with suppress(KernelError):
            host.run(_remove_wire, host.interface.index)
    for ends in wires:
        for host in ends:
            host.interface.namespace.close()


def _make_pair(end: WireEnd, other: WireEnd, namespace: Namespace, index: int) -> None:
    here, there = (
        {
            "ifname": each.name,
            "address": each.mac,
            "mtu": each.mtu,
            "num_tx_queues": each.queues,
            "num_rx_queues": each.queues,
        }
        for each in (end, other)
    )
    with netlink("make a veth pair", _REMEDIES) as route:
        there["net_ns_fd"] = namespace.fd
        route.link("add", kind="veth", index=index, **here, peer=there)


def _set_up(end: WireEnd) -> None:
    name = end.name
    with ethtool(name, f"switch off the offloads of {name}") as device:
        features = device.get_features()
        for feature in _unlike_a_wire(features):
            features[feature] = False
        # Without it veth has no NAPI until a native program is attached.
        features["rx-gro"] = True
        device.set_features(features)
    settings = Path("/proc/sys/net")
    interface = f"ipv6/conf/{name}"
    for setting, value in (
        (f"{interface}/disable_ipv6", "0"),  # inherited from hosts that have it off
        # ms; hurries what `wait_until_quiet` waits for
        (f"{interface}/mldv1_unsolicited_report_interval", "1"),
        (f"{interface}/mldv2_unsolicited_report_interval", "1"),
        # Our streams go to port 9, which a user who is not root may not take otherwise.
        ("ipv4/ip_unprivileged_port_start", "0"),
    ):
        # Read-only in some containers: then the defaults must do, and it only takes longer.
        with suppress(OSError):
            (settings / setting).write_text(value)
    index = socket.if_nametoindex(name)
    with netlink(f"set up {name}", _REMEDIES) as route:
        mode = [("IFLA_INET6_ADDR_GEN_MODE", _NO_LINK_LOCAL_ADDRESS)]
        families = {"attrs": [("AF_INET6", {"attrs": mode})]}
        route.link("set", index=index, IFLA_AF_SPEC=families)
        for address in end.addresses:
            route.addr(
                "add",
                index=index,
                address=str(address.ip),
                prefixlen=address.network.prefixlen,
                flags=_NO_DUPLICATE_DETECTION * (address.version == 6),
            )


def _switch_on(name: str) -> None:
    with netlink(f"switch on {name}") as route:
        route.link("set", index=_LOOPBACK_INDEX, state="up")
        route.link("set", index=socket.if_nametoindex(name), state="up")


def _unlike_a_wire(features: EthtoolFeaturesList) -> Iterator[str]:
    """Name the offloads that let frames leave unfinished: checksums, super-packets, VLAN tags."""
    for name in features.keys():  # noqa: SIM118 - iterating it gives tuples
        wanted = name.startswith("tx-checksum-") or name.endswith(("-segmentation", "-hw-insert"))
        if wanted and features.is_available(name):
            yield name


def _remove_wire(index: int) -> None:
    with netlink("remove a veth pair") as route:
        route.link("del", index=index)
