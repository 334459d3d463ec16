"""A lab: two hosts joined by a wire, in network namespaces of their own.

```
  host's namespace         a namespace             another namespace
  ┌──────────────┐        ┌──────────────┐  veth  ┌──────────────┐
  │ eth0, ...    │        │ port0   .1   ├────────┤ peer0   .2   │
  │ (untouched)  │        │ lab.port     │        │ lab.peer     │
  └──────────────┘        └──────────────┘        └──────────────┘
                            an engine captures      traffic comes from here
```

Nothing ever exists in the host's namespace, not even for a moment, and both namespaces are held by
descriptors alone: however the process ends, the kernel takes everything down.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdplab.checks import whole
from xdplab.closing import Closing
from xdplab.errors import KernelError
from xdplab.host import Host, PingResult
from xdplab.interface import Interface
from xdplab.namespace import Namespace
from xdplab.netlink import ethtool, netlink

if TYPE_CHECKING:
    from pyroute2.ethtool.ioctl import EthtoolFeaturesList

__all__ = ["Host", "Interface", "Lab", "PingResult"]

# All labs share one subnet of each family, so that two of them bridged can talk at once.
_IPV4_START, _IPV4_PREFIX = IPv4Address("198.18.0.0"), 15
_IPV6_START, _IPV6_PREFIX = IPv6Address("2001:db8::"), 32
_MOST_LABS = 512
MOST_QUEUES = 4096  # the kernel's own limit
_SMALLEST_MTU, _LARGEST_MTU = 1280, 65535  # what IPv6 needs, what veth takes

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


class Lab(Closing):
    """Two hosts joined by a veth pair, isolated from the host's network and from other labs.

    `port` is the side on which an engine captures, `peer` the other end of the wire, from which
    traffic comes. The link is up and quiet when the constructor returns: with nobody sending, no
    frame arrives by itself.

    A context manager; `close`, the end of the process, and dropping the last reference to the lab
    and its hosts all take everything down.

    Parameters
    ----------
    queues
        Receive and transmit queues of each interface, 1 to 4096.
    mtu
        The largest packet, in bytes, 1280 to 65535. Above about 3,500 a program needs several
        buffers a packet.
    number
        0 to 511. Lab N has the addresses 198.18.N.1 and .2, 2001:db8::N:1 and :2. Labs may have
        the same number, unless something joins them.

    Raises
    ------
    ConfigurationError
        For values out of range; nothing was touched.
    PermissionRefusedError
        Without CAP_SYS_ADMIN and CAP_NET_ADMIN.
    KernelError
        When the kernel refuses for another reason. Nothing half-made is left.
    """

    simulated = False

    def __init__(self, queues: int = 1, mtu: int = 1500, number: int = 0) -> None:
        self.queues = whole("queues", queues, 1, MOST_QUEUES)
        self.mtu = whole("mtu", mtu, _SMALLEST_MTU, _LARGEST_MTU)
        self._owner = os.getpid()
        self.number = whole("number", number, 0, _MOST_LABS - 1)
        with ExitStack() as undo:
            port = undo.enter_context(Namespace.create())
            peer = undo.enter_context(Namespace.create())
            port.run(self._make_wire, peer)
            port.run(self._set_up, "port0", _PORT_INDEX, 1)
            peer.run(self._set_up, "peer0", _PEER_INDEX, 2)
            self.port = Host(_interface("port0", port, peer))
            self.peer = Host(_interface("peer0", peer, port))
            for host in (self.port, self.peer):
                host.run(_wait_until_quiet, host.interface.name)
            undo.pop_all()

    def _make_wire(self, peer: Namespace) -> None:
        port0, peer0 = (
            {
                "ifname": name,
                "address": _mac(self._ipv4(side)),
                "mtu": self.mtu,
                "num_tx_queues": self.queues,
                "num_rx_queues": self.queues,
            }
            for name, side in (("port0", 1), ("peer0", 2))
        )
        with netlink("make a veth pair", _REMEDIES) as route:
            peer0["net_ns_fd"] = peer.fd
            route.link("add", kind="veth", index=_PORT_INDEX, **port0, peer=peer0)

    def _set_up(self, name: str, index: int, side: int) -> None:
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
            route.addr("add", index=index, address=str(self._ipv4(side)), prefixlen=_IPV4_PREFIX)
            route.addr(
                "add",
                index=index,
                address=str(self._ipv6(side)),
                prefixlen=_IPV6_PREFIX,
                flags=_NO_DUPLICATE_DETECTION,
            )
            route.link("set", index=_LOOPBACK_INDEX, state="up")
            route.link("set", index=index, state="up")

    def _ipv4(self, side: int) -> IPv4Address:
        return _IPV4_START + (self.number << 8) + side

    def _ipv6(self, side: int) -> IPv6Address:
        return _IPV6_START + (self.number << 16) + side

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self.port.interface.namespace.closed

    def close(self) -> None:
        """Take the wire down, and let go of both namespaces. A second call does nothing."""
        # A forked child holds copies of the descriptors, but the lab is not its to take down.
        if self.closed or os.getpid() != self._owner:
            return
        # A socket that is still open keeps its namespace, but must not keep the wire. Where this
        # fails (the wire is gone, the privilege dropped), the kernel does it with the namespaces.
        with suppress(KernelError):
            self.port.run(_remove_wire)
        for host in (self.port, self.peer):
            host.interface.namespace.close()

    def __repr__(self) -> str:
        if self.closed:
            return "<Lab closed>"
        queues = "1 queue" if self.queues == 1 else f"{self.queues} queues"
        ends = " <-> ".join(f"{h.interface.name} {h.ipv4} {h.ipv6}" for h in (self.port, self.peer))
        return f"<Lab {ends}, {queues}, mtu {self.mtu}>"


def _interface(name: str, namespace: Namespace, other: Namespace) -> Interface:
    return dataclasses.replace(Interface.find(name, namespace), _peer_namespace=other)


def _mac(address: IPv4Address) -> str:
    """Derive a locally administered hardware address, so that a hex dump can be read."""
    return ":".join(f"{byte:02x}" for byte in b"\x02\x00" + address.packed)


def _unlike_a_wire(features: EthtoolFeaturesList) -> Iterator[str]:
    """Name what lets frames leave unfinished: checksums, super-packets, VLAN tags beside."""
    for name in features.keys():  # noqa: SIM118 - iterating it gives tuples
        wanted = name.startswith("tx-checksum-") or name.endswith(("-segmentation", "-hw-insert"))
        if wanted and features.is_available(name):
            yield name


def _wait_until_quiet(name: str) -> None:
    """Wait for the last frames that the kernel sends by itself.

    Of what a new IPv6 interface says, duplicate address detection and router solicitation are
    off. The multicast listener reports for its address can't be switched off, so they are hurried
    and waited for. What remains comes only after traffic: neighbour discovery and ARP, and a few
    seconds later the kernel's checks that those neighbours are still there.
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
