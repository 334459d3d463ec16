"""How to reach a network namespace from a shell: the `ip` command for it, as a user types it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from xdplab.core.errors import XdplabError
from xdplab.net.namespace import Namespace
from xdplab.net.netlink import netlink

if TYPE_CHECKING:
    from pyroute2 import IPRoute

_NAMED = Path("/run/netns")  # ip-netns(8)
_UNKNOWN = (1 << 32) - 1  # NETNSA_NSID_NOT_ASSIGNED


def ip_in(namespace: Namespace) -> str:
    """Return the `ip` command for a namespace, to be typed in a shell of the host."""
    wanted = namespace.identity
    for place in candidates():
        if _identity(place.path) == wanted:
            return place.ip
    return f"{_sudo()}nsenter --net=/proc/{os.getpid()}/fd/{namespace.fd} ip"


def ip_in_numbered(route: IPRoute, number: int, known: tuple[Namespace, str] | None) -> str:
    """Return the `ip` command for a numbered namespace; empty where no command gets there.

    Parameters
    ----------
    route
        Of the namespace that uses this number.
    number
        As netlink gives it beside a peer's index (``link_netnsid``).
    known
        A namespace that it may be, and the `ip` command for it.
    """
    if known is not None and number_of(route, known[0].fd) == number:
        return known[1]
    for place in candidates():
        with suppress(OSError):
            descriptor = os.open(place.path, os.O_RDONLY)
            try:
                if number_of(route, descriptor) == number:
                    return place.ip
            finally:
                os.close(descriptor)
    return ""


def find_interface(index: int, mac: str) -> str:
    """Return the command that shows an interface in any namespace; empty where it is not found.

    Parameters
    ----------
    index, mac
        The interface's, in its namespace; only namespaces with a path are searched.
    """
    for place in candidates():
        with suppress(OSError, XdplabError), Namespace(os.open(place.path, os.O_RDONLY)) as inside:
            if name := inside.run(_name_of, index, mac):
                return f"{place.ip} link show {name}"
    return ""


def _name_of(index: int, mac: str) -> str:
    with netlink("look for an interface") as route:
        (link,) = route.get_links(index)
        return str(link.get("ifname")) if link.get("address") == mac else ""


def number_of(route: IPRoute, descriptor: int) -> int | None:
    """Return the number by which a namespace knows another one, given by a descriptor."""
    found = route.get_netnsid(fd=descriptor)["nsid"]
    return None if found == _UNKNOWN else int(found)


class Place(NamedTuple):
    """A network namespace that has a path, and how a shell of the host gets there."""

    path: Path
    enter: str
    """Prefix of a command that is to run there; empty where the shell is there."""
    ip: str
    """The `ip` command for it."""


def candidates() -> Iterator[Place]:
    """List the namespaces that have a path, each once: ours, named ones, held ones, processes'."""
    seen = set()
    for place in _places():
        identity = _identity(place.path)
        if identity is not None and identity not in seen:
            seen.add(identity)
            yield place


def _places() -> Iterator[Place]:
    sudo = _sudo()
    yield Place(Path("/proc/self/ns/net"), sudo, f"{sudo}ip")
    with suppress(OSError):
        for path in sorted(_NAMED.iterdir()):
            enter = f"{sudo}ip netns exec {path.name} "
            yield Place(path, enter, f"{sudo}ip -n {path.name}")
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if str(path.readlink()).startswith("net:["):
                enter = f"{sudo}nsenter --net=/proc/{os.getpid()}/fd/{path.name} "
                yield Place(path, enter, f"{enter}ip")
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            enter = f"{sudo}nsenter --target {process.name} --net "
            yield Place(process / "ns/net", enter, f"{enter}ip")


def _identity(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def _sudo() -> str:
    return "sudo " if os.geteuid() else ""
