"""A service of a balancer: a virtual address, and the servers that its connections go to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from xdplab.core.calls import public_as
from xdplab.core.checks import mapping, real, shown
from xdplab.core.errors import ClosedError, ConfigurationError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted
from xdplab.xdp.balancer.addresses import IPAddress, ip, key_of
from xdplab.xdp.balancer.entries import Entries, Server
from xdplab.xdp.balancer.maglev import maglev

PROTOCOLS = {"tcp": 6, "udp": 17}
ENCAPSULATIONS = ("ipip", "gue")

_LARGEST_WEIGHT = 100.0
_SMALLEST_WEIGHT = 0.01  # or its share of a table would be no entry


@public_as(made="Balancer.add_service()")
class Service(Tabled, FixedNames):
    """A virtual address with a protocol and a port, and the servers behind it.

    `Balancer.add_service` makes it. Servers can be changed while packets flow. A connection stays
    at its server for as long as the service has that: then it goes where the Maglev table says.

    Attributes
    ----------
    address
        The virtual address.
    port
        The port.
    protocol
        ``"tcp"`` or ``"udp"``.
    encapsulation
        ``"ipip"`` or ``"gue"``.
    """

    def __init__(
        self,
        entries: Entries,
        address: IPAddress,
        port: int,
        protocol: str,
        encapsulation: str,
    ) -> None:
        self.address, self.port = str(address), port
        self.protocol, self.encapsulation = protocol, encapsulation
        self._entries, self._virtual = entries, address
        self._key = key_of(address, port, PROTOCOLS[protocol])
        self._number = entries.free_services[0]
        self._in_use = 2 * self._number  # the number of the table
        self._servers: dict[str, Server] = {}
        self._places = maglev({})
        self._removed = False
        entries.write_table(self._in_use, self._places, [])
        entries.enter_address(address)
        entries.use_table(self._key, self._number, self._in_use)
        entries.free_services.popleft()

    @property
    def name(self) -> str:
        """Protocol, address and port: ``tcp 198.18.100.1:80``, ``tcp [2001:db8:1::1]:80``."""
        host = f"[{self.address}]" if self._virtual.version == 6 else self.address
        return f"{self.protocol} {host}:{self.port}"

    @property
    def servers(self) -> dict[str, float]:
        """The weight of each server, by its address."""
        return {address: server.weight for address, server in self._servers.items()}

    @property
    def table(self) -> npt.NDArray[np.str_]:
        """The Maglev table: the address of the server of each of its 16,381 entries, or "".

        The hash of a connection's client, its address and its port, says which entry is its.
        """
        return np.array([*self._servers, ""], np.str_)[self._places]

    def add_server(self, address: str, weight: float = 1) -> None:
        """Add a server; parameters and errors are those of `set_servers`."""
        new, heavy = ip("address", address), _weight("weight", weight)
        with self._entries.lock:
            if str(new) in self._servers:
                raise ConfigurationError(
                    f"address={str(new)!r} is a server of {self.name} already: "
                    f"service.set_weight({str(new)!r}, {heavy:g}) changes its weight."
                )
            self._change({**self._weights(), new: heavy})

    def set_weight(self, address: str, weight: float) -> None:
        """Change the weight of a server; with 0 it gets no new connections, and keeps those it has.

        Parameters and errors are those of `set_servers`.
        """
        given, heavy = ip("address", address), _weight("weight", weight)
        with self._entries.lock:
            self._change({**self._weights(), self._known(given): heavy})

    def remove_server(self, address: str) -> None:
        """Remove a server. Its connections go to others, which know nothing of them.

        To let them end first, `set_weight` to 0 and wait.

        Raises
        ------
        ConfigurationError
            When it is no server of this service.
        """
        given = ip("address", address)
        with self._entries.lock:
            gone = self._known(given)
            self._change({one: weight for one, weight in self._weights().items() if one != gone})

    def set_servers(self, servers: Mapping[str, float]) -> None:
        """Replace the servers by others, in one change of the table.

        Connections to those that stay go on.

        Parameters
        ----------
        servers
            The weight of each, by its IPv4 or IPv6 address: 0, or 0.01 to 100. A server's share of
            new connections is its weight in that of all.

        Raises
        ------
        ConfigurationError
            For what is no address or no weight; when the balancer has no address of a server's
            version, or no room.
        ClosedError
            After the service was removed, or the program closed.
        KernelError
            When the kernel refuses.
        """
        given = mapping("servers", servers, "weights by addresses")
        weights = {
            ip("servers", address): _weight(f"servers[{address!r}]", weight)
            for address, weight in given.items()
        }
        if len(weights) < len(given):
            raise ConfigurationError(f"servers={shown(servers)} has an address twice.")
        with self._entries.lock:
            self._change(weights)

    def _weights(self) -> dict[IPAddress, float]:
        return {server.address: server.weight for server in self._servers.values()}

    def _known(self, address: IPAddress) -> IPAddress:
        if str(address) not in self._servers:
            known = ", ".join(self._servers) or "none"
            raise ConfigurationError(
                f"address={str(address)!r} is no server of {self.name}. It has: {known}."
            )
        return address

    def _change(self, weights: dict[IPAddress, float]) -> None:
        """Have other servers or weights; `entries.py` tells why in this order."""
        if self._removed:
            raise ClosedError(
                f"the service {self.name} was removed: add it again, balancer.add_service(...)."
            )
        for address in weights:
            if address.version not in self._entries.versions:
                raise ConfigurationError(
                    f"address={str(address)!r}: the balancer has no IPv{address.version} address "
                    f"to send from. Give it one: Balancer(program, ipv{address.version}=...)."
                )
        before, unused = self._servers, self._in_use ^ 1
        gue = self.encapsulation == "gue"
        servers = self._entries.enter_servers(before, weights, self._number, gue)
        places = maglev({name: server.weight for name, server in servers.items()})
        try:
            self._entries.write_table(unused, places, list(servers.values()))
            self._entries.use_table(self._key, self._number, unused)
        except BaseException:
            self._entries.delete_servers(servers[name] for name in servers.keys() - before.keys())
            raise
        self._servers, self._places, self._in_use = servers, places, unused
        self._entries.delete_servers(before[name] for name in before.keys() - servers.keys())

    def _remove(self) -> None:
        """Be no service any more."""
        with self._entries.lock:
            self._change({})
            self._entries.delete_service(self._key, self._virtual, self._number)
            self._removed = True

    def _table(self) -> Table:
        rows = [(address, f"{weight:g}") for address, weight in self.servers.items()]
        return Table(self._brief()[1:-1], rows, ("server", "weight") if rows else ())

    def _brief(self) -> str:
        there = "removed" if self._removed else counted(len(self._servers), "server")
        return f"<Service {self.name}, {self.encapsulation}: {there}>"


def _weight(name: str, value: object) -> float:
    weight = real(name, value, 0, _LARGEST_WEIGHT)
    if 0 < weight < _SMALLEST_WEIGHT:
        raise ConfigurationError(
            f"{name}={shown(value)} must be 0, or {_SMALLEST_WEIGHT} to {_LARGEST_WEIGHT:g}."
        )
    return weight
