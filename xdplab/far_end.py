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
from xdplab.pairs import PAIRS, number_of, other_end

_NAMED = Path("/run/netns")  # where ip-netns(8) keeps them
_PROCESSES = Path("/proc")
_OWN = Path("/proc/self/fd")  # where those of labs are


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
    if interface.driver not in PAIRS and interface.driver:
        return None
    end = interface.namespace.run(other_end, interface.index)
    if end is None:
        return None
    if end.namespace is None:
        place: Namespace | None = interface.namespace
        prefix = _way_to(interface.namespace)
    else:
        place, prefix = _behind(interface, end.namespace)
    name = ""
    if place is not None:
        with suppress(XdplabError):
            name = place.run(_name_of, end.index)
    return FarEnd(end.index, place, name, prefix)


def _name_of(index: int) -> str:
    with netlink("look up an interface by its index") as route:
        (link,) = route.get_links(index)
        return str(link.get("ifname"))


def _behind(interface: Interface, number: int) -> tuple[Namespace | None, str]:
    """Find the namespace that has this id where the interface is, and a way into it."""
    for place, prefix in _places():
        if interface.namespace.run(number_of, place) == number:
            return place, prefix
    return None, ""


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
    for path in _OWN.iterdir():
        with suppress(OSError):
            if str(path.readlink()).startswith("net:"):
                yield path, f"nsenter --net=/proc/{os.getpid()}/fd/{path.name}"
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
