"""A network interface: its namespace, its name and its counters.

Within its namespace an index identifies an interface as long as it exists; a name does not, since
another interface can get it. Queues and MTU change too. So later reads go by index, and functions
that act by name look the name up just before.
"""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

from xdplab.core.calls import public_as
from xdplab.core.checks import instance_of, text
from xdplab.core.cores import device_interrupts, interrupt_cores
from xdplab.core.errors import InterfaceGoneError, KernelError, XdplabError
from xdplab.core.table import Table, Tabled
from xdplab.net.interface_names import pick_link
from xdplab.net.link_pairs import is_other_end
from xdplab.net.link_state import LinkState, link_state
from xdplab.net.link_type import ETHERNET, LOOPBACK
from xdplab.net.namespace import Namespace
from xdplab.net.netlink import addresses, driver_name, ethtool, netlink, refusal
from xdplab.net.shell_commands import ip_in

_UNICAST = 1  # RTN_UNICAST: a route that leads somewhere, unlike "unreachable" and the like


class Look(NamedTuple):
    """Netlink's answer about an interface at one moment."""

    name: str
    mac: str
    mtu: int
    statistics: dict[str, int]
    """As `Interface.link_statistics`."""
    state: LinkState


@public_as(made="Interface.find(NAME)")
@dataclass(frozen=True, repr=False)
class Interface(Tabled):
    """One network interface, as it was when it was looked up; `now` looks again.

    Parameters
    ----------
    name
        Its name inside its namespace.
    index
        Its interface index, which is unique only within its namespace.
    namespace
        The namespace that it is in.
    mac
        Its hardware address, such as ``02:00:c6:12:00:01``.
    ipv4, ipv6
        An address of each family, of the widest scope, or the empty string.
    queues
        Its receive queues in use: an engine can capture on 0 to ``queues - 1``.
    mtu
        The largest packet that it carries, in bytes, without the Ethernet header.
    driver
        The name of its driver, such as ``veth``.
    interrupts
        The numbers of its interrupts, as far as they can be known; a veth has none.
    interrupt_cores
        Cores that serve these.
    link_type
        The kind of header of its frames: the kernel's ARPHRD number (link_type.py).
    """

    name: str
    index: int
    namespace: Namespace
    mac: str
    ipv4: str
    ipv6: str
    queues: int
    mtu: int
    driver: str
    interrupts: frozenset[int] = frozenset()
    interrupt_cores: frozenset[int] = frozenset()
    link_type: int = ETHERNET
    # A veth dies with its peer's namespace, so an interface of a lab keeps that one too.
    _peer_namespace: Namespace | None = field(default=None, repr=False, compare=False)

    def _brief(self) -> str:
        return f"<Interface {self.name}{self._mark()}>"

    def _table(self) -> Table:
        facts = {
            "index": str(self.index),
            "driver": self.driver,
            "MAC": self.mac,
            "IPv4": self.ipv4,
            "IPv6": self.ipv6,
            "receive queues": f"{self.queues:,}",
            "MTU": f"{self.mtu:,} bytes",
            "interrupts on cores": ", ".join(map(str, sorted(self.interrupt_cores))),
        }
        title = f"Interface {self.name}{self._mark()}, as it was looked up"
        return Table(title, [(name, value or "-") for name, value in facts.items()])

    def _mark(self) -> str:
        closed = ", its lab is closed" if self.namespace.closed else ""
        return closed + (" [simulated]" if self.namespace.simulated else "")

    @classmethod
    def find(cls, name: str, namespace: Namespace | None = None) -> Self:
        """Look up an interface by name.

        Parameters
        ----------
        name
            Such as ``eth0``, or an alternative one, such as ``enp1s0``.
        namespace
            Where to look; by default the namespace of the calling thread.

        Raises
        ------
        InterfaceGoneError
            When there is none of this name; the message lists the names.
        """
        name = text("name", name)
        if namespace is not None:
            instance_of("namespace", namespace, Namespace, "a Namespace, such as that of a Host")
        place = Namespace.current() if namespace is None else namespace
        return place.run(cls._look_up, name, place)

    @classmethod
    def _look_up(cls, name: str, namespace: Namespace) -> Self:
        tried = f"find the interface {name!r}"
        with netlink(tried) as route:
            link = pick_link(name, route.get_links(), tried)
            name = link.get("ifname")
            ipv4, ipv6 = _addresses(route, link["index"])
        queues, driver = _queues_and_driver(link)
        numbers = _interrupts(name, link["index"])
        return cls(
            name=name,
            index=link["index"],
            namespace=namespace,
            mac=link.get("address") or "",
            ipv4=ipv4,
            ipv6=ipv6,
            queues=queues,
            mtu=link.get("mtu"),
            driver=driver,
            interrupts=numbers,
            interrupt_cores=frozenset().union(*map(interrupt_cores, numbers)),
            link_type=link["ifi_type"],
        )

    def now(self) -> Self:
        """Look the same interface up again: its name, addresses, queues and MTU may have changed.

        Raises
        ------
        InterfaceGoneError
            When it was removed, or moved to another namespace.
        ClosedError
            When its namespace was closed.
        """
        return replace(self, **self.namespace.run(self._look_again))

    def _look_again(self) -> dict[str, Any]:
        with netlink(f"look {self.name} up again") as route:
            link = self._link(route)
            ipv4, ipv6 = _addresses(route, self.index)
        return {
            "name": link.get("ifname"),
            "mac": link.get("address") or "",
            "ipv4": ipv4,
            "ipv6": ipv6,
            "queues": _queues_and_driver(link)[0],
            "mtu": link.get("mtu"),
        }

    def _link(self, route: Any) -> Any:
        """Ask netlink for it; another interface may have its index by now."""
        (link,) = route.get_links(self.index)
        if link.get("ifname") != self.name and (link.get("address") or "") != self.mac:
            raise InterfaceGoneError(
                f"find {self.name}",
                errno.ENODEV,
                f"It left its network namespace, where {link.get('ifname')} has its index now.",
            )
        return link

    def current_name(self) -> str:
        """Look up its present name.

        Raises
        ------
        InterfaceGoneError
            When it was removed, or moved to another namespace.
        ClosedError
            When its namespace was closed.
        """
        try:
            return self.namespace.run(socket.if_indextoname, self.index)
        except KernelError:  # of the way into the namespace
            raise
        except OSError as error:
            raise refusal(f"find {self.name}", errno.ENODEV) from error

    def look(self) -> Look:
        """Read its name, its counters and whether frames can pass it now, in one request.

        Raises
        ------
        InterfaceGoneError
            When it was removed, or moved to another namespace.
        ClosedError
            When its namespace was closed.
        """
        found = self.namespace.run(self._look, "ip", None)
        if not found.state.passes:  # to find the end of the wire that is at fault takes longer
            peer = self._peer_namespace
            known = None if peer is None or peer.closed else (peer, ip_in(peer))
            found = self.namespace.run(self._look, ip_in(self.namespace), known)
        return found

    def _look(self, ip: str, peer_place: tuple[Namespace, str] | None) -> Look:
        with netlink(f"read the statistics of {self.name}") as route:
            link = self._link(route)
            return Look(
                link.get("ifname"),
                link.get("address") or "",
                link.get("mtu"),
                dict(link.get("stats64")),
                link_state(route, link, ip, peer_place),
            )

    def attached_program(self) -> int:
        """Return the number of the XDP program that is attached to it, or 0."""
        return self.namespace.run(self._attached_program)

    def _attached_program(self) -> int:
        with netlink(f"read which XDP program is attached to {self.name}") as route:
            xdp = self._link(route).get("xdp") or {}
            return int(xdp.get("IFLA_XDP_PROG_ID") or 0)

    def link_statistics(self) -> dict[str, int]:
        """Read the kernel's counters of the link since it was made.

        Returns
        -------
        dict
            ``rx_packets``, ``tx_packets``, ``rx_bytes``, ``tx_bytes``, ``rx_dropped``,
            ``tx_dropped`` and the rest of the kernel's ``rtnl_link_stats64``.

        Raises
        ------
        InterfaceGoneError
            When the interface no longer exists.
        ClosedError
            When its namespace was closed.
        """
        return self.look().statistics

    def driver_statistics(self) -> dict[str, int]:
        """Read the driver's own counters, as ``ethtool -S`` shows them.

        Returns
        -------
        dict
            Under the driver's own names: veth has ``rx_queue_0_xdp_packets``,
            ``tx_queue_0_xdp_xmit`` and so on. Empty where a driver counts nothing.

        Raises
        ------
        InterfaceGoneError
            When the interface no longer exists.
        ClosedError
            When its namespace was closed.
        """
        return self.namespace.run(self._driver_statistics)

    def _driver_statistics(self) -> dict[str, int]:
        tried = f"read the driver statistics of {self.name}"
        while True:
            try:
                # ethtool acts by name, which may go to another interface meanwhile.
                name = socket.if_indextoname(self.index)
                with ethtool(name, tried) as device:
                    statistics = dict(device.get_statistics())
                if socket.if_nametoindex(name) == self.index:
                    return statistics
            except InterfaceGoneError:
                continue  # renamed just then; without the index, the next look says so
            except KernelError as error:
                if error.errno == errno.EOPNOTSUPP:
                    return {}
                raise
            except OSError as error:
                raise refusal(tried, errno.ENODEV) from error

    def faults(self) -> dict[str, int]:
        """Return a simulated one's faults by name, one frame in so many; a real one has none."""
        return {}

    def is_up(self) -> bool:
        """Tell whether the interface is switched on."""
        return self.look().state.up

    def leads_to(self, other: Interface) -> bool:
        """Tell whether frames sent here arrive at another interface, or at this same one.

        Known of loopback, and of the ends of a veth or netkit pair.
        """
        instance_of("other", other, Interface, "an Interface")
        here = self.namespace.identity == other.namespace.identity
        if here and self.index == other.index:
            return self.link_type == LOOPBACK
        if LOOPBACK in (self.link_type, other.link_type):
            return False
        return self.namespace.run(
            is_other_end, self.index, other.index, None if here else other.namespace
        )

    def carries_default_route(self) -> bool:
        """Tell whether a default route, of IPv4 or IPv6, leads through this interface.

        A bridge, bond or VLAN on top of the interface counts as well: packets that an XDP program
        below takes never reach it.
        """
        return self.namespace.run(self._carries_default_route)

    def _carries_default_route(self) -> bool:
        with netlink(f"read the routes through {self.name}") as route:
            carried = _stack_above(self.index, list(route.get_links()))
            return any(
                carried & _outgoing(message)
                for family in (socket.AF_INET, socket.AF_INET6)
                for message in route.get_routes(family=family)
                if message["dst_len"] == 0 and message["type"] == _UNICAST
            )


def _addresses(route: Any, index: int) -> tuple[str, str]:
    """Find an address of each family, of the widest scope."""
    ipv4, ipv6 = (
        next(iter(addresses(route, index, family)), "")
        for family in (socket.AF_INET, socket.AF_INET6)
    )
    return ipv4, ipv6


def _queues_and_driver(link: Any) -> tuple[int, str]:
    """Count the queues in use; a driver may have some allocated that it does not use."""
    name = link.get("ifname")
    queues, driver = int(link.get("num_rx_queues")), ""
    with suppress(KernelError), ethtool(name, f"ask the driver of {name}") as device:
        driver = driver_name(device)
        channels = device.get_channels()
        queues = channels.rx_count + channels.combined_count
    return queues, driver


def _stack_above(index: int, links: list[Any]) -> set[int]:
    """Collect the interface and all that stand on it: bridges, bonds, VLANs."""
    stack = {index}
    grown = True
    while grown:
        above = {link.get("master") for link in links if link["index"] in stack}
        # With a namespace id beside it, the index below is one of another namespace.
        above |= {
            link["index"]
            for link in links
            if link.get("link") in stack and link.get("link_netnsid") is None
        }
        above.discard(None)
        grown = not above <= stack
        stack |= above
    return stack


def name_now(interface: Interface) -> str:
    """Return an interface's present name; its last one, if it is gone."""
    with suppress(XdplabError):
        return interface.now().name
    return interface.name


def _interrupts(name: str, index: int) -> frozenset[int]:
    """Find an interface's interrupts, in the calling thread's namespace."""
    from xdplab.net.napi import interrupts  # noqa: PLC0415 - pyroute2 is slow to import

    # Few drivers tell which interrupt is which NAPI instance's.
    return interrupts(index) or device_interrupts(name)


def _outgoing(route: Any) -> set[int]:
    """Collect the interfaces that a route leads through."""
    hops = route.get("multipath") or []
    return {index for index in (route.get("oif"), *(hop["oif"] for hop in hops)) if index}
