"""The plan of a network: its hosts, its wires, their addresses and routes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from xdplab.backends.lab_plan import WireEnd, ipv4_of, ipv6_of, mac_of

_IPV4_PREFIX, _IPV6_PREFIX = 24, 112  # a subnet a wire
_LINK_LOCAL = 0xFE80 << 112
_LINK_LOCAL_PREFIX = 64


@dataclass(frozen=True)
class Route:
    """A route of a host to a wire that it is not at."""

    network: str
    gateway: IPv4Address | IPv6Address
    interface: str
    """The name of the interface that the gateway is reached through."""


@dataclass(frozen=True)
class NetworkPlan:
    """The checked arguments of `Network`, which documents them."""

    wires: tuple[tuple[str, str], ...]
    queues: int
    mtu: int

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """Names of the hosts, in the order in which the wires name them."""
        return tuple(dict.fromkeys(name for wire in self.wires for name in wire))

    def neighbours(self, host: str) -> dict[str, tuple[int, int]]:
        """Return who is at the other end of a host's wires: number of the wire, and the side."""
        found = {}
        for number, ends in enumerate(self.wires):
            for side, name in enumerate(ends):
                if name == host:
                    found[ends[1 - side]] = number, 1 - side
        return found

    def end(self, number: int, side: int) -> WireEnd:
        """Return an end of a wire, by 0 or 1."""
        address = side + 1
        here, there = self.wires[number][:: 1 - 2 * side]
        ipv4, ipv6 = ipv4_of(number, address), ipv6_of(number, address)
        addresses: list[IPv4Interface | IPv6Interface] = [
            IPv4Interface((ipv4, _IPV4_PREFIX)),
            IPv6Interface((ipv6, _IPV6_PREFIX)),
        ]
        if self.forwards(here):
            # The kernel solicits a neighbour for a packet of another host from no other address.
            # The number's end is that of the address above: so is the multicast group.
            local = _LINK_LOCAL | int(ipv6) & 0xFFFFFFFF
            addresses.append(IPv6Interface((local, _LINK_LOCAL_PREFIX)))
        return WireEnd(
            name=f"to-{there}",
            mac=mac_of(number, address),
            addresses=tuple(addresses),
            queues=self.queues,
            mtu=self.mtu,
        )

    def forwards(self, host: str) -> bool:
        """Tell whether a host has several wires."""
        return len(self.neighbours(host)) > 1

    def first_steps(self, host: str) -> dict[str, str]:
        """Return the neighbour that leads to each host that can be reached, the nearest first."""
        steps = {name: name for name in self.neighbours(host)}
        for reached in (waiting := list(steps)):
            for name in self.neighbours(reached):
                if name != host and name not in steps:
                    steps[name] = steps[reached]
                    waiting.append(name)
        return steps

    def routes(self, host: str) -> list[Route]:
        """Return a host's routes to the wires of all others: by its neighbour on a shortest way."""
        neighbours, steps = self.neighbours(host), self.first_steps(host)
        nearest = list(steps)
        found = []
        for number, ends in enumerate(self.wires):
            if host in ends:
                continue
            wire, side = neighbours[steps[min(ends, key=nearest.index)]]
            interface = self.end(wire, 1 - side).name
            through = self.end(wire, side).addresses
            for address, gateway in zip(self.end(number, 0).addresses[:2], through, strict=False):
                found.append(Route(str(address.network), gateway.ip, interface))
        return found
