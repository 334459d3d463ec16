"""Remedies that depend on the place and the cause of a refusal.

Each takes the place of the refusal, as far as that is known, looks at what is there, and returns
sentences whose commands and settings can be typed as they stand.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from xdplab.core.errors import XdplabError
from xdplab.core.kernel_release import kernel_release
from xdplab.core.own_limits import more_locked_memory
from xdplab.native import lib
from xdplab.net.far_end import far_end
from xdplab.net.holders import Attached, Process, attached, attached_above, socket_holders
from xdplab.net.shell_commands import ip_in
from xdplab.net.virtio import lacks_for_zero_copy
from xdplab.refusals import io_uring

if TYPE_CHECKING:
    from xdplab.net.interface import Interface

GONE = "The interface is gone: look it up again, or make a new lab."
_MOST_MTU = 3400  # fits one buffer a packet, with some to spare
_HUGE_PAGE = 2 << 20


class Asked(Protocol):
    """The settings of an engine on which a remedy depends."""

    @property
    def remade(self) -> bool:
        """Whether they are those of `Engine.reconfigure`, which takes settings by flat names."""

    def setting(self, name: str) -> Any:
        """Return a setting by its flat name."""

    @property
    def umem_bytes(self) -> int:
        """Bytes of its UMEM."""

    @property
    def queues(self) -> tuple[int, ...]:
        """The queues that have a worker."""


class Place(NamedTuple):
    """Where something was refused."""

    interface: Interface | None = None
    configuration: Asked | None = None
    own_program: bool = False
    """Whether the XDP program is the user's own, and not an engine's."""


NOWHERE = Place()
"""For a refusal without a place, or where the place does not matter."""


def _memory(place: Place, setting: str) -> str:
    """Write a setting of `Memory` as the refused call takes it."""
    asked = place.configuration
    return setting if asked and asked.remade else f"memory=Memory({setting})"


def _typed(interface: Interface, command: str) -> str:
    """Write an ip-link(8) command for an interface as a user types it, in any namespace."""
    return f"`{ip_in(interface.namespace)} link set dev {command}`"


def program_held(place: Place) -> str:
    """Say who has an XDP program on an interface, and how to detach it."""
    usual = (
        "Another engine or XDP program holds the interface: close it, engine.close(), or end what "
        "attached it."
    )
    interface = place.interface
    if interface is None:
        return usual
    with suppress(XdplabError, OSError):
        if found := attached(interface):
            return _take_off(found, interface.name, interface)
        if above := attached_above(interface):
            name, found = above
            return f"{name} is on top of {interface.name}. {_take_off(found, name, interface)}"
        return f"{usual} By now there is none on {interface.name}: try again."
    return usual


def _take_off(found: Attached, name: str, interface: Interface) -> str:
    called = f" ({found.name})" if found.name else ""
    words = "XDP programs are" if not found.number else f"XDP program {found.number}{called} is"
    there = f"{words} on {name}, attach={found.attach!r}"
    if found.is_dispatcher:
        there += (
            ": libxdp's dispatcher, which runs programs that others put there, and beside which no "
            "engine runs. With it they all go"
        )
    if not found.processes and not found.pinned:
        off = _typed(interface, f"{name} {found.mode} off")
        return (
            f"{there}, and no process that can be seen from here holds it: {off} takes it off. If "
            "that says EBUSY, a process that only root can see holds it: try again as root."
        )
    ways = [_end(process) for process in found.processes]
    ways += [f"The file {path} holds it: `sudo rm {path}`." for path in found.pinned]
    return f"{there}, by a link, which ip-link(8) can't take off. {' '.join(ways)}"


def _end(process: Process) -> str:
    if process.is_ours:
        return (
            "This process holds it: close the engine, engine.close(), or the link, link.close(). "
            "On a Program of your own, which has an XSKMAP, an engine can run: program=program."
        )
    return (
        f"Process {process.number} ({process.name}) holds it, as another engine would: "
        f"close that engine there, or end the process, `{_sudo(process)}kill {process.number}`."
    )


def _sudo(process: Process) -> str:
    with suppress(OSError):
        return "" if Path(f"/proc/{process.number}").stat().st_uid == os.geteuid() else "sudo "
    return "sudo "


def generator_held(place: Place) -> str:
    """Say who has an XDP program on the loopback interface, where a generator puts its own."""
    usual = "A generator of this host is still open: close it first, traffic.close()."
    if place.interface is None:
        return usual
    with suppress(XdplabError, OSError):
        loopback = type(place.interface).find("lo", place.interface.namespace)
        found = attached(loopback)
        if found and not any(process.is_ours for process in found.processes):
            return _take_off(found, "lo", loopback)
    return usual


def queue_held(place: Place) -> str:
    """Say who is bound to a queue, and whether another one is free."""
    interface = place.interface
    if interface is None:
        return "Another engine or AF_XDP socket is bound to the queue: close it, engine.close()."
    with suppress(XdplabError, OSError):
        # While another program holds the interface, no queue of it is free.
        if attached(interface):
            return program_held(place)
    holders = list(_others_with_sockets(interface))
    ends = ", ".join(f"{process}: `{_sudo(process)}kill {process.number}`" for process in holders)
    who = f" These have AF_XDP sockets in its network namespace: {ends}." if holders else ""
    queues = interface.queues
    other = f" Or choose another queue of its {queues}, 0 to {queues - 1}." if queues > 1 else ""
    return (
        f"Another engine or AF_XDP socket is bound to the queue: close it, or end its process."
        f"{who}{other}"
    )


def _others_with_sockets(interface: Interface) -> Iterator[Process]:
    """Find the other processes that may be bound to an interface's queues."""
    with suppress(XdplabError, OSError):
        yield from (each for each in socket_holders(interface.namespace) if not each.is_ours)


def down_or_gone(place: Place) -> str:
    """Tell an interface that is down from one that is gone."""
    interface = place.interface
    if interface is not None:
        with suppress(XdplabError, OSError):
            if not interface.is_up():
                up = _typed(interface, f"{interface.name} up")
                return f"The interface is down: {up}."
    return GONE


def native_refused(place: Place) -> str:
    """Tell an interface that is gone from a driver that refuses."""
    interface = place.interface
    if interface is None or _is_there(interface):
        return "The driver refuses native XDP as it is set up: ask for attach='skb'."
    return GONE


def _is_there(interface: Interface) -> bool:
    try:
        interface.is_up()
    except (XdplabError, OSError):
        return False
    return True


def mtu(place: Place) -> str:
    """Say which interface needs a lower MTU for a program that takes one buffer a packet."""
    ask = (
        'put the program into SEC("xdp.frags")'
        if place.own_program
        else f"ask for {_memory(place, 'multi_buffer=True')}"
    )
    several = f"The packets of this MTU do not fit one buffer: {ask}"
    interface = place.interface
    if interface is None:
        return f"{several}, or lower the MTU to {_MOST_MTU:,} or less."
    if interface.driver != "veth":
        lower = _typed(interface, f"{interface.name} mtu {_MOST_MTU}")
        return f"{several}, or lower the MTU: {lower}."
    # The veth driver checks the MTU of the other end, which sends.
    end = far_end(interface)
    if end is not None and end.name:
        command = f"`{end.prefix}ip link set dev {end.name} mtu {_MOST_MTU}`"
        return f"{several}, or lower its peer's: {command} (of a lab, Lab(mtu={_MOST_MTU}))."
    return (
        f"{several}, or lower the MTU of the veth's other end, which is in another namespace, to "
        f"{_MOST_MTU:,} or less: of a lab, Lab(mtu={_MOST_MTU})."
    )


def no_metadata(place: Place) -> str:
    """Say which argument to leave out where the driver has no metadata of packets."""
    from xdplab.net.features import read_xdp_features  # noqa: PLC0415 - slow to import

    interface = place.interface
    what = "The driver tells an XDP program nothing of a packet: leave out metadata"
    if interface is None:
        return f"{what}."
    found = interface.namespace.run(read_xdp_features, interface.index)
    return f"{what}." if found and found.native else f"{what}, and ask for attach='skb'."


def no_zero_copy(place: Place) -> str:
    """Say what a driver without zero-copy takes."""
    from xdplab.net.features import read_xdp_features  # noqa: PLC0415 - slow to import

    interface = place.interface
    if interface is not None:
        found = interface.namespace.run(read_xdp_features, interface.index)
        if found is not None and not found.native:
            return (
                "The driver has neither zero-copy nor native XDP: ask for attach='skb', with which "
                "frames are copied, and leave out bind."
            )
        asked = place.configuration
        if found is not None and found.zero_copy and asked and asked.setting("multi_buffer"):
            return (
                "The driver has zero-copy, but for packets of one frame only (its xdp_zc_max_segs "
                f"is {found.segments or 1}): ask for bind='copy', or leave out multi_buffer=True."
            )
    return "The driver has no zero-copy AF_XDP: ask for bind='copy', or 'auto' to take the best."


def features(place: Place) -> str:
    """Say which of the settings needs a newer kernel."""
    asked = place.configuration
    needs = [
        words
        for wanted, words in (
            (
                asked is None or asked.setting("metadata"),
                "metadata=True needs Linux 6.3 with its own types (/sys/kernel/btf/vmlinux): leave "
                "it out",
            ),
            (
                asked is None or asked.setting("multi_buffer"),
                "multi_buffer=True needs 6.6: leave it out",
            ),
        )
        if wanted
    ]
    if needs:
        return f"This kernel lacks what the program asks for: {'; '.join(needs)}."
    return "This kernel is too old for the program: take Lab(backend='soft'), or Linux 5.10."


def no_io_uring(step: int, code: int, _place: Place) -> str:
    """Say why io_uring is refused to a receive path or a wait strategy."""
    if step == lib.XDPLAB_STEP_PREPARE_PATH:
        return io_uring.remedy(code, "path='udp-epoll'")
    if step == lib.XDPLAB_STEP_PREPARE_TCP:
        return io_uring.remedy(code, "tcp-epoll")
    busy = " For wait='busy-poll' CAP_NET_ADMIN is missing." if code == errno.EPERM else ""
    return io_uring.remedy(code, "wait='poll'") + busy


def no_zero_copy_receive(_place: Place) -> str:
    """Say what a kernel needs to receive TCP by io_uring, with the pages of the program."""
    release = ".".join(map(str, kernel_release()))
    return (
        "tcp-zcrx, io_uring's zero-copy receive without a device, takes Linux 7.1 or newer, built "
        f"with CONFIG_IO_URING_ZCRX, and this is {release}; tcp-uring takes 6.1. Take tcp-epoll."
    )


def no_call(_place: Place) -> str:
    """Tell a system call that the kernel lacks from one that a seccomp filter refuses."""
    who = "A seccomp filter refuses that here, as containers have one"
    return (
        f"{who if io_uring.is_filtered() else 'This kernel lacks that'}: Lab(backend='soft') does "
        "without."
    )


def cores(_place: Place) -> str:
    """Say which cores this process may run on."""
    first, *others = sorted(os.sched_getaffinity(0))
    rest = f", or another of its cores, {others}" if others else ""
    return f"This process may not run there by now: make a new engine, with cpu={first}{rest}."


def locked_memory(place: Place) -> str:
    """Say how this process can lock the memory that the UMEM needs."""
    return more_locked_memory(0 if place.configuration is None else place.configuration.umem_bytes)


def huge_pages(place: Place) -> str:
    """Say how many huge pages to reserve."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    pages = {words[0]: int(words[1]) for words in lines if words[0].startswith("HugePages_")}
    wanted = 1 if place.configuration is None else place.configuration.umem_bytes // _HUGE_PAGE + 1
    more = max(wanted - pages.get("HugePages_Free:", 0), 0) + pages.get("HugePages_Total:", 0)
    ask = _memory(place, "huge_pages='auto'")
    return (
        f"Too few huge pages are free (HugePages_Free in /proc/meminfo): set some aside with "
        f"`sudo sysctl vm.nr_hugepages={more}`, choose a smaller ring_size, or take "
        f"{ask}."
    )


def frame_sizes(place: Place) -> str:
    """Say which frames the kernel takes, or that it takes no metadata of sent packets."""
    asked = place.configuration
    if asked is not None and asked.setting("checksum") == "device" and kernel_release() < (6, 11):
        return (
            "checksum='device' takes Linux 6.11 or newer: leave it out, and the worker finishes "
            "them."
        )
    return (
        "Choose frame_size 2048 or 4096: the kernel takes a power of two from 2048 to one page, "
        f"and with {_memory(place, 'unaligned=True')} whatever lies between. With a headroom, "
        "choose a smaller one."
    )


def queue_or_frame(place: Place) -> str:
    """Say why a bind was refused as invalid: the queue, several frames a packet, or their size."""
    interface, asked = place.interface, place.configuration
    if interface is not None and asked is not None:
        most = interface.queues - 1
        with suppress(XdplabError, OSError):
            most = type(interface).find(interface.name, interface.namespace).queues - 1
        if max(asked.queues) > most:
            return f"{interface.name} has queues 0 to {most} by now: choose queue={most}."
        if asked.setting("bind") == "zero-copy" and (lacks := lacks_for_zero_copy(interface)):
            return f"For zero-copy {lacks}: ask for bind='copy'."
        if asked.setting("multi_buffer"):
            return "multi_buffer=True came with Linux 6.6: leave it out."
    return (
        "The driver has no such queue, or can't hold frames of this size: ask for bind='copy', and "
        "see `ethtool -l`."
    )
