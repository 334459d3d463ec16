"""A device's rings, interrupt coalescing and channels, by the kernel's ethtool netlink family.

Netlink tells which settings a driver has, takes one alone, and goes by the interface's index; the
older ioctl does none of that. Acts on the network namespace of the calling thread and needs a
thread without a running event loop: call it through `Namespace.run`.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any, NamedTuple

from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST, genlmsg
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.generic import GenericNetlinkSocket
from pyroute2.netlink.generic.ethtool import ethtool_rings_msg, ethtoolheader

from xdplab.core.descriptors import check_spare
from xdplab.net.netlink import DESCRIPTORS, refusal

# linux/ethtool_netlink.h, Linux 5.6 and newer.
_FAMILY, _VERSION = "ethtool", 1
# Without such an operation, and without the interface.
_NONE = (errno.EOPNOTSUPP, errno.ENODEV)


class _Channels(genlmsg):  # type: ignore[misc] # pyroute2 is untyped
    ethtoolheader = ethtoolheader
    nla_map = (
        ("ETHTOOL_A_CHANNELS_UNSPEC", "none"),
        ("ETHTOOL_A_CHANNELS_HEADER", "ethtoolheader"),
        ("ETHTOOL_A_CHANNELS_RX_MAX", "uint32"),
        ("ETHTOOL_A_CHANNELS_TX_MAX", "uint32"),
        ("ETHTOOL_A_CHANNELS_OTHER_MAX", "uint32"),
        ("ETHTOOL_A_CHANNELS_COMBINED_MAX", "uint32"),
        ("ETHTOOL_A_CHANNELS_RX_COUNT", "uint32"),
        ("ETHTOOL_A_CHANNELS_TX_COUNT", "uint32"),
        ("ETHTOOL_A_CHANNELS_OTHER_COUNT", "uint32"),
        ("ETHTOOL_A_CHANNELS_COMBINED_COUNT", "uint32"),
    )


class _Coalesce(genlmsg):  # type: ignore[misc] # pyroute2 is untyped
    ethtoolheader = ethtoolheader
    nla_map = (
        ("ETHTOOL_A_COALESCE_UNSPEC", "none"),
        ("ETHTOOL_A_COALESCE_HEADER", "ethtoolheader"),
        ("ETHTOOL_A_COALESCE_RX_USECS", "uint32"),
        ("ETHTOOL_A_COALESCE_RX_MAX_FRAMES", "uint32"),
        ("ETHTOOL_A_COALESCE_RX_USECS_IRQ", "uint32"),
        ("ETHTOOL_A_COALESCE_RX_MAX_FRAMES_IRQ", "uint32"),
        ("ETHTOOL_A_COALESCE_TX_USECS", "uint32"),
        ("ETHTOOL_A_COALESCE_TX_MAX_FRAMES", "uint32"),
        ("ETHTOOL_A_COALESCE_TX_USECS_IRQ", "uint32"),
        ("ETHTOOL_A_COALESCE_TX_MAX_FRAMES_IRQ", "uint32"),
        ("ETHTOOL_A_COALESCE_STATS_BLOCK_USECS", "uint32"),
        ("ETHTOOL_A_COALESCE_USE_ADAPTIVE_RX", "uint8"),
        ("ETHTOOL_A_COALESCE_USE_ADAPTIVE_TX", "uint8"),
    )


class _Group(NamedTuple):
    """Settings that the kernel reads and sets by one message."""

    message: type[genlmsg]
    get: int
    set: int


class _Setting(NamedTuple):
    """Where a setting is."""

    group: _Group
    attribute: str
    limit: str = ""
    """The attribute with the most that the driver takes."""


_RINGS = _Group(ethtool_rings_msg, 15, 16)
_CHANNELS = _Group(_Channels, 17, 18)
_COALESCE = _Group(_Coalesce, 19, 20)

_SETTINGS = {
    "channels": _Setting(
        _CHANNELS, "ETHTOOL_A_CHANNELS_COMBINED_COUNT", "ETHTOOL_A_CHANNELS_COMBINED_MAX"
    ),
    "rx_channels": _Setting(_CHANNELS, "ETHTOOL_A_CHANNELS_RX_COUNT", "ETHTOOL_A_CHANNELS_RX_MAX"),
    "tx_channels": _Setting(_CHANNELS, "ETHTOOL_A_CHANNELS_TX_COUNT", "ETHTOOL_A_CHANNELS_TX_MAX"),
    "rx_ring": _Setting(_RINGS, "ETHTOOL_A_RINGS_RX", "ETHTOOL_A_RINGS_RX_MAX"),
    "tx_ring": _Setting(_RINGS, "ETHTOOL_A_RINGS_TX", "ETHTOOL_A_RINGS_TX_MAX"),
    "rx_usecs": _Setting(_COALESCE, "ETHTOOL_A_COALESCE_RX_USECS"),
    "rx_frames": _Setting(_COALESCE, "ETHTOOL_A_COALESCE_RX_MAX_FRAMES"),
    "tx_usecs": _Setting(_COALESCE, "ETHTOOL_A_COALESCE_TX_USECS"),
    "tx_frames": _Setting(_COALESCE, "ETHTOOL_A_COALESCE_TX_MAX_FRAMES"),
    "adaptive_rx": _Setting(_COALESCE, "ETHTOOL_A_COALESCE_USE_ADAPTIVE_RX"),
}

NAMES = tuple(_SETTINGS)
"""The settings, in an order in which they can be put back: channels make the rest anew."""


class DeviceSettings(NamedTuple):
    """Settings of a device that its driver has."""

    values: Mapping[str, int]
    """By name."""
    limits: Mapping[str, int]
    """The most that the driver takes, of those where it tells."""


def read_settings(index: int) -> DeviceSettings:
    """Read an interface's settings; none where the driver has none or the interface is gone.

    Raises
    ------
    KernelError
        When the kernel refuses for another reason.
    """
    answers = {group: _ask(group, index) for group in (_RINGS, _CHANNELS, _COALESCE)}
    values, limits = {}, {}
    for name, setting in _SETTINGS.items():
        answer = answers[setting.group]
        value = None if answer is None else answer.get_attr(setting.attribute)
        if answer is not None and value is not None:
            values[name] = int(value)
            if setting.limit:
                limits[name] = int(answer.get_attr(setting.limit))
    return DeviceSettings(values, limits)


def set_setting(index: int, name: str, value: int, tried: str, remedies: Mapping[int, str]) -> None:
    """Change one setting.

    Parameters
    ----------
    index
        Of the interface.
    name
        One of `NAMES`.
    value
        Its new value.
    tried, remedies
        As of `xdplab.net.netlink.refusal`.

    Raises
    ------
    PermissionRefusedError
        Without CAP_NET_ADMIN.
    KernelError
        When the kernel or the driver refuses.
    """
    group, attribute, _limit = _SETTINGS[name]
    request = _request(group, group.set, index)
    request["attrs"].append((attribute, value))
    try:
        check_spare(DESCRIPTORS)
        with GenericNetlinkSocket() as socket:
            socket.bind(_FAMILY, group.message)
            socket.nlm_request(request, msg_type=socket.prid, msg_flags=NLM_F_REQUEST | NLM_F_ACK)
    except (NetlinkError, OSError) as error:
        raise refusal(tried, _code(error), remedies) from error


def _ask(group: _Group, index: int) -> Any:
    """Read a group; None where the driver has none."""
    request = _request(group, group.get, index)
    try:
        check_spare(DESCRIPTORS)
        with GenericNetlinkSocket() as socket:
            socket.bind(_FAMILY, group.message)
            socket.marshal.msg_map[socket.prid] = group.message
            (answer,) = socket.nlm_request(request, msg_type=socket.prid, msg_flags=NLM_F_REQUEST)
    except (NetlinkError, OSError) as error:
        if _code(error) in _NONE:
            return None
        raise refusal("read the settings of a device", _code(error)) from error
    return answer


def _code(error: NetlinkError | OSError) -> int:
    return (error.code if isinstance(error, NetlinkError) else error.errno) or 0


def _request(group: _Group, command: int, index: int) -> Any:
    request = group.message()
    request["cmd"], request["version"] = command, _VERSION
    header, _kind = group.message.nla_map[1]
    request["attrs"] = [(header, {"attrs": [("ETHTOOL_A_HEADER_DEV_INDEX", index)]})]
    return request
