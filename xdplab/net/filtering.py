"""What an interface filters out before an XDP program could see it: frames for other addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xdplab.net.netlink import netlink

if TYPE_CHECKING:
    from xdplab.net.interface import Interface

_PROMISCUOUS = 0x100  # IFF_PROMISC
_ETHERNET = 1  # ARPHRD_ETHER
# Of the kinds of links that name theirs, as a network card does not.
_AS_CARDS = ("vlan", "bond", "team")
_ABOVE_ANOTHER = ("macvlan", "macvtap", "ipvlan", "ipvtap")


@dataclass(frozen=True)
class Filtering:
    """How an interface filters by address."""

    above: str = ""
    """What it is, where it is given its share of another interface's frames: ``"macvlan"``."""
    below: str = ""
    """That other interface's name, where it is in the same namespace."""
    promiscuous: bool = False
    """Whether somebody has it take in all that it is given."""


def filtering(interface: Interface) -> Filtering | None:
    """Look how an interface filters by address; None where it takes in whatever comes."""
    if interface.namespace.simulated:
        return None
    return interface.namespace.run(_filtering, interface.index)


def _filtering(index: int) -> Filtering | None:
    with netlink("read how an interface filters") as route:
        (link,) = route.get_links(index)
        kind = _kind(link)
        asked = bool(link["flags"] & _PROMISCUOUS or link.get("promiscuity"))
        if kind in _ABOVE_ANOTHER:
            below = link.get("link")
            here = below and link.get("link_netnsid") is None
            name = str(next(iter(route.get_links(below))).get("ifname")) if here else ""
            return Filtering(str(kind), name, asked)
        is_card = kind in _AS_CARDS or (kind is None and link["ifi_type"] == _ETHERNET)
        return Filtering(promiscuous=asked) if is_card else None


def _kind(link: Any) -> str | None:  # noqa: ANN401 - pyroute2 is untyped
    kind: str | None = link.get(("linkinfo", "kind"))
    return kind
