"""Lending a real interface: it is moved into the client's network namespace, and back.

Nothing may return to the host's namespace but the interface that was lent, whatever the client has
made of it or in its place. So the broker identifies an interface by marks that a client can't
forge: a network card by its device (a card returns by itself, too, when the namespace ends), one
end of a veth pair by the other, which stayed. If the client moved it on, the broker searches all
namespaces that the client's processes hold, and waits while it is in none of them: until it is
there, or gone, or the broker ends. Programs that the client attached, by links that it still holds,
are detached before it is switched on, and its settings are what they were (`link_settings.py`). The
client must remove links that it built on top (VLANs, macvlans) and moved elsewhere: the kernel does
not tell of them.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Protocol

from xdplab.broker.daemon.client_namespaces import namespaces_of
from xdplab.broker.daemon.confinement import LENDER, confine, enter_network
from xdplab.broker.daemon.link_settings import LinkSettings
from xdplab.core.errors import (
    ConfigurationError,
    InterfaceGoneError,
    KernelError,
    PermissionRefusedError,
)
from xdplab.native import lib
from xdplab.net.interface import Interface
from xdplab.net.interface_names import names_of_link, pick_link
from xdplab.net.link_type import require_ethernet
from xdplab.net.namespace import Namespace
from xdplab.net.netlink import netlink

_DEVICE = ("IFLA_PARENT_DEV_BUS_NAME", "IFLA_PARENT_DEV_NAME", "IFLA_PERM_ADDRESS")
_LOOK_SECONDS = 0.5
# Header of a message, a family, and one attribute.
_NUMBER = struct.Struct("=IHHIIB3xHHi")


class Borrower(NamedTuple):
    """The client that borrows an interface."""

    namespace: int
    """Descriptor of a namespace, which was checked to be the client's own."""
    user: int
    group: int


class Report(Protocol):
    """Takes the events of a lent interface, for the log."""

    def __call__(self, said: str) -> None:
        """Take one event."""


@contextmanager
def lend(
    name: str,
    borrower: Borrower,
    lendable: Collection[str],
    report: Report,
    is_told_to_end: Callable[[float], bool],
) -> Iterator[int]:
    """Move an interface into a client's network namespace for the block.

    Addresses and routes of an interface go when it is moved, and don't come back with it.

    Parameters
    ----------
    name
        Its name here.
    borrower
        The client.
    lendable
        Names of the interfaces that the broker may lend.
    report
        Takes a message: how it came back, or why it did not.
    is_told_to_end
        Waits for so many seconds; returns whether the broker ends.

    Yields
    ------
    int
        Its index there.

    Raises
    ------
    PermissionRefusedError
        When it is not for lending, or carries a default route.
    InterfaceGoneError
        When it is not here: it may be lent already. Or when it does not come back.
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
    lent.move(borrower.namespace)
    enter_network(borrower.namespace)
    try:
        index = lent.find(borrower.namespace)
        if index is None:
            raise InterfaceGoneError(f"find {name} where it was lent to", errno.ENODEV)
        yield index
    finally:
        _bring_back(lent, borrower, report, is_told_to_end)


def _bring_back(
    lent: _Lent, borrower: Borrower, report: Report, is_told_to_end: Callable[[float], bool]
) -> None:
    tried = f"bring {lent.interface.name} back"
    told = False
    while not _is_brought_back(lent, borrower, report):
        if lent.is_deleted():
            remedy = f"User {borrower.user}, who had borrowed it, deleted it: make it anew."
            raise InterfaceGoneError(tried, errno.ENODEV, remedy)
        if not told:
            report(
                "is in a network namespace that its borrower hides; it comes back once that ends, "
                f"with the processes of user {borrower.user} that hold it"
            )
            told = True
        if is_told_to_end(_LOOK_SECONDS):
            remedy = f"End the processes of user {borrower.user}, which hold it."
            raise InterfaceGoneError(tried, errno.ENODEV, remedy)
    for problem in lent.receive():
        report(problem)
    report("returned")


def _is_brought_back(lent: _Lent, borrower: Borrower, report: Report) -> bool:
    if lent.bring_back_from(borrower.namespace):
        return True
    for namespace in namespaces_of(borrower.user, borrower.group):
        if lent.bring_back_from(namespace):
            report("was moved on, and found in another namespace of its borrower's")
            return True
    return lent.is_home()


def _all_names(name: str) -> set[str]:
    """Collect the names of an interface; the given one alone where it is not here."""
    tried = f"look for {name}"
    with netlink(tried) as route, suppress(InterfaceGoneError):
        return set(names_of_link(pick_link(name, route.get_links(), tried)))
    return {name}


class _Lent:
    """An interface that is lent, identified by marks that a client can't forge."""

    def __init__(self, interface: Interface, home: Namespace) -> None:
        self.interface, self._home = interface, home
        link = home.run(_link, interface.index)
        self._settings = home.run(LinkSettings.read, interface.index)
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
            try:
                return self._home.run(_other_end, self._peer, borrower)
            except InterfaceGoneError:
                return None
        with netlink(f"look for {self.interface.name}") as route:
            same = (link["index"] for link in route.get_links() if _device(link) == self._device)
            return next(same, None)

    def is_home(self) -> bool:
        """Tell whether it came home by itself."""
        return self._home.run(self.find, None) is not None

    def is_deleted(self) -> bool:
        """Tell whether it is deleted, as far as that can be known: of a veth, by its peer."""
        if not self._peer:
            return False
        try:
            self._home.run(_link, self._peer)
        except InterfaceGoneError:
            return True
        return False

    def bring_back_from(self, namespace: int) -> bool:
        """Move it home from a namespace, if it is there."""
        enter_network(namespace)
        index = self.find(namespace)
        if index is None:
            return False
        name = self.interface.name
        try:
            with netlink(f"bring {name} back") as route:
                # With an alternative name that is taken at home it could not return.
                if given := set(names_of_link(_link(index))[1:]) - self._settings.other_names:
                    route.link("property_del", index=index, altname=sorted(given))
                route.link("set", index=index, net_ns_fd=self._home.fd, ifname=name)
        except InterfaceGoneError:  # moved or deleted just now
            return False
        return True

    def receive(self) -> list[str]:
        """Restore its name and settings at home; return what could not be restored."""
        return self._home.run(self._receive)

    def _receive(self) -> list[str]:
        """Remove an interface that the client put in its place between the two steps above."""
        name = self.interface.name
        genuine = self.find(None)
        with netlink(f"take {name} back") as route:
            for arrived in route.link_lookup(ifname=name):
                if arrived != genuine:
                    route.link("del", index=arrived)
            if genuine is None:
                raise InterfaceGoneError(f"take {name} back", errno.ENODEV)
            if _link(genuine).get("ifname") != name:  # it came home by itself
                route.link("set", index=genuine, state="down")
                route.link("set", index=genuine, ifname=name)
        if code := -lib.xdplab_detach_programs(genuine):
            raise KernelError(f"take the programs off {name}", code)
        return list(self._settings.put_back(genuine))


def _link(index: int) -> Any:
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


def _kind(link: Any) -> str | None:
    info = link.get_attr("IFLA_LINKINFO")
    return info.get_attr("IFLA_INFO_KIND") if info else None


def _device(link: Any) -> tuple[Any, ...]:
    known = tuple(link.get_attr(name) for name in _DEVICE)
    return known if known[0] and known[1] else ()
