"""NAPI instances: reading and setting them by the kernel's netdev netlink family.

Acts on the network namespace of the calling thread and needs a thread without a running event loop:
call it through `Namespace.run`. (Not from /sys, which in a lab shows the host's devices.)
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pyroute2.netlink import NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, genlmsg
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.generic import GenericNetlinkSocket

from xdplab.core.descriptors import check_spare
from xdplab.core.errors import KernelError
from xdplab.core.more_power import MORE_POWER
from xdplab.net.netlink import DESCRIPTORS, refusal
from xdplab.net.threaded import THREADED, Threaded

# linux/netdev.h, Linux 6.8 and newer.
_FAMILY, _VERSION = "netdev", 1
_QUEUE_GET, _NAPI_GET, _NAPI_SET = 10, 11, 14
_RECEIVE = 0

_REMEDIES = {
    errno.EPERM: f"It needs CAP_NET_ADMIN in the host's user namespace: {MORE_POWER}.",
    errno.ENOENT: "It is gone: NAPI instances come and go with interfaces, XDP programs and GRO.",
    errno.EOPNOTSUPP: "It needs Linux 6.13, and 6.17 for threaded.",
    errno.EINVAL: "It needs Linux 6.13, and 6.17 for threaded.",
    errno.ERANGE: "threaded='busy-poll' needs Linux 6.19.",
}


class Napi(NamedTuple):
    """The settings of one NAPI instance; None where the kernel does not know such a setting."""

    id: int
    threaded: Threaded | None
    """Whether a kernel thread runs it, instead of softirqs; ``"busy-poll"`` for one that never
    waits for an interrupt."""
    defer_hard_irqs: int | None
    gro_flush_timeout: int | None
    """ns"""
    irq_suspend_timeout: int | None
    """ns"""
    thread: int | None
    """Process id of the kernel thread that runs it, where it is threaded."""


class _Queue(genlmsg):  # type: ignore[misc] # pyroute2 is untyped
    nla_map = (
        ("NETDEV_A_QUEUE_UNSPEC", "none"),
        ("NETDEV_A_QUEUE_ID", "uint32"),
        ("NETDEV_A_QUEUE_IFINDEX", "uint32"),
        ("NETDEV_A_QUEUE_TYPE", "uint32"),
        ("NETDEV_A_QUEUE_NAPI_ID", "uint32"),
    )


class _Napi(genlmsg):  # type: ignore[misc] # pyroute2 is untyped
    # "cdata" stands for the protocol's "uint", of 4 or 8 bytes, which pyroute2 lacks.
    nla_map = (
        ("NETDEV_A_NAPI_UNSPEC", "none"),
        ("NETDEV_A_NAPI_IFINDEX", "uint32"),
        ("NETDEV_A_NAPI_ID", "uint32"),
        ("NETDEV_A_NAPI_IRQ", "uint32"),
        ("NETDEV_A_NAPI_PID", "uint32"),
        ("NETDEV_A_NAPI_DEFER_HARD_IRQS", "uint32"),
        ("NETDEV_A_NAPI_GRO_FLUSH_TIMEOUT", "cdata"),
        ("NETDEV_A_NAPI_IRQ_SUSPEND_TIMEOUT", "cdata"),
        ("NETDEV_A_NAPI_THREADED", "uint32"),
    )


def napi_ids(interface_index: int, queues: int) -> dict[int, int]:
    """Find the id of the NAPI instance behind each receive queue of an interface.

    Some drivers report the NAPI of each queue. Others, such as veth, make one instance for each
    queue in order, with rising ids; so where there are as many instances as queues, the sorted ids
    belong to the queues in order.

    Returns
    -------
    dict
        Queue to id, without queues whose NAPI is not known. A driver may have no NAPI until an XDP
        program is attached, and an older kernel does not tell.
    """
    try:
        check_spare(DESCRIPTORS)
        with GenericNetlinkSocket() as socket:
            socket.bind(_FAMILY, _Queue)
            return _linked(socket, interface_index) or _in_order(socket, interface_index, queues)
    except (NetlinkError, OSError):
        return {}


def read_napi(interface_index: int, ids: Sequence[int]) -> list[Napi]:
    """Read the settings of an interface's NAPI instances.

    Parameters
    ----------
    interface_index
        The interface that they belong to.
    ids
        Their ids; one that the interface does not have is left out.

    Raises
    ------
    KernelError
        When the kernel refuses.
    """
    try:
        check_spare(DESCRIPTORS)
        with GenericNetlinkSocket() as socket:
            socket.bind(_FAMILY, _Napi)
            found = {napi.id: napi for napi in map(_napi, _instances(socket, interface_index))}
    except (NetlinkError, OSError) as error:
        raise _refusal("read the settings of NAPI", error) from error
    return [found[number] for number in ids if number in found]


def read_queues(interface_index: int, count: int, queues: Sequence[int]) -> list[Napi]:
    """Read the settings of the NAPI instances behind some of an interface's `count` queues.

    Raises
    ------
    KernelError
        When the kernel refuses.
    """
    found = napi_ids(interface_index, count)
    ids = [found[queue] for queue in queues if queue in found]
    # An older kernel can't be asked at all.
    return read_napi(interface_index, ids) if ids else []


def interrupts(interface_index: int) -> frozenset[int]:
    """Find the interrupts of an interface's NAPI instances; none where the driver tells none."""
    try:
        check_spare(DESCRIPTORS)
        with GenericNetlinkSocket() as socket:
            socket.bind(_FAMILY, _Napi)
            found = [
                napi.get_attr("NETDEV_A_NAPI_IRQ") for napi in _instances(socket, interface_index)
            ]
    except (NetlinkError, OSError):
        return frozenset()
    return frozenset(number for number in found if number)


def set_napi(number: int, settings: Mapping[str, int | str]) -> None:
    """Change settings of one NAPI instance, all or none of them.

    Parameters
    ----------
    number
        Its id.
    settings
        New values by the names of `Napi`'s fields.

    Raises
    ------
    PermissionRefusedError
        Without CAP_NET_ADMIN.
    KernelError
        When the kernel refuses for another reason.
    """
    request = _Napi()
    request["cmd"], request["version"] = _NAPI_SET, _VERSION
    request["attrs"] = [
        ("NETDEV_A_NAPI_ID", number),
        *((f"NETDEV_A_NAPI_{name.upper()}", _encoded(name, settings[name])) for name in settings),
    ]
    changes = ", ".join(f"{name} to {value}" for name, value in settings.items())
    try:
        check_spare(DESCRIPTORS)
        with GenericNetlinkSocket() as socket:
            socket.bind(_FAMILY, _Napi)
            socket.nlm_request(request, msg_type=socket.prid, msg_flags=NLM_F_REQUEST | NLM_F_ACK)
    except (NetlinkError, OSError) as error:
        raise _refusal(f"set {changes} on NAPI {number}", error) from error


def _dump(socket: Any, kind: type[genlmsg], command: int, attribute: str, index: int) -> list[Any]:
    request = kind()
    request["cmd"], request["version"] = command, _VERSION
    request["attrs"] = [(attribute, index)]
    socket.marshal.msg_map[socket.prid] = kind
    answer = socket.nlm_request(request, msg_type=socket.prid, msg_flags=NLM_F_REQUEST | NLM_F_DUMP)
    return list(answer)


def _instances(socket: Any, index: int) -> list[Any]:
    return _dump(socket, _Napi, _NAPI_GET, "NETDEV_A_NAPI_IFINDEX", index)


def _linked(socket: Any, index: int) -> dict[int, int]:
    queues = _dump(socket, _Queue, _QUEUE_GET, "NETDEV_A_QUEUE_IFINDEX", index)
    return {
        queue.get_attr("NETDEV_A_QUEUE_ID"): napi
        for queue in queues
        if queue.get_attr("NETDEV_A_QUEUE_TYPE") == _RECEIVE
        and (napi := queue.get_attr("NETDEV_A_QUEUE_NAPI_ID"))
    }


def _in_order(socket: Any, index: int, queues: int) -> dict[int, int]:
    ids = sorted(instance.get_attr("NETDEV_A_NAPI_ID") for instance in _instances(socket, index))
    return dict(enumerate(ids)) if len(ids) == queues else {}


def _napi(instance: Any) -> Napi:
    threaded = instance.get_attr("NETDEV_A_NAPI_THREADED")
    return Napi(
        id=instance.get_attr("NETDEV_A_NAPI_ID"),
        threaded=None if threaded is None else THREADED[threaded],
        defer_hard_irqs=instance.get_attr("NETDEV_A_NAPI_DEFER_HARD_IRQS"),
        gro_flush_timeout=_decoded(instance.get_attr("NETDEV_A_NAPI_GRO_FLUSH_TIMEOUT")),
        irq_suspend_timeout=_decoded(instance.get_attr("NETDEV_A_NAPI_IRQ_SUSPEND_TIMEOUT")),
        thread=instance.get_attr("NETDEV_A_NAPI_PID"),
    )


def _encoded(name: str, value: int | str) -> int | bytes:
    number = THREADED.index(value) if name == "threaded" else int(value)
    return number.to_bytes(8, sys.byteorder) if name.endswith("_timeout") else number


def _decoded(value: bytes | None) -> int | None:
    return None if value is None else int.from_bytes(value, sys.byteorder)


def _refusal(tried: str, error: NetlinkError | OSError) -> KernelError:
    code = error.code if isinstance(error, NetlinkError) else error.errno
    return refusal(tried, code or 0, _REMEDIES)
