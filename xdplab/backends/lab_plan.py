"""The plan of a lab: its size and its addresses."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

# All labs share one subnet of each family, so that two of them bridged can talk at once.
_IPV4_START, _IPV4_PREFIX = IPv4Address("198.18.0.0"), 15
_IPV6_START, _IPV6_PREFIX = IPv6Address("2001:db8::"), 32

NETWORKS = (
    IPv4Network((_IPV4_START, _IPV4_PREFIX)),
    IPv6Network((_IPV6_START, _IPV6_PREFIX)),
)
"""The subnet of all labs' hosts."""

PORT_SIDE, PEER_SIDE = 1, 2
NAMES = {PORT_SIDE: "port0", PEER_SIDE: "peer0"}

MOST_WIRES = 512
"""Numbers of wires, each with addresses of its own."""


@dataclass(frozen=True)
class WireEnd:
    """An end of a wire: an interface to be made, with its addresses."""

    name: str
    mac: str
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    queues: int
    mtu: int


def ipv4_of(number: int, side: int) -> IPv4Address:
    """Return the IPv4 address of a side of a wire."""
    return _IPV4_START + (number << 8) + side


def ipv6_of(number: int, side: int) -> IPv6Address:
    """Return the IPv6 address of a side of a wire."""
    return _IPV6_START + (number << 16) + side


def mac_of(number: int, side: int) -> str:
    """Return a side's hardware address: locally administered, and readable in a hex dump."""
    return ":".join(f"{byte:02x}" for byte in b"\x02\x00" + ipv4_of(number, side).packed)


@dataclass(frozen=True)
class LabPlan:
    """The checked arguments of `Lab`, which documents them."""

    queues: int
    mtu: int
    number: int

    def ipv4(self, side: int) -> IPv4Address:
        """Return a side's IPv4 address."""
        return ipv4_of(self.number, side)

    def ipv6(self, side: int) -> IPv6Address:
        """Return a side's IPv6 address."""
        return ipv6_of(self.number, side)

    def mac(self, side: int) -> str:
        """Return a side's hardware address."""
        return mac_of(self.number, side)

    def end(self, side: int) -> WireEnd:
        """Return a side's end of the wire."""
        return WireEnd(
            name=NAMES[side],
            mac=self.mac(side),
            addresses=(
                IPv4Interface((self.ipv4(side), _IPV4_PREFIX)),
                IPv6Interface((self.ipv6(side), _IPV6_PREFIX)),
            ),
            queues=self.queues,
            mtu=self.mtu,
        )
