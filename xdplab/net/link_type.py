"""The header of an interface's frames: xdplab reads Ethernet headers only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdplab.core.errors import ConfigurationError

if TYPE_CHECKING:
    from xdplab.net.interface import Interface

ETHERNET = 1
"""ARPHRD_ETHER (linux/if_arp.h)."""
LOOPBACK = 772
"""ARPHRD_LOOPBACK: its frames have an Ethernet header, of zeros."""

# ARPHRD_*: what they carry, and what carries Ethernet in its place.
_OTHERS = {
    24: ("IEEE 1394", ""),
    32: ("InfiniBand", ""),
    280: ("CAN frames", "`candump` of can-utils shows what passes"),
    512: ("PPP", "capture on the Ethernet interface that it runs over"),
    519: ("raw IP packets", ""),
    768: ("IP in IP", "a gretap tunnel carries Ethernet frames (`ip link help gretap`)"),
    769: ("IP in IPv6", "an ip6gretap tunnel carries Ethernet frames (`ip link help ip6gretap`)"),
    776: ("IPv6 in IP", "a gretap tunnel carries Ethernet frames (`ip link help gretap`)"),
    778: ("GRE without Ethernet", "a gretap tunnel carries it (`ip link help gretap`)"),
    801: ("IEEE 802.11", "a wireless card that is not in monitor mode has Ethernet frames"),
    802: ("IEEE 802.11 with a Prism header", "out of monitor mode it has Ethernet frames"),
    803: ("IEEE 802.11 with radiotap", "out of monitor mode it has Ethernet frames"),
    804: ("IEEE 802.15.4", ""),
    823: (
        "GRE over IPv6 without Ethernet",
        "an ip6gretap tunnel carries it (`ip link help ip6gretap`)",
    ),
    824: ("netlink messages", ""),
    826: ("vsock messages", ""),
    65534: ("raw IP packets", ""),
}
_OF_DRIVERS = {
    "tun": "a TAP device carries Ethernet frames: `ip tuntap add dev {new} mode tap`",
    "wireguard": "a veth pair or a TAP device carries Ethernet frames, and the tunnel can be "
    "routed behind it: `ip tuntap add dev {new} mode tap`",
}


def carries_ethernet(interface: Interface) -> bool:
    """Tell whether an interface's frames begin with an Ethernet header."""
    return interface.link_type in (ETHERNET, LOOPBACK)


def describe(interface: Interface) -> str:
    """Name the frames of an interface that carries no Ethernet."""
    named, _ = _OTHERS.get(interface.link_type, ("", ""))
    return f"{named or 'no Ethernet'} (link type {interface.link_type})"


def instead(interface: Interface) -> str:
    """Return the remedy for an interface without Ethernet, without a full stop."""
    _, remedy = _OTHERS.get(interface.link_type, ("", ""))
    usual = "take an interface that carries Ethernet frames, such as a TAP device (`ip tuntap add "
    usual += "dev {new} mode tap`) or one end of a veth pair (`ip link add {new} type veth`)"
    chosen = _OF_DRIVERS.get(interface.driver, "") or remedy or usual
    return chosen.format(new=f"xdp-{interface.name}"[:15])


def require_ethernet(interface: Interface, argument: str) -> None:
    """Reject an interface whose frames have no Ethernet header.

    XDP programs, actions, dissection and files of samples need that header, on every receive path.

    Raises
    ------
    ConfigurationError
        When it has none; the message says what the interface carries, and what to take instead.
    """
    if carries_ethernet(interface):
        return
    raise ConfigurationError(
        f"{argument}={interface.name} carries {describe(interface)}, and only Ethernet frames can "
        f"be captured and sent here, on every path: {instead(interface)}. `tcpdump -n -i "
        f"{interface.name}` shows what passes on {interface.name}."
    )
