"""Whether frames can pass an interface now, and if not, which end of its wire is at fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xdplab.net.link_pairs import PAIRS
from xdplab.net.shell_commands import ip_in_numbered

if TYPE_CHECKING:
    from pyroute2 import IPRoute

    from xdplab.net.namespace import Namespace

SWITCHED_ON = 1  # IFF_UP


@dataclass(frozen=True)
class Peer:
    """The other end of a veth or netkit pair."""

    index: int
    name: str
    """Empty where it can't be read."""
    up: bool
    elsewhere: bool
    """Whether it is in another network namespace."""
    ip: str
    """The `ip` command for its namespace; empty where none is known."""


@dataclass(frozen=True)
class LinkState:
    """The state of an interface when it was looked at."""

    name: str = ""
    up: bool = True
    carrier: bool = True
    carrier_losses: int = 0
    """How often it lost its carrier since it was made."""
    peer: Peer | None = None
    ip: str = "ip"
    """The `ip` command for the interface's namespace."""

    label: str = ""
    """Its name in messages, where that is more than `name`."""

    @property
    def passes(self) -> bool:
        """Whether frames can pass in both directions."""
        return self.up and self.carrier

    @property
    def brief(self) -> str:
        """Why frames can't pass, in a few words; empty where they can."""
        if not self.up:
            return f"{self.label or self.name} is down"
        return "" if self.carrier else f"{self.label or self.name} has no carrier"

    @property
    def remedy(self) -> str:
        """The remedy that lets frames pass again; empty where they can."""
        if not self.up:
            return _set_up(self.ip, self.name)
        if self.carrier:
            return ""
        if self.peer is None:
            return f"put the cable in and switch the far end on (`ethtool {self.name}` shows both)"
        # `ip` takes a name of this form for an index.
        return _set_up(self.peer.ip or "ip", self.peer.name or f"if{self.peer.index}")

    def trouble(self) -> str:
        """Why frames can't pass and which command helps; empty where they can."""
        if not self.up:
            return f"{self.brief}, so no frame comes or goes: {self.remedy}."
        if self.carrier:
            return ""
        if self.peer is None:
            return f"{self.brief}, the cable is out or the far end down: {self.remedy}."
        there = "" if self.peer.ip else " In that namespace:"
        return f"{self.brief}, since its peer{self._peer()} is down:{there} {self.remedy}."

    def _peer(self) -> str:
        assert self.peer is not None
        name = f" {self.peer.name}" if self.peer.name else ""
        return f"{name}, in another network namespace," if self.peer.elsewhere else name


def _set_up(ip: str, name: str) -> str:
    return f"`{ip} link set {name} up`"


def link_state(
    route: IPRoute,
    link: Any,
    ip: str,
    peer_place: tuple[Namespace, str] | None,
) -> LinkState:
    """Read the state of an interface from netlink's answer.

    Parameters
    ----------
    route
        Of the interface's network namespace.
    link
        Its answer.
    ip
        The `ip` command for that namespace.
    peer_place
        A namespace in which the peer may be, and the `ip` command for it.
    """
    up, carrier = bool(link["flags"] & SWITCHED_ON), bool(link.get("carrier"))
    needs_peer = up and not carrier and link.get(("linkinfo", "kind")) in PAIRS
    return LinkState(
        name=link.get("ifname"),
        up=up,
        carrier=carrier or not up,
        carrier_losses=link.get("carrier_down_count") or 0,
        peer=_peer(route, link, ip, peer_place) if needs_peer else None,
        ip=ip,
    )


def _peer(
    route: IPRoute,
    link: Any,
    ip: str,
    known: tuple[Namespace, str] | None,
) -> Peer:
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415 - slow to import

    number = link.get("link_netnsid")
    place = {} if number is None else {"if_netnsid": number}
    there = ip if number is None else ip_in_numbered(route, number, known)
    try:
        (found,) = route.get_links(link.get("link"), **place)
    except NetlinkError:  # gone, or in a namespace of someone else's
        return Peer(link.get("link"), "", False, number is not None, "")
    up = bool(found["flags"] & SWITCHED_ON)
    return Peer(found["index"], found.get("ifname"), up, number is not None, there)
