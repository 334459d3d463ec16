"""What becomes of packets that an XDP program on a veth sends back (XDP_TX)."""

from __future__ import annotations

from contextlib import suppress

from xdplab.core.errors import XdplabError
from xdplab.core.text import counted
from xdplab.net.driver_counters import verdicts
from xdplab.net.far_end import FarEnd, far_end
from xdplab.net.interface import Interface
from xdplab.net.netlink import netlink
from xdplab.net.offloads import command, left_to_device, read


def hindrances(interface: Interface) -> list[str]:
    """Say, in sentences, why the other end of a veth does not take them, and what helps."""
    end = far_end(interface) if interface.driver == "veth" else None
    if end is None or end.namespace is None or not end.name:
        return []
    said = []
    try:
        # A veth wakes its NAPI for such frames only where it has a program (veth_xdp_flush, Linux
        # 6.18); GRO alone does not do.
        if not end.namespace.run(_has_program, end.index):
            said.append(
                f"{end.name}, the other end of {interface.name}, does not notice them, as it has "
                f"no XDP program: Program(GALLERY['pass'], {end.name!r}).attach() attaches one"
                f"{_there(end)}."
            )
        if left_to_device(end.namespace.run(read, end.name))[0]:
            said.append(
                f"The stack at {end.name} leaves checksums to its device, and drops packets of its "
                "own that come back unfinished (`nstat -az` there: UdpInCsumErrors): "
                f"`{command(end, 'tx off')}` has it finish them."
            )
    except XdplabError:  # gone by now
        return []
    return said


def unnoticed(interface: Interface) -> str:
    """Say how many packets programs sent back on a veth, and why they were lost, if they were."""
    with suppress(XdplabError):  # gone by now
        told = verdicts(interface.driver, interface.driver_statistics())
        if told is not None and told.sent and (why := hindrances(interface)):
            packets = counted(told.sent, "packet")
            return f"On {interface.name}, programs sent {packets} back (XDP_TX). {' '.join(why)}"
    return ""


def _there(end: FarEnd) -> str:
    return f", in `{end.prefix}python3`" if end.prefix else ""


def _has_program(index: int) -> bool:
    with netlink("read which XDP program is attached") as route:
        (link,) = route.get_links(index)
        return bool((link.get("xdp") or {}).get("IFLA_XDP_ATTACHED") == "xdp")
