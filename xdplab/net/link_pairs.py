"""Links in pairs, veth and netkit: one end receives the frames that the other sends.

Everything here acts on the network namespace of the calling thread: call it through
`Namespace.run`.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdplab.net.namespace import Namespace
from xdplab.net.netlink import netlink
from xdplab.net.shell_commands import number_of

PAIRS = ("veth", "netkit")
"""Kinds of links in pairs."""

BRIDGES = ("bridge", "openvswitch")
"""Kinds that carry a frame from one of their ports to the others."""


@dataclass(frozen=True)
class OtherEnd:
    """The other end of a pair, as the kernel names it from this one's namespace."""

    index: int
    namespace: int | None
    """The number of its namespace; None where it is in the same."""


def other_end(index: int) -> OtherEnd | None:
    """Look for the other end of an interface; None where it is no end of a pair."""
    with netlink("look for the other end of a pair") as route:
        (link,) = route.get_links(index)
        if link.get(("linkinfo", "kind")) not in PAIRS or not link.get("link"):
            return None
        return OtherEnd(int(link.get("link")), link.get("link_netnsid"))


def number_in(namespace: Namespace) -> int | None:
    """Return the number by which this namespace knows another one; None where it does not."""
    with netlink("look up a network namespace") as route:
        return number_of(route, namespace.fd)


def is_other_end(index: int, other: int, namespace: Namespace | None) -> bool:
    """Tell whether two interfaces are the ends of one pair.

    Parameters
    ----------
    index
        Of the first interface, which is in this namespace.
    other
        Of the second.
    namespace
        Of the second; None where it is this one.
    """
    end = other_end(index)
    if end is None or end.index != other:
        return False
    return end.namespace == (None if namespace is None else number_in(namespace))


def bridge_of(index: int) -> str:
    """Name the bridge of which an interface is a port; empty where it is of none."""
    with netlink("look for the bridge of an interface") as route:
        (link,) = route.get_links(index)
        if not (master := link.get("master")):
            return ""
        (above,) = route.get_links(master)
        is_bridge = above.get(("linkinfo", "kind")) in BRIDGES
        return str(above.get("ifname")) if is_bridge else ""
