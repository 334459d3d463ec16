"""The other end of a veth or netkit pair: its interface, and how a shell reaches it."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

from xdplab.core.errors import XdplabError
from xdplab.net.interface import Interface
from xdplab.net.link_pairs import PAIRS, number_in, other_end
from xdplab.net.namespace import Namespace
from xdplab.net.netlink import netlink
from xdplab.net.shell_commands import candidates


@dataclass(frozen=True)
class FarEnd:
    """The other end of a pair.

    Parameters
    ----------
    index
        Its interface index.
    namespace
        Its namespace; None where that can't be found or entered.
    name
        Its name there; empty where that is not known.
    prefix
        Prefix of a command that is to run there, such as ``ip netns exec b ``; empty where the
        shell is there already, or no command gets there.
    """

    index: int
    namespace: Namespace | None
    name: str
    prefix: str


def far_end(interface: Interface) -> FarEnd | None:
    """Find the other end of an interface's pair; None where it is no end of one."""
    if interface.driver not in PAIRS and interface.driver:
        return None
    end = interface.namespace.run(other_end, interface.index)
    if end is None:
        return None
    for place in candidates():
        with suppress(OSError, XdplabError):
            namespace = Namespace(os.open(place.path, os.O_RDONLY))
            if _is_there(interface, namespace, end.namespace):
                name = namespace.run(_name_of, end.index)
                return FarEnd(end.index, namespace, name, place.enter)
    return FarEnd(end.index, None, "", "")


def _is_there(interface: Interface, namespace: Namespace, number: int | None) -> bool:
    if number is None:
        return namespace.identity == interface.namespace.identity
    return interface.namespace.run(number_in, namespace) == number


def _name_of(index: int) -> str:
    with netlink("look up an interface by its index") as route:
        (link,) = route.get_links(index)
        return str(link.get("ifname"))
