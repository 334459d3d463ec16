"""Lending a real interface: it is moved into the client's network namespace, and back.

Back in the host's namespace nothing may appear but the interface that was lent, whatever the client
has made of it or in its place. So an interface is known again by what a client can't forge: a
network card by the device that it is (a card returns by itself, too, when the namespace ends), one
end of a veth pair by the other, which stayed. Programs that the client attached, by links that it
still holds, are detached before it is switched on. What a client has built on top of it (VLANs,
macvlans) and moved elsewhere is its own to remove: the kernel tells nobody of it.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from xdplab._engine import lib
from xdplab.broker.confinement import LENDER, confine, enter_network
from xdplab.errors import (
    ConfigurationError,
    InterfaceGoneError,
    KernelError,
    PermissionRefusedError,
)
from xdplab.interface import Interface
from xdplab.interface_names import names_of_link, pick_link
from xdplab.link_type import require_ethernet
from xdplab.namespace import Namespace
from xdplab.netlink import netlink

_DEVICE = ("IFLA_PARENT_DEV_BUS_NAME", "IFLA_PARENT_DEV_NAME", "IFLA_PERM_ADDRESS")
_UP = 1  # IFF_UP
# Header of a message, a family, and one attribute.
_NUMBER = struct.Struct("=IHHIIB3xHHi")


@contextmanager
def lend(name: str, borrower: int, lendable: Collection[str]) -> Iterator[int]:
    """Move an interface into a client's network namespace for the block.

    Addresses and routes of an interface go when it is moved, and don't come back with it.

    Parameters
    ----------
    name
        Its name here.
    borrower
        Descriptor of the namespace, which was checked to be the client's own.
    lendable
        Names of those that the broker was started with.

    Yields
    ------
    int
        Its index there.

    Raises
    ------
    PermissionRefusedError
        When it is not for lending, or carries a default route.
    InterfaceGoneError
        When it is not here: it may be lent already.
    """
    home = Namespace.current()
    if not home.run(_all_names, name) & set(lendable):
        raise PermissionRefusedError(
            f"lend {name}", errno.EPERM, f"Start the broker with --interface {name}."
        )
    lent = _Lent(Interface.find(name, home), home)
    require_ethernet(lent.interface, "interface")
    if lent.interface.carries_default_route():
        raise PermissionRefusedError(
            f"lend {name}", errno.EPERM, "It carries the default route of this machine."
        )
    confine(os.getuid(), os.getgid(), LENDER)
    lent.move(borrower)
    enter_network(borrower)
    try:
        index = lent.find(borrower)
        if index is None:
            raise InterfaceGoneError(f"find {name} where it was lent to", errno.ENODEV)
        yield index
    finally:
        lent.bring_back(borrower)


def _all_names(name: str) -> set[str]:
    """Collect the names of an interface; the one alone where it is not here."""
    tried = f"look for {name}"
    with netlink(tried) as route, suppress(InterfaceGoneError):
        return set(names_of_link(pick_link(name, route.get_links(), tried)))
    return {name}


class _Lent:
    """An interface on its way; found again by what a client can't forge."""

    def __init__(self, interface: Interface, home: Namespace) -> None:
        self.interface, self._home = interface, home
        link = home.run(_link, interface.index)
        self._was_up = bool(link["flags"] & _UP)
        self._names = set(names_of_link(link)[1:])
        self._device = _device(link)
        self._peer = link.get("link") if _kind(link) == "veth" else None
        if not self._device and not self._peer:
            raise ConfigurationError(f"{interface.name} is neither a network card nor a veth.")

    def move(self, borrower: int) -> None:
        with netlink(f"lend {self.interface.name}") as route:
            route.link("set", index=self.interface.index, net_ns_fd=borrower)

    def find(self, borrower: int | None) -> int | None:
        """Find it in the namespace that this thread is in: the borrower's, or None for home."""
        if self._peer:
            return self._home.run(_other_end, self._peer, borrower)
        with netlink(f"look for {self.interface.name}") as route:
            same = (link["index"] for link in route.get_links() if _device(link) == self._device)
            return next(same, None)

    def bring_back(self, borrower: int) -> None:
        """Move it home from the borrower's namespace, which this thread is in."""
        index = self.find(borrower)
        if index is None:
            raise InterfaceGoneError(f"bring {self.interface.name} back", errno.ENODEV)
        with netlink(f"bring {self.interface.name} back") as route:
            # A name that is taken at home would keep it out.
            if given := set(names_of_link(_link(index))[1:]) - self._names:
                route.link("property_del", index=index, altname=sorted(given))
            route.link("set", index=index, net_ns_fd=self._home.fd, ifname=self.interface.name)
        self._home.run(self._receive)

    def _receive(self) -> None:
        """Let nothing in that was put in its place between the two steps above."""
        name = self.interface.name
        with netlink(f"take {name} back") as route:
            for arrived in route.link_lookup(ifname=name):
                if arrived != self.find(None):
                    route.link("del", index=arrived)
                    raise InterfaceGoneError(f"take {name} back", errno.ENODEV)
                if code := -lib.xdplab_detach_programs(arrived):
                    raise KernelError(f"take the programs off {name}", code)
                if self._was_up:
                    route.link("set", index=arrived, state="up")


def _link(index: int) -> Any:  # noqa: ANN401 - pyroute2 is untyped
    with netlink(f"look at interface {index}") as route:
        (link,) = route.get_links(index)
        return link


def _other_end(peer: int, elsewhere: int | None) -> int | None:
    """Find the index of a veth's other end, if that is in a namespace (None: in this one)."""
    link = _link(peer)
    number = link.get("link_netnsid")
    if elsewhere is None:
        return None if number is not None else link.get("link")
    return link.get("link") if number is not None and number == _number_of(elsewhere) else None


def _number_of(namespace: int) -> int | None:
    """Find the number by which this namespace knows another, if it does.

    RTM_GETNSID (linux/rtnetlink.h, linux/net_namespace.h), which pyroute2 can't ask.
    """
    request = _NUMBER.pack(_NUMBER.size, 90, 1, 0, 0, 0, 8, 3, namespace)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as asked:
        asked.send(request)
        answer = asked.recv(4096)
    if len(answer) < _NUMBER.size:
        return None
    _, kind, _, _, _, _, _, attribute, number = _NUMBER.unpack_from(answer)
    known = (kind, attribute) == (88, 1) and number >= 0  # RTM_NEWNSID, NETNSA_NSID
    return int(number) if known else None


def _kind(link: Any) -> str | None:  # noqa: ANN401 - as above
    info = link.get_attr("IFLA_LINKINFO")
    return info.get_attr("IFLA_INFO_KIND") if info else None


def _device(link: Any) -> tuple[Any, ...]:  # noqa: ANN401 - as above
    known = tuple(link.get_attr(name) for name in _DEVICE)
    return known if known[0] and known[1] else ()
