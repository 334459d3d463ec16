"""The other end of a veth or netkit pair: which interface that is, and how a shell gets there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from xdplab.errors import XdplabError
from xdplab.interface import Interface
from xdplab.namespace import Namespace
from xdplab.netlink import netlink

_PAIRS = ("veth", "netkit")
_NAMED = Path("/run/netns")  # where ip-netns(8) keeps them
_PROCESSES = Path("/proc")


@dataclass(frozen=True)
class FarEnd:
    """The other end of a pair.

    Parameters
    ----------
    index
        Its interface index.
    namespace
        Where it is; None where that can't be found or entered.
    name
        What it is called there; empty where that is not known.
    prefix
        What to write before a command that is meant for it, such as ``ip netns exec b``; empty
        where it is in the namespace of this process, or where no command gets there.
    """

    index: int
    namespace: Namespace | None
    name: str
    prefix: str


def far_end(interface: Interface) -> FarEnd | None:
    """Find the other end of an interface's pair; None where it is no end of one."""
    if interface.driver not in _PAIRS and interface.driver:
        return None
    index, number = interface.namespace.run(_pair, interface.index)
    if not index:
        return None
    if number is None:
        place: Namespace | None = interface.namespace
        prefix = _way_to(interface.namespace)
    else:
        place, prefix = _behind(interface, number)
    name = ""
    if place is not None:
        with suppress(XdplabError):
            name = place.run(_name_of, index)
    return FarEnd(index, place, name, prefix)


def _pair(index: int) -> tuple[int, int | None]:
    """Read the other end's index, and the id of its namespace where that is another one."""
    with netlink("look for the other end of a pair") as route:
        (link,) = route.get_links(index)
        if link.get(("linkinfo", "kind")) not in _PAIRS:
            return 0, None
        return int(link.get("link") or 0), link.get("link_netnsid")


def _name_of(index: int) -> str:
    with netlink("look up an interface by its index") as route:
        (link,) = route.get_links(index)
        return str(link.get("ifname"))


def _behind(interface: Interface, number: int) -> tuple[Namespace | None, str]:
    """Find the namespace that has this id where the interface is, and a way into it."""
    for place, prefix in _places():
        if interface.namespace.run(_id_of, place.fd) == number:
            return place, prefix
    return None, ""


def _id_of(descriptor: int) -> int | None:
    with netlink("look up a network namespace") as route:
        found = route.get_netnsid(fd=descriptor)
        return None if found is None else found["nsid"]


def _places() -> Iterator[tuple[Namespace, str]]:
    """Go through the network namespaces that can be reached from here, each once."""
    here = Namespace.current()
    seen = {here.identity}
    yield here, ""
    for path, prefix in _ways():
        with suppress(OSError):
            found = path.stat()
            if (identity := (found.st_dev, found.st_ino)) not in seen:
                seen.add(identity)
                yield Namespace(os.open(path, os.O_RDONLY)), prefix


def _ways() -> Iterator[tuple[Path, str]]:
    """List where namespaces are, those that have a name first."""
    with suppress(OSError):
        for path in sorted(_NAMED.iterdir()):
            yield path, f"ip netns exec {path.name}"
    for process in sorted(int(path.name) for path in _PROCESSES.glob("[0-9]*")):
        yield _PROCESSES / f"{process}/ns/net", f"nsenter -t {process} -n"


def _way_to(namespace: Namespace) -> str:
    if namespace.identity == Namespace.current().identity:
        return ""
    for path, prefix in _ways():
        with suppress(OSError):
            found = path.stat()
            if (found.st_dev, found.st_ino) == namespace.identity:
                return prefix
    return ""
