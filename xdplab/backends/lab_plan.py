"""The plan of a lab: its size and its addresses."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

# All labs share one subnet of each family, so that two of them bridged can talk at once.
_IPV4_START, IPV4_PREFIX = IPv4Address("198.18.0.0"), 15
_IPV6_START, IPV6_PREFIX = IPv6Address("2001:db8::"), 32

NETWORKS = (
    IPv4Network((_IPV4_START, IPV4_PREFIX)),
    IPv6Network((_IPV6_START, IPV6_PREFIX)),
)
"""The subnet of all labs' hosts."""

PORT_SIDE, PEER_SIDE = 1, 2
NAMES = {PORT_SIDE: "port0", PEER_SIDE: "peer0"}


@dataclass(frozen=True)
class LabPlan:
    """The checked arguments of `Lab`, which documents them."""

    queues: int
    mtu: int
    number: int

    def ipv4(self, side: int) -> IPv4Address:
        """Return a side's IPv4 address."""
        return _IPV4_START + (self.number << 8) + side

    def ipv6(self, side: int) -> IPv6Address:
        """Return a side's IPv6 address."""
        return _IPV6_START + (self.number << 16) + side

    def mac(self, side: int) -> str:
        """Return a side's hardware address: locally administered, and readable in a hex dump."""
        return ":".join(f"{byte:02x}" for byte in b"\x02\x00" + self.ipv4(side).packed)
