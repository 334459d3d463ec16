"""A lab's two hosts, and a network's several, of real namespaces and veth pairs."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from xdplab.backends.kernel.wire import make_wire, wait_until_quiet
from xdplab.backends.lab_plan import PEER_SIDE, PORT_SIDE, LabPlan
from xdplab.backends.network_plan import NetworkPlan, Route
from xdplab.core.errors import KernelError
from xdplab.net.host import Host
from xdplab.net.namespace import Namespace
from xdplab.net.netlink import netlink

_LAB_INDEX = 3
_FIRST_INDEX = 1000  # above all that the kernel chooses
_FORWARDING = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")


def make_lab(plan: LabPlan, create_namespace: Callable[[], Namespace]) -> tuple[Host, Host]:
    """Make two hosts, port and peer; the wire between them is up and quiet on return.

    Parameters
    ----------
    plan
        Size and addresses of the lab.
    create_namespace
        Makes a network namespace in which `run` has privilege.

    Raises
    ------
    KernelError
        When the kernel refuses. Nothing half-made is left.
    """
    with ExitStack() as undo:
        namespaces = (
            undo.enter_context(create_namespace()),
            undo.enter_context(create_namespace()),
        )
        ends = plan.end(PORT_SIDE), plan.end(PEER_SIDE)
        hosts = make_wire(ends, namespaces, _LAB_INDEX)
        _wait([hosts])
        undo.pop_all()
    return hosts


def make_network(
    plan: NetworkPlan, create_namespace: Callable[[], Namespace]
) -> list[tuple[Host, Host]]:
    """Make hosts with routes to each other; all wires are up and quiet on return.

    Parameters
    ----------
    plan
        Hosts, wires and addresses.
    create_namespace
        As in `make_lab`.

    Returns
    -------
    list
        The ends of each wire.

    Raises
    ------
    KernelError
        When the kernel refuses. Nothing half-made is left.
    """
    with ExitStack() as undo:
        spaces = {name: undo.enter_context(create_namespace()) for name in plan.hosts}
        for name, space in spaces.items():
            if plan.forwards(name):
                space.run(_forward, name)
        wires = [
            make_wire(
                (plan.end(number, 0), plan.end(number, 1)),
                (spaces[first], spaces[second]),
                _FIRST_INDEX + number,
            )
            for number, (first, second) in enumerate(plan.wires)
        ]
        for name, space in spaces.items():
            space.run(_add_routes, plan.routes(name))
        _wait(wires)
        undo.pop_all()
    return wires


def _forward(name: str) -> None:
    """Let a namespace forward packets: from the beginning, as its interfaces take it over."""
    for setting in _FORWARDING:
        try:
            (Path("/proc/sys/net") / setting).write_text("1")
        except OSError as error:
            remedy = "/proc/sys is often read-only in a container: start it as a privileged one."
            code = error.errno or errno.EIO
            raise KernelError(f"let {name} forward packets", code, remedy) from error


def _add_routes(routes: Sequence[Route]) -> None:
    with netlink("add routes") as route:
        for each in routes:
            family = socket.AF_INET if each.gateway.version == 4 else socket.AF_INET6
            route.route(
                "add",
                family=family,
                dst=each.network,
                gateway=str(each.gateway),
                oif=socket.if_nametoindex(each.interface),
            )


def _wait(wires: Sequence[tuple[Host, Host]]) -> None:
    for ends in wires:
        for host in ends:
            host.run(wait_until_quiet, host.interface.name)
