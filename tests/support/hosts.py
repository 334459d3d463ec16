"""A network namespace that plays the host's own, with interfaces to lend."""

from __future__ import annotations

import socket

from pyroute2 import IPRoute


def make_host() -> None:
    """Make cards, which are veths, in the namespace of the calling thread."""
    with IPRoute() as route:
        for name in ("card0", "card1", "private0"):
            route.link("add", kind="veth", ifname=name, peer={"ifname": f"{name}-peer"})
            for end in (name, f"{name}-peer"):
                route.link("set", index=route.link_lookup(ifname=end)[0], state="up")
        index = route.link_lookup(ifname="card1")[0]
        route.addr("add", index=index, address="198.18.200.1", prefixlen=24)
        route.route("add", dst="default", gateway="198.18.200.2", oif=index)


def names() -> set[str]:
    """List the interfaces in the namespace of the calling thread."""
    return {name for _, name in socket.if_nameindex()}
