"""Filters of an interface before XDP: frames for other addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xdplab.net.netlink import netlink

if TYPE_CHECKING:
    from xdplab.net.interface import Interface

_PROMISCUOUS = 0x100  # IFF_PROMISC
_ETHERNET = 1  # ARPHRD_ETHER
# Kinds of links that filter as a network card does; a card itself reports no kind.
_AS_CARDS = ("vlan", "bond", "team")
_ABOVE_ANOTHER = ("macvlan", "macvtap", "ipvlan", "ipvtap")


@dataclass(frozen=True)
class Filtering:
    """How an interface filters by address."""

    above: str = ""
    """Its kind, where it gets a share of another interface's frames: ``"macvlan"``."""
    below: str = ""
    """The other interface's name, where that is in the same namespace."""
    promiscuous: bool = False
    """Whether somebody has switched it to promiscuous mode."""


def filtering(interface: Interface) -> Filtering | None:
    """Read how an interface filters by address; None where it accepts every frame."""
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


def _kind(link: Any) -> str | None:
    kind: str | None = link.get(("linkinfo", "kind"))
    return kind
