"""How to see that an anonymous network namespace has ended."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pyroute2 import IPRoute

from support.joined_lab_process import namespace_beside
from xdplab.net.namespace import Namespace


class Witness:
    """Puts one end of a veth pair of its own into each network namespace that a process holds.

    The kernel removes a veth with its other end, and its other end with the namespace. So while
    one of these is left, a namespace is too, whoever keeps it alive. There is no list to look at.
    """

    def __init__(self, process: int) -> None:
        held = [link for link in Path(f"/proc/{process}/fd").iterdir() if _is_away(link)]
        spaces = [Namespace(os.open(link, os.O_RDONLY)) for link in held]
        self._own = namespace_beside(spaces)
        for number, space in enumerate(spaces):
            self._own.run(_join, f"end{number}", space)
            space.close()

    def left(self) -> int:
        """Count the namespaces that have not ended."""
        return self._own.run(_count_veths)

    def sees_the_end(self) -> bool:
        """Wait for the kernel, whose one worker ends the namespaces of all processes in turn."""
        deadline = time.monotonic() + 90
        while self.left():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def _is_away(link: Path) -> bool:
    """Tell whether a descriptor holds a network namespace other than our own."""
    try:
        target = str(link.readlink())
    except FileNotFoundError:  # it was the one that listed the descriptors
        return False
    return target.startswith("net:[") and target != str(Path("/proc/self/ns/net").readlink())


def _join(name: str, space: Namespace) -> None:
    with IPRoute() as route:
        peer = {"ifname": "watched", "net_ns_fd": space.fd}
        route.link("add", kind="veth", ifname=name, peer=peer)


def _count_veths() -> int:
    with IPRoute() as route:
        return len(list(route.get_links(kind="veth")))
