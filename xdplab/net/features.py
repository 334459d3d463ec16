"""XDP features of an interface's driver, from the kernel's netdev netlink family.

Acts on the network namespace of the calling thread and needs a thread without a running event loop:
call it through `Namespace.run`.
"""

from __future__ import annotations

from typing import NamedTuple

from pyroute2.netlink import NLM_F_REQUEST, genlmsg
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.generic import GenericNetlinkSocket

from xdplab.core.descriptors import check_spare
from xdplab.net.netlink import DESCRIPTORS

# linux/netdev.h, Linux 6.3 and newer; the segments since 6.6, what is told of received packets
# since 6.7 (enum netdev_xdp_rx_metadata), what is done with sent ones since 6.8 (netdev_xsk_flags).
_FAMILY, _VERSION, _DEVICE_GET = "netdev", 1, 1
_BASIC, _REDIRECT, _REDIRECT_TARGET, _ZERO_COPY = (1 << bit for bit in range(4))


class XdpFeatures(NamedTuple):
    """The features that a driver reports."""

    native: bool
    """Whether it runs XDP programs natively, and redirects into sockets."""
    zero_copy: bool
    """Whether it can put frames straight into a UMEM."""
    segments: int | None
    """Most frames of a zero-copy packet; None where the kernel does not tell."""
    is_target: bool = True
    """Whether it sends, as it is now, frames that an XDP program redirects to it."""
    tells: tuple[str, ...] | None = None
    """What it tells an XDP program of a received packet; None where the kernel does not say."""
    does: tuple[str, ...] | None = None
    """What it can be asked to do with an AF_XDP packet that is sent with zero-copy; likewise."""


_TOLD = ("timestamp", "hash", "VLAN tag")
CHECKSUM = "checksum"
_DONE = ("timestamp", CHECKSUM, "launch time")


class _Device(genlmsg):  # type: ignore[misc] # pyroute2 is untyped
    nla_map = (
        ("NETDEV_A_DEV_UNSPEC", "none"),
        ("NETDEV_A_DEV_IFINDEX", "uint32"),
        ("NETDEV_A_DEV_PAD", "none"),
        ("NETDEV_A_DEV_XDP_FEATURES", "uint64"),
        ("NETDEV_A_DEV_XDP_ZC_MAX_SEGS", "uint32"),
        ("NETDEV_A_DEV_XDP_RX_METADATA_FEATURES", "uint64"),
        ("NETDEV_A_DEV_XSK_FEATURES", "uint64"),
    )


def read_xdp_features(interface_index: int) -> XdpFeatures | None:
    """Read an interface's features; None on an older kernel, or without such an interface."""
    request = _Device()
    request["cmd"], request["version"] = _DEVICE_GET, _VERSION
    request["attrs"] = [("NETDEV_A_DEV_IFINDEX", interface_index)]
    try:
        check_spare(DESCRIPTORS)
        with GenericNetlinkSocket() as socket:
            socket.bind(_FAMILY, _Device)
            socket.marshal.msg_map[socket.prid] = _Device
            (device,) = socket.nlm_request(request, msg_type=socket.prid, msg_flags=NLM_F_REQUEST)
    except (NetlinkError, OSError):
        return None
    flags = device.get_attr("NETDEV_A_DEV_XDP_FEATURES") or 0
    return XdpFeatures(
        native=flags & (_BASIC | _REDIRECT) == _BASIC | _REDIRECT,
        zero_copy=bool(flags & _ZERO_COPY),
        segments=device.get_attr("NETDEV_A_DEV_XDP_ZC_MAX_SEGS"),
        is_target=bool(flags & _REDIRECT_TARGET),
        tells=_named(device.get_attr("NETDEV_A_DEV_XDP_RX_METADATA_FEATURES"), _TOLD),
        does=_named(device.get_attr("NETDEV_A_DEV_XSK_FEATURES"), _DONE),
    )


def _named(flags: int | None, names: tuple[str, ...]) -> tuple[str, ...] | None:
    if flags is None:
        return None
    return tuple(name for bit, name in enumerate(names) if flags >> bit & 1)
