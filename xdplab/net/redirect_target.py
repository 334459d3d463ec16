"""Whether an interface sends the frames that an XDP program redirects to it, as generators do.

Many drivers do so only while the card has an XDP program itself, with which they set up the queues
for it. Others lack it. What they drop, the kernel counts nowhere (`__xdp_enqueue`, Linux 6.18).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdplab.net.link_pairs import PAIRS
from xdplab.net.link_type import LOOPBACK
from xdplab.net.netlink import netlink

if TYPE_CHECKING:
    from xdplab.net.interface import Interface

_NATIVE = "xdp"  # IFLA_XDP_ATTACHED as pyroute2 has it


def drops_redirected(interface: Interface) -> str:
    """Say why an interface drops every redirected frame, and what helps; empty where it does not.

    Parameters
    ----------
    interface
        Of ends of pairs the ledger knows what became of the frames.
    """
    if interface.namespace.simulated or interface.link_type == LOOPBACK:
        return ""
    if interface.driver in PAIRS:
        return ""
    return interface.namespace.run(_why, interface.name, interface.index)


def _why(name: str, index: int) -> str:
    from xdplab.net.features import read_xdp_features  # noqa: PLC0415 - pyroute2 is slow to import

    features = read_xdp_features(index)
    if features is None:  # before Linux 6.3
        lacks_program = _is_card_without_program(index)
    elif features.is_target or features.native:
        lacks_program = not features.is_target
    else:
        return (
            f"the driver of {name} sends no frame that comes from an XDP program, as a generator's "
            "do. Frames of a file go by a socket: Traffic(..., replay='x.pcap')."
        )
    if not lacks_program:
        return ""
    return (
        f"{name} has no XDP program in native mode, without which its driver drops every frame of "
        "a generator. One that passes all packets will do: "
        "link = xdplab.Program(xdplab.GALLERY['pass'], traffic.sender).attach()."
    )


def _is_card_without_program(index: int) -> bool:
    with netlink("read whether it has an XDP program") as route:
        (link,) = route.get_links(index)
        mode = (link.get("xdp") or {}).get("IFLA_XDP_ATTACHED")
        return link.get(("linkinfo", "kind")) is None and mode != _NATIVE
