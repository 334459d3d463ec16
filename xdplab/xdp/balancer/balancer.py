"""A load balancer in XDP: the Python side of the gallery's program `balancer`."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from xdplab.core.calls import public
from xdplab.core.checks import choice, instance_of, shown, text, whole
from xdplab.core.errors import ConfigurationError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted
from xdplab.fields.addresses import parsed
from xdplab.xdp.balancer.addresses import IPAddress, ip, words_of
from xdplab.xdp.balancer.counts import BalancerCounts, ServerCounts, ServiceCounts
from xdplab.xdp.balancer.entries import Entries
from xdplab.xdp.balancer.service import ENCAPSULATIONS, PROTOCOLS, Service
from xdplab.xdp.program import Program

_LEAST_MTU, _LARGEST_MTU = 1280, 65535  # bytes; the least is IPv6's


@public
class Balancer(Tabled, FixedNames):
    """Spreads connections to virtual addresses over servers, with the gallery's program `balancer`.

    The program may be attached before or after. A packet to a service is wrapped into another IP
    packet, which goes to its server by way of the gateway. The server unwraps it, as with the
    gallery's `decapsulate`, has the virtual address itself, and answers the client directly.

    A balancer has the maps of its program to itself: what they had is deleted.

    Parameters
    ----------
    program
        ``Program(GALLERY["balancer"], lab.port)``.
    gateway
        The MAC address to which wrapped packets go. By default each goes back to the one from which
        it came, which a router that leads to the servers, too, sends on.
    ipv4, ipv6
        The address that wrapped packets come from, for servers of that version; by default that of
        the program's interface.
    mtu
        Bytes of the longest IP packet that the way to the servers takes, 1280 to 65535; by default
        that of the program's interface. Wrapping adds 20 bytes (IPv4) or 40 (IPv6), and 8 with GUE.
        What is longer then is dropped and counted: let servers announce a smaller segment size.

    Attributes
    ----------
    program
        The program.

    Raises
    ------
    ConfigurationError
        When it is another program, or for what is no address.
    ClosedError
        When the program was closed.
    KernelError
        When the kernel refuses.
    """

    def __init__(
        self,
        program: Program,
        *,
        gateway: str = "",
        ipv4: str = "",
        ipv6: str = "",
        mtu: int | None = None,
    ) -> None:
        self.program = instance_of("program", program, Program, "a Program")
        interface = program.interface
        sources = {
            4: _source("ipv4", ipv4, interface.ipv4, 4),
            6: _source("ipv6", ipv6, interface.ipv6, 6),
        }
        own = min(interface.mtu, _LARGEST_MTU)  # the loopback's is larger
        variables: dict[str, Any] = {
            "gateway": _mac(gateway),
            "mtu": own if mtu is None else whole("mtu", mtu, _LEAST_MTU, _LARGEST_MTU),
            "source4": int(sources[4] or 0),
            "source6": words_of(sources[6]) if sources[6] else [0] * 4,
        }
        self._entries = Entries(program, [version for version in sources if sources[version]])
        self._services: dict[tuple[str, int, str], Service] = {}
        for name, value in variables.items():
            program.variables[name] = value

    @property
    def services(self) -> tuple[Service, ...]:
        """The services, in the order in which they were added."""
        return tuple(self._services.values())

    def add_service(
        self, address: str, port: int, protocol: str = "tcp", *, encapsulation: str = "ipip"
    ) -> Service:
        """Add a service, which has no servers yet: until it has one, its packets are dropped.

        Parameters
        ----------
        address
            The virtual address, IPv4 or IPv6. A router leads it to the balancer.
        port
            The port.
        protocol
            ``"tcp"`` or ``"udp"``.
        encapsulation
            ``"ipip"``: IP in IP, of any two versions. ``"gue"``: generic UDP encapsulation, variant
            1, to port 6080, with a source port for each connection, by which the card of a server
            can spread them over its queues.

        Returns
        -------
        Service
            To which servers are added.

        Raises
        ------
        ConfigurationError
            For what is no address or no port; when there is such a service, or no room for it.
        ClosedError
            After the program was closed.
        KernelError
            When the kernel refuses.
        """
        virtual = ip("address", address)
        taken = whole("port", port, 1, 65535)
        named = choice("protocol", protocol, PROTOCOLS)
        wrapped = choice("encapsulation", encapsulation, ENCAPSULATIONS)
        key = (str(virtual), taken, named)
        with self._entries.lock:
            if key in self._services:
                raise ConfigurationError(
                    f"address={str(virtual)!r}, port={taken}: there is a service "
                    f"{self._services[key].name} already. Remove it first, "
                    "balancer.remove_service(service)."
                )
            if not self._entries.free_services:
                raise ConfigurationError(
                    f"a balancer has room for {len(self._services)} services: remove one, "
                    "balancer.remove_service(service)."
                )
            made = Service(self._entries, virtual, taken, named, wrapped)
            self._services[key] = made
        return made

    def remove_service(self, service: Service) -> None:
        """Remove a service: its packets are passed to the stack.

        Raises
        ------
        ConfigurationError
            When it is none of this balancer.
        ClosedError
            After the program was closed.
        """
        instance_of("service", service, Service, "a Service of this balancer")
        with self._entries.lock:
            for key, each in self._services.items():
                if each is service:
                    service._remove()
                    del self._services[key]
                    return
        raise ConfigurationError(f"service={shown(service)} is none of this balancer.")

    def counts(self) -> BalancerCounts:
        """Return what was counted until now: by service, by server, and by what became of packets.

        Raises
        ------
        ClosedError
            After the program was closed.
        """
        with self._entries.lock:
            services = self._entries.counts_of_services()
            servers = self._entries.counts_of_servers()
            others = self._entries.other_counts()
            return BalancerCounts(
                tuple(
                    ServiceCounts(
                        each.name,
                        tuple(
                            ServerCounts(name, one.weight, **_members(servers[one.number]))
                            for name, one in each._servers.items()
                        ),
                        **_members(services[each._number]),
                    )
                    for each in self._services.values()
                ),
                **_members(others),
            )

    def _table(self) -> Table:
        return self.counts()._table()

    def _brief(self) -> str:
        if self.program.closed:
            return "<Balancer, its program is closed>"
        services = counted(len(self._services), "service")
        return f"<Balancer on {self.program.interface.name}: {services}>"


def _members(record: Any) -> dict[str, int]:
    return {name: int(record[name]) for name in record.dtype.names}


def _source(name: str, given: str, own: str, version: int) -> IPAddress | None:
    """Return the address that wrapped packets come from; None without one."""
    if not text(name, given):
        return ip_address(own) if own else None
    found = ip(name, given)
    if found.version != version:
        raise ConfigurationError(f"{name}={shown(given)} must be an IPv{version} address.")
    return found


def _mac(given: str) -> list[int]:
    if not text("gateway", given):
        return [0] * 6
    kind, found = parsed("gateway", given)
    if kind != "mac":
        raise ConfigurationError(
            f"gateway={shown(given)} must be a MAC address, such as '02:00:00:00:00:01'."
        )
    return [*int(found).to_bytes(6)]
