"""Receive-side scaling: the hash, its key and its table, by which a card chooses a queue.

By ethtool's ioctl, which pyroute2 has no calls for: its netlink has the table since Linux 6.3, and
sets it since 6.17 only. Acts on the network namespace of the calling thread: call it through
`Namespace.run`.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from xdplab.core.errors import KernelError
from xdplab.net.netlink import ethtool, request

if TYPE_CHECKING:
    from pyroute2.ethtool.ioctl import IoctlEthtool

# linux/ethtool.h
_GET_FIELDS, _SET_FIELDS = 0x29, 0x2A  # ETHTOOL_GRXFH, SRXFH
_GET_HASH, _SET_HASH = 0x46, 0x47  # ETHTOOL_GRSSH, SRSSH
_NO_CHANGE = 0xFFFF_FFFF  # ETH_RXFH_INDIR_NO_CHANGE
_TOEPLITZ = 1  # ETH_RSS_HASH_TOP

FLOWS = {"tcp4": 0x01, "udp4": 0x02, "tcp6": 0x05, "udp6": 0x06}
"""Kinds of flows by name, whose hashed fields a driver tells: TCP_V4_FLOW and so on."""
_ADDRESSES = 0x30  # RXH_IP_SRC | RXH_IP_DST
_PORTS = 0xC0  # RXH_L4_B_0_1 | RXH_L4_B_2_3


class Rss(NamedTuple):
    """How a device spreads flows over its queues."""

    table: tuple[int, ...]
    """The queue for each value of the hash's low bits."""
    key: bytes
    """The hash's."""
    toeplitz: bool
    """Whether the hash is Toeplitz's, of the fields as they are: then it can be computed."""
    hashes_ports: Mapping[str, bool]
    """Whether ports are a part of the hash, by the kind of flow; without those that it does not
    hash."""


class _Hash(ctypes.Structure):
    """`struct ethtool_rxfh`, without what follows it."""

    _fields_ = (
        ("cmd", ctypes.c_uint32),
        ("rss_context", ctypes.c_uint32),
        ("indir_size", ctypes.c_uint32),
        ("key_size", ctypes.c_uint32),
        ("hfunc", ctypes.c_uint8),
        ("input_xfrm", ctypes.c_uint8),
        ("rsvd8", ctypes.c_uint8 * 2),
        ("rsvd32", ctypes.c_uint32),
    )


class _Fields(ctypes.Structure):
    """`struct ethtool_rxnfc` as far as it tells hashed fields; the kernel copies all of it."""

    _fields_ = (
        ("cmd", ctypes.c_uint32),
        ("flow_type", ctypes.c_uint32),
        ("data", ctypes.c_uint64),
        ("rest", ctypes.c_uint8 * 176),
    )


def read_rss(name: str) -> Rss | None:
    """Read how an interface spreads flows; None where its driver does not.

    Raises
    ------
    KernelError
        When the kernel refuses for another reason.
    """
    tried = f"read how {name} spreads flows over its queues"
    try:
        with ethtool(name, tried) as device:
            sizes = _read_head(device)
            if not sizes.indir_size:
                return None
            whole = _with_room(sizes.indir_size, sizes.key_size)()
            whole.head = _Hash(cmd=_GET_HASH, indir_size=sizes.indir_size, key_size=sizes.key_size)
            request(device, whole)
    except KernelError as error:
        if error.errno == errno.EOPNOTSUPP:
            return None
        raise
    ports = {}
    for flow in FLOWS:
        with suppress(KernelError):  # a kind of flow that the driver does not know
            if (hashed := _hashed_fields(name, flow)) & _ADDRESSES:
                ports[flow] = bool(hashed & _PORTS)
    toeplitz = whole.head.hfunc in (0, _TOEPLITZ) and not whole.head.input_xfrm
    return Rss(tuple(whole.table), bytes(whole.key), toeplitz, ports)


def set_table(name: str, table: Sequence[int], tried: str, remedies: Mapping[int, str]) -> None:
    """Set which queue each value of the hash goes to; `tried` and `remedies` are for the refusal.

    Raises
    ------
    KernelError
        When the kernel refuses.
    """
    whole = _with_room(len(table), 0)()
    whole.table[:] = table
    with ethtool(name, tried, remedies) as device:
        kept = _read_head(device).input_xfrm
        whole.head = _Hash(cmd=_SET_HASH, indir_size=len(table), input_xfrm=kept)
        request(device, whole)


def set_key(name: str, key: bytes, tried: str, remedies: Mapping[int, str]) -> None:
    """Set the hash's key; `tried` and `remedies` are for the refusal.

    Raises
    ------
    KernelError
        When the kernel refuses.
    """
    whole = _with_room(0, len(key))()
    whole.key[:] = key
    with ethtool(name, tried, remedies) as device:
        kept = _read_head(device).input_xfrm
        whole.head = _Hash(cmd=_SET_HASH, indir_size=_NO_CHANGE, key_size=len(key), input_xfrm=kept)
        request(device, whole)


def set_ports(name: str, flow: str, hashed: bool, tried: str, remedies: Mapping[int, str]) -> None:
    """Set whether ports are a part of a kind of flow's hash, beside the addresses.

    Raises
    ------
    KernelError
        When the kernel refuses.
    """
    fields = _Fields(
        cmd=_SET_FIELDS, flow_type=FLOWS[flow], data=_ADDRESSES | (_PORTS if hashed else 0)
    )
    with ethtool(name, tried, remedies) as device:
        request(device, fields)


def _read_head(device: IoctlEthtool) -> _Hash:
    """Read the sizes of table and key, the hash's function, and what it does to its input."""
    head = _Hash(cmd=_GET_HASH)
    request(device, head)
    return head


def _hashed_fields(name: str, flow: str) -> int:
    fields = _Fields(cmd=_GET_FIELDS, flow_type=FLOWS[flow])
    with ethtool(name, f"read which fields {name} hashes") as device:
        request(device, fields)
    return int(fields.data)


def _with_room(entries: int, key_bytes: int) -> type[ctypes.Structure]:
    """Return `struct ethtool_rxfh` with so much behind it: first the table, then the key."""

    class Whole(ctypes.Structure):
        _fields_ = (
            ("head", _Hash),
            ("table", ctypes.c_uint32 * entries),
            ("key", ctypes.c_uint8 * key_bytes),
        )

    return Whole
