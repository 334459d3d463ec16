"""A lab's two hosts, of real namespaces and a veth pair."""

from __future__ import annotations

import dataclasses
import errno
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdplab.backends.lab_plan import IPV4_PREFIX, IPV6_PREFIX, NAMES, PEER_SIDE, PORT_SIDE, LabPlan
from xdplab.core.errors import KernelError
from xdplab.net.host import Host
from xdplab.net.interface import Interface
from xdplab.net.namespace import Namespace
from xdplab.net.netlink import ethtool, netlink

if TYPE_CHECKING:
    from pyroute2.ethtool.ioctl import EthtoolFeaturesList

# The port's index differs from the peer's. Where both are the same, the kernel mistakes a veth
# for an unstacked device and reports its link up to a second late (linkwatch_urgent_event).
_LOOPBACK_INDEX, _PEER_INDEX, _PORT_INDEX = 1, 2, 3

_NO_DUPLICATE_DETECTION = 0x02  # IFA_F_NODAD
_NO_LINK_LOCAL_ADDRESS = 1  # IN6_ADDR_GEN_MODE_NONE; without it nothing solicits routers either
_LISTENER_REPORTS = 2  # how often the kernel reports a multicast group that it joined
_SETTLE_SECONDS = 3.0  # reports are sent within 2 s, even where they can't be hurried

_REMEDIES = {
    errno.EOPNOTSUPP: "The kernel needs veth and IPv6: try `modprobe veth`.",
    errno.ENOMEM: "There is too little memory: ask for fewer queues.",
    errno.ENOBUFS: "There is too little memory: ask for fewer queues.",
}


def make_lab(plan: LabPlan, create_namespace: Callable[[], Namespace]) -> tuple[Host, Host]:
    """Make two hosts, port and peer; the wire between them is up and quiet on return.

    Parameters
    ----------
    plan
        Size and addresses of the lab.
    create_namespace
        Makes a network namespace in which `run` has privilege.

    Raises
    ------
    KernelError
        When the kernel refuses. Nothing half-made is left.
    """
    with ExitStack() as undo:
        port = undo.enter_context(create_namespace())
        peer = undo.enter_context(create_namespace())
        port.run(_make_wire, plan, peer)
        port.run(_set_up, plan, PORT_SIDE, _PORT_INDEX)
        peer.run(_set_up, plan, PEER_SIDE, _PEER_INDEX)
        hosts = Host(_find(PORT_SIDE, port, peer)), Host(_find(PEER_SIDE, peer, port))
        for host in hosts:
            host.run(_wait_until_quiet, host.interface.name)
        undo.pop_all()
    return hosts


def remove_lab(port: Host, peer: Host) -> None:
    """Remove the wire, and close both namespaces."""
    # A socket that is still open keeps its namespace, but must not keep the wire. Where this
    # fails (the wire is gone, the privilege dropped), the kernel does it with the namespaces.
    with suppress(KernelError):
        port.run(_remove_wire)
    for host in (port, peer):
        host.interface.namespace.close()


def _make_wire(plan: LabPlan, peer: Namespace) -> None:
    port0, peer0 = (
        {
            "ifname": NAMES[side],
            "address": plan.mac(side),
            "mtu": plan.mtu,
            "num_tx_queues": plan.queues,
            "num_rx_queues": plan.queues,
        }
        for side in (PORT_SIDE, PEER_SIDE)
    )
    with netlink("make a veth pair", _REMEDIES) as route:
        peer0["net_ns_fd"] = peer.fd
        route.link("add", kind="veth", index=_PORT_INDEX, **port0, peer=peer0)


def _set_up(plan: LabPlan, side: int, index: int) -> None:
    name = NAMES[side]
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
        # ms; hurries what `_wait_until_quiet` waits for
        (f"{interface}/mldv1_unsolicited_report_interval", "1"),
        (f"{interface}/mldv2_unsolicited_report_interval", "1"),
        # Our streams go to port 9, which a user who is not root may not take otherwise.
        ("ipv4/ip_unprivileged_port_start", "0"),
    ):
        # Read-only in some containers: then the defaults must do, and it only takes longer.
        with suppress(OSError):
            (settings / setting).write_text(value)
    with netlink(f"set up {name}", _REMEDIES) as route:
        mode = [("IFLA_INET6_ADDR_GEN_MODE", _NO_LINK_LOCAL_ADDRESS)]
        families = {"attrs": [("AF_INET6", {"attrs": mode})]}
        route.link("set", index=index, IFLA_AF_SPEC=families)
        route.addr("add", index=index, address=str(plan.ipv4(side)), prefixlen=IPV4_PREFIX)
        route.addr(
            "add",
            index=index,
            address=str(plan.ipv6(side)),
            prefixlen=IPV6_PREFIX,
            flags=_NO_DUPLICATE_DETECTION,
        )
        route.link("set", index=_LOOPBACK_INDEX, state="up")
        route.link("set", index=index, state="up")


def _find(side: int, namespace: Namespace, other: Namespace) -> Interface:
    return dataclasses.replace(Interface.find(NAMES[side], namespace), _peer_namespace=other)


def _unlike_a_wire(features: EthtoolFeaturesList) -> Iterator[str]:
    """Name the offloads that let frames leave unfinished: checksums, super-packets, VLAN tags."""
    for name in features.keys():  # noqa: SIM118 - iterating it gives tuples
        wanted = name.startswith("tx-checksum-") or name.endswith(("-segmentation", "-hw-insert"))
        if wanted and features.is_available(name):
            yield name


def _wait_until_quiet(name: str) -> None:
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


def _remove_wire() -> None:
    with netlink("remove a veth pair") as route:
        route.link("del", index=_PORT_INDEX)
