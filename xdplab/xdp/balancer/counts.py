"""What a balancer counted, by service and server, at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdplab.core.calls import public_as
from xdplab.core.table import Row, Table, Tabled
from xdplab.core.text import percent

_HEADINGS = ("service", "server", "weight", "connections", "packets", "bytes", "share of packets")
_BAR = 20  # characters


@public_as(made="Balancer.counts()")
@dataclass(frozen=True)
class ServerCounts:
    """What went to a server since it was added.

    Attributes
    ----------
    address, weight
        The server.
    connections
        Connections that were opened: TCP by their SYN, UDP by the first datagram that was seen.
    packets, bytes
        IP packets of clients, without what they were wrapped in.
    """

    address: str
    weight: float
    connections: int
    packets: int
    bytes: int


@public_as(made="Balancer.counts()")
@dataclass(frozen=True)
class ServiceCounts:
    """What became of a service's packets since it was added.

    Attributes
    ----------
    name
        Protocol, address and port, such as ``tcp 198.18.100.1:80``.
    servers
        What went to each of its present servers.
    opened
        First packets of connections. They go where the Maglev table says.
    continued
        Packets of connections that the connection table has. They go where it says.
    unknown
        Packets of connections that it does not have, such as those of a server that was removed.
        They go where the Maglev table says.
    errors
        ICMP errors on a connection, which went to its server.
    too_long
        Dropped: wrapped, they would be longer than the MTU.
    unserved
        Dropped: the service had no server.
    bytes
        Of all packets that went to servers.
    """

    name: str
    servers: tuple[ServerCounts, ...]
    opened: int
    continued: int
    unknown: int
    errors: int
    too_long: int
    unserved: int
    bytes: int

    @property
    def packets(self) -> int:
        """Packets that went to servers."""
        return self.opened + self.continued + self.unknown + self.errors

    @property
    def dropped(self) -> int:
        """Packets that were dropped."""
        return self.too_long + self.unserved


@public_as(made="Balancer.counts()")
@dataclass(frozen=True, repr=False)
class BalancerCounts(Tabled):
    """What a balancer counted until one moment. It prints as a table.

    Attributes
    ----------
    services
        What became of the packets of each service.
    fragments
        Dropped: fragments to the address of a service.
    passed
        Passed to the stack: packets to no service, and damaged ones.
    """

    services: tuple[ServiceCounts, ...]
    fragments: int
    passed: int

    def _table(self) -> Table:
        rows = [row for service in self.services for row in _rows(service)]
        lines = [line for service in self.services for line in _lines(service)]
        dropped = f"; dropped: {self.fragments:,} fragments" if self.fragments else ""
        lines.append(f"passed to the stack: {self.passed:,}{dropped}")
        return Table("Balancer", rows, _HEADINGS if rows else (), lines)

    def _brief(self) -> str:
        packets = sum(service.packets for service in self.services)
        return f"<Counts of a balancer: {packets:,} packets to servers, {self.passed:,} passed>"


def _rows(service: ServiceCounts) -> Iterator[Row]:
    total = sum(server.packets for server in service.servers)
    name = service.name
    for server in service.servers:
        share = server.packets / total if total else 0
        bar = "█" * round(_BAR * share)
        counts = (f"{count:,}" for count in (server.connections, server.packets, server.bytes))
        shown = f"{percent(share) if share else '-'} {bar}".rstrip()
        yield name, server.address, f"{server.weight:g}", *counts, shown
        name = ""
    if not service.servers:
        yield name, "none"


def _lines(service: ServiceCounts) -> Iterator[str]:
    counts = {
        "opened": service.opened,
        "continued": service.continued,
        "not known": service.unknown,
        "ICMP errors": service.errors,
        "dropped, too long": service.too_long,
        "dropped, no server": service.unserved,
    }
    shown = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
    if shown:
        yield f"{service.name}: {shown}"
