"""Who holds an interface: the XDP programs on it, and the processes that keep them there.

A program attached by netlink, as ip-link(8) does, stays until somebody detaches it. One attached by
a ``bpf_link`` stays as long as a process or a file of a BPF filesystem holds that link, and
ip-link(8) can't detach it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdplab.native import ffi, lib
from xdplab.net.namespace import Namespace
from xdplab.net.netlink import netlink

if TYPE_CHECKING:
    from xdplab.net.interface import Interface

_PROCESSES = Path("/proc")
_FILL_RING = f"{0x100000000:x}"  # XDP_UMEM_PGOFF_FILL_RING, where only AF_XDP sockets are mapped
_SEVERAL = "xdp"
# IFLA_XDP_ATTACHED as pyroute2 has it, which are ip-link(8)'s words; and what each is to a user.
_MODES = {"xdp": "native", "xdpgeneric": "skb", "xdpoffload": "offloaded"}


@dataclass(frozen=True)
class Process:
    """A process that holds something."""

    number: int
    name: str

    @property
    def is_ours(self) -> bool:
        """Whether it is the calling process."""
        return self.number == os.getpid()

    def __str__(self) -> str:
        return "this process" if self.is_ours else f"process {self.number} ({self.name})"


@dataclass(frozen=True)
class Attached:
    """An XDP program on an interface."""

    number: int
    """Its id; 0 where there are several, one for each mode."""
    mode: str
    """The word by which ip-link(8) detaches it: ``"xdp"`` or ``"xdpgeneric"``."""
    processes: tuple[Process, ...] = ()
    """Processes that hold a link to it, as far as this process may see them."""
    pinned: tuple[str, ...] = ()
    """Files that hold a link to it."""
    name: str = ""
    """Its name, as far as this process may ask; empty where there are several."""

    @property
    def attach(self) -> str:
        """The mode as `Engine` calls it."""
        return _MODES.get(self.mode, self.mode)

    @property
    def is_dispatcher(self) -> bool:
        """Whether it is libxdp's, which runs the programs of several users one after the other."""
        return self.name == "xdp_dispatcher"


def attached(interface: Interface) -> Attached | None:
    """Find the XDP program on an interface, and its holders."""
    # Holders are looked for from here: through a broker, a namespace is another process's.
    return _with_holders(interface.namespace.run(_attached, interface.index))


def attached_above(interface: Interface) -> tuple[str, Attached] | None:
    """Find an XDP program on an interface above this one, such as a macvlan, with its name."""
    name, mode, number = interface.namespace.run(_attached_above, interface.index)
    found = _with_holders((mode, number))
    return (name, found) if found else None


def socket_holders(namespace: Namespace) -> list[Process]:
    """List the processes with AF_XDP sockets in a network namespace, as far as visible.

    The kernel does not tell which interface they are bound to (except with CONFIG_XDP_SOCKETS_DIAG,
    which few kernels have).
    """
    return [
        _named(process)
        for process in _processes()
        if any(_is_of(namespace, process, each) for each in _af_xdp_sockets(process))
    ]


def _af_xdp_sockets(process: int) -> Iterator[int]:
    """Find the descriptors of a process' AF_XDP sockets that have rings."""
    with suppress(OSError):
        maps = (_PROCESSES / str(process) / "maps").read_text()
        mapped = set(re.findall(rf"^\S+ \S+ {_FILL_RING} .*(socket:\[\d+\])", maps, re.MULTILINE))
        for descriptor in (_PROCESSES / str(process) / "fd").iterdir() if mapped else ():
            with suppress(OSError):
                if str(descriptor.readlink()) in mapped:
                    yield int(descriptor.name)


def _is_of(namespace: Namespace, process: int, descriptor: int) -> bool:
    found = lib.xdplab_network_of_socket(process, descriptor)
    if found < 0:
        return False
    with Namespace(found) as other:
        return other.identity == namespace.identity


def _attached(index: int) -> tuple[str, int]:
    with netlink("read which XDP program is attached") as route:
        (link,) = route.get_links(index)
        return _of_link(link)


def _attached_above(index: int) -> tuple[str, str, int]:
    with netlink("read which XDP programs are attached") as route:
        for link in route.get_links():
            below = link.get("link") == index and link.get("link_netnsid") is None
            if (below or link.get("master") == index) and (found := _of_link(link))[0]:
                return str(link.get("ifname")), *found
    return "", "", 0


def _of_link(link: Any) -> tuple[str, int]:
    """Read mode and id of the program on an interface; "" where there is none."""
    xdp = link.get("xdp") or {}
    mode = xdp.get("IFLA_XDP_ATTACHED")
    return (str(mode), int(xdp.get("IFLA_XDP_PROG_ID") or 0)) if mode else ("", 0)


def _with_holders(found: tuple[str, int]) -> Attached | None:
    mode, number = found
    if not mode:
        return None
    # Several at once (one in each mode) have no number in common.
    if not number:
        return Attached(0, _SEVERAL)
    holders = tuple(_named(process) for process in _processes() if _holds(process, number))
    return Attached(number, mode, holders, tuple(_pinned(number)), _name_of(number))


def _name_of(number: int) -> str:
    name = ffi.new("char[16]")
    refused = lib.xdplab_program_name(number, name)
    return "" if refused else str(ffi.string(name).decode("ascii", "replace"))


def _processes() -> Iterator[int]:
    return (int(each.name) for each in _PROCESSES.iterdir() if each.name.isdigit())


def _named(process: int) -> Process:
    with suppress(OSError):
        return Process(process, (_PROCESSES / str(process) / "comm").read_text().strip())
    return Process(process, "?")


def _holds(process: int, program: int) -> bool:
    """Tell whether a process holds a link to a program; False where that can't be seen."""
    with suppress(OSError):
        for descriptor in (_PROCESSES / str(process) / "fd").iterdir():
            with suppress(OSError):
                if "bpf" in str(descriptor.readlink()) and _is_link_to(descriptor, program):
                    return True
    return False


def _is_link_to(descriptor: Path, program: int) -> bool:
    about = (descriptor.parents[1] / "fdinfo" / descriptor.name).read_text()
    facts = dict(line.split(":", 1) for line in about.splitlines() if ":" in line)
    return "link_id" in facts and facts.get("prog_id", "").strip() == str(program)


def _pinned(program: int) -> Iterator[str]:
    """Find the files of BPF filesystems that are links to a program."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    for place in (mount[1] for mount in mounts if mount[2] == "bpf"):
        for folder, _, names in os.walk(place):
            for path in (Path(folder, name) for name in names):
                descriptor = lib.xdplab_pinned(os.fsencode(path))
                if descriptor < 0:
                    continue
                with suppress(OSError):
                    if _is_link_to(Path(f"/proc/self/fd/{descriptor}"), program):
                        yield str(path)
                os.close(descriptor)
