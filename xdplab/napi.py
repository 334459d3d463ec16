"""Which NAPI instance serves a receive queue, as the kernel's netdev netlink family tells it.

Acts on the network namespace of the calling thread and needs a thread without a running event loop:
call it through `Namespace.run`.
"""

from __future__ import annotations

from typing import Any

from pyroute2.netlink import NLM_F_DUMP, NLM_F_REQUEST, genlmsg
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.generic import GenericNetlinkSocket

# linux/netdev.h, Linux 6.8 and newer.
_FAMILY, _VERSION = "netdev", 1
_QUEUE_GET, _NAPI_GET = 10, 11
_RECEIVE = 0


class _Queue(genlmsg):  # type: ignore[misc] # pyroute2 is untyped
    nla_map = (
        ("NETDEV_A_QUEUE_UNSPEC", "none"),
        ("NETDEV_A_QUEUE_ID", "uint32"),
        ("NETDEV_A_QUEUE_IFINDEX", "uint32"),
        ("NETDEV_A_QUEUE_TYPE", "uint32"),
        ("NETDEV_A_QUEUE_NAPI_ID", "uint32"),
    )


class _Napi(genlmsg):  # type: ignore[misc] # pyroute2 is untyped
    nla_map = (
        ("NETDEV_A_NAPI_UNSPEC", "none"),
        ("NETDEV_A_NAPI_IFINDEX", "uint32"),
        ("NETDEV_A_NAPI_ID", "uint32"),
    )


def napi_ids(interface_index: int, queues: int) -> dict[int, int]:
    """Find the id of the NAPI instance behind each receive queue of an interface.

    Drivers that link their queues to NAPI say it themselves. Others, such as veth, make one
    instance a queue in their order, and its id counts up; so where there are as many as queues,
    the ids in order are the queues'.

    Returns
    -------
    dict
        Queue to id; a queue of which nothing is known is left out. A driver may have no NAPI until
        an XDP program is attached, and the kernel may be too old to be asked.
    """
    try:
        with GenericNetlinkSocket() as socket:
            socket.bind(_FAMILY, _Queue)
            return _linked(socket, interface_index) or _in_order(socket, interface_index, queues)
    except (NetlinkError, OSError):
        return {}


def _dump(socket: Any, kind: type[genlmsg], command: int, attribute: str, index: int) -> list[Any]:  # noqa: ANN401 - pyroute2 is untyped
    request = kind()
    request["cmd"], request["version"] = command, _VERSION
    request["attrs"] = [(attribute, index)]
    socket.marshal.msg_map[socket.prid] = kind
    answer = socket.nlm_request(request, msg_type=socket.prid, msg_flags=NLM_F_REQUEST | NLM_F_DUMP)
    return list(answer)


def _linked(socket: Any, index: int) -> dict[int, int]:  # noqa: ANN401 - as above
    queues = _dump(socket, _Queue, _QUEUE_GET, "NETDEV_A_QUEUE_IFINDEX", index)
    return {
        queue.get_attr("NETDEV_A_QUEUE_ID"): napi
        for queue in queues
        if queue.get_attr("NETDEV_A_QUEUE_TYPE") == _RECEIVE
        and (napi := queue.get_attr("NETDEV_A_QUEUE_NAPI_ID"))
    }


def _in_order(socket: Any, index: int, queues: int) -> dict[int, int]:  # noqa: ANN401 - as above
    instances = _dump(socket, _Napi, _NAPI_GET, "NETDEV_A_NAPI_IFINDEX", index)
    ids = sorted(instance.get_attr("NETDEV_A_NAPI_ID") for instance in instances)
    return dict(enumerate(ids)) if len(ids) == queues else {}
