"""Checks of the real interfaces, which are only read: how an engine would work on each."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from xdplab.core.cores import device_interrupts
from xdplab.core.errors import InterfaceGoneError, KernelError
from xdplab.doctor.finding import Finding, Verdict
from xdplab.net import link_type
from xdplab.net.far_end import far_end
from xdplab.net.holders import attached
from xdplab.net.interface import Interface
from xdplab.net.link_pairs import PAIRS
from xdplab.net.namespace import Namespace
from xdplab.net.netlink import netlink
from xdplab.net.offloads import command, left_to_device, read
from xdplab.net.virtio import DRIVER as VIRTIO
from xdplab.net.virtio import lacks_for_zero_copy, queues_that_stay
from xdplab.refusals.remedies import Place, program_held

if TYPE_CHECKING:
    from xdplab.net.features import XdpFeatures

_UP = 1  # IFF_UP

_SPOILERS = {
    "rx-lro": (
        "lro",
        "joins frames into larger ones that an XDP program can't take: drivers refuse the program, "
        "or the frames are lost",
    ),
    "rx-gro-hw": (
        "rx-gro-hw",
        "joins frames into larger ones that an XDP program can't take: drivers refuse the program",
    ),
    "rx-vlan-hw-parse": (
        "rxvlan",
        "takes VLAN tags off frames before an XDP program sees them",
    ),
}
"""Features that harm AF_XDP, by the kernel's name: ethtool's name, and the harm."""

_REFUSED_WITH = ("rx-lro", "rx-gro-hw")
"""Those of them with which no driver runs a program, or one loses frames."""


def interfaces() -> Iterator[Finding]:
    """List the real interfaces, without changing any."""
    here = Namespace.current()
    names = here.run(real_interfaces)
    if not names:
        yield Finding("interfaces", "good", "only virtual ones; labs make their own")
    for name in names:
        with suppress(InterfaceGoneError):  # removed or moved during the check
            interface = Interface.find(name, here)
            yield describe(interface)
            yield native_xdp(interface)
            yield from metadata(interface)
            yield offloads(interface)
            yield interrupts(interface)
    for name in here.run(_ends_of_pairs):
        with suppress(InterfaceGoneError):
            yield offloads(Interface.find(name, here))
    for name in here.run(_without_ethernet):
        with suppress(InterfaceGoneError):
            interface = Interface.find(name, here)
            seen = f"carries {link_type.describe(interface)}: no engine can capture there"
            remedy = f"{link_type.instead(interface)}."
            yield Finding(f"interface {name}", "limited", seen, remedy[0].upper() + remedy[1:])


def describe(interface: Interface) -> Finding:
    """Describe in one line what matters to an engine on an interface."""
    name = interface.name
    queues = "1 queue" if interface.queues == 1 else f"{interface.queues} queues"
    seen = [f"driver {interface.driver or 'unknown'}, {queues}"]
    remedies = []
    link = interface.look().state
    if not link.passes:
        seen.insert(0, link.brief.removeprefix(f"{name} "))
        remedies.append(link.trouble())
    if interface.queues > 1:
        seen.append("an engine captures from one, or from those that queue=[0, 1] lists")
    if interface.queues < (most := queues_that_stay(interface)):
        seen.append(
            "the driver may have more while it has an XDP program, which no engine can name: "
            f"`sudo ethtool -L {name} combined {most}` has all of them before"
        )
    if interface.queues > (cores := os.cpu_count() or 1):
        remedies.append(
            f"There are more queues than cores to serve them: "
            f"`sudo ethtool -L {name} {_channels(interface)} {cores}`, or fewer."
        )
    if found := attached(interface):
        number = f"XDP program {found.number} is" if found.number else "XDP programs are"
        seen.append(f"{number} attached")
        remedies.append(f"No engine can be attached beside it. {program_held(Place(interface))}")
    if interface.carries_default_route():
        seen.append("carries the default route")
        remedies.append(
            "Capture in a lab or on another interface: one here can cut this machine off. Insist "
            f"with Engine({name!r}, allow_default_route=True)."
        )
    return _finding(f"interface {name}", seen, remedies)


def native_xdp(interface: Interface) -> Finding:
    """Check whether an interface's driver runs XDP programs, and supports zero-copy."""
    # It imports pyroute2, which is slow.
    from xdplab.net.features import read_xdp_features  # noqa: PLC0415

    features = interface.namespace.run(read_xdp_features, interface.index)
    offloaded: Mapping[str, tuple[bool, bool]] = {}
    with suppress(KernelError):  # which `offloads` tells
        offloaded = interface.namespace.run(read, interface.name)
    found = judge_native_xdp(interface.name, features, offloaded, interface.driver)
    if features and features.zero_copy and (lacks := lacks_for_zero_copy(interface)):
        seen = "yes; zero-copy in this driver, but not with this device"
        return Finding(found.name, "limited", seen, f"{lacks[0].upper()}{lacks[1:]}.")
    return found


def judge_native_xdp(
    interface: str,
    features: XdpFeatures | None,
    offloaded: Mapping[str, tuple[bool, bool]],
    driver: str = "",
) -> Finding:
    """Check what a driver says of itself, and whether an offload keeps it from that.

    Parameters
    ----------
    interface
        Its name.
    features
        The driver's XDP features, if the kernel tells.
    offloaded
        Whether each offload is on, and whether that can be changed, by the kernel's names.
    driver
        The driver's name.
    """
    name = f"{interface}: native XDP"
    offloaded = _harmful(offloaded, driver)
    if features is None:
        seen, remedy = "the kernel does not say", "Linux 6.3 and newer do. Engine(...) tries it."
        return Finding(name, "limited", seen, remedy)
    if not features.native:
        remedy = f"Engine({interface!r}, attach='skb') works, and is slower; or another NIC."
        return Finding(name, "limited", "not in this driver", remedy)
    if against := [each for each in _REFUSED_WITH if offloaded.get(each, (False, False))[0]]:
        shorts = [_SPOILERS[each][0] for each in against]
        seen = f"in this driver, but not with {' and '.join(shorts)} on"
        remedies = [_without(interface, each, offloaded[each][1]) for each in against]
        return _finding(name, [seen], remedies)
    if not features.zero_copy:
        return Finding(name, "good", "yes; no zero-copy in this driver, so frames are copied")
    several = f", up to {features.segments} frames a packet" if (features.segments or 1) > 1 else ""
    tries = f"`sudo xdplab doctor --interface {interface}` tries it"
    return Finding(name, "good", f"yes, and the driver says with zero-copy{several}: {tries}")


def metadata(interface: Interface) -> Iterator[Finding]:
    """Tell what a driver tells of received packets, and does with sent ones, where it says so."""
    # It imports pyroute2, which is slow.
    from xdplab.net.features import read_xdp_features  # noqa: PLC0415

    features = interface.namespace.run(read_xdp_features, interface.index)
    if features is None or features.tells is None or features.does is None:
        return
    told, done = (", ".join(each) or "nothing" for each in (features.tells, features.does))
    seen = f"it tells an XDP program of a received packet: {told}; it does with packets sent with "
    yield Finding(f"{interface.name}: metadata", "good", f"{seen}zero-copy: {done}")


def offloads(interface: Interface) -> Finding:
    """Check for offloads that change frames before an XDP program sees them."""
    name = f"{interface.name}: offloads"
    try:
        features = interface.namespace.run(read, interface.name)
    except KernelError as error:
        told = f"the driver does not say: {error}"
        return Finding(name, "limited", told, f"`ethtool -k {interface.name}` lists them.")
    own = judge_offloads(interface.name, features, interface.driver)
    seen, remedies = _of_other_end(interface)
    if own.verdict != "good":
        return _finding(name, [own.seen, *seen], [own.remedy, *remedies])
    return _finding(name, seen or [own.seen], remedies)


def _of_other_end(interface: Interface) -> tuple[list[str], list[str]]:
    """Return offloads of the stack at the other end of a veth, and the command against them."""
    end = far_end(interface)
    if end is None:
        return [], []
    if end.namespace is None or not end.name:
        return ["its other end is in a network namespace that can't be looked at from here"], []
    try:
        checksums, segments = left_to_device(end.namespace.run(read, end.name))
    except KernelError:
        return [], []
    seen = []
    if checksums:
        seen.append(
            f"{end.name}, its other end, leaves checksums to the device (tx), and a veth has none "
            "that would finish them: packets come unfinished, and whoever receives them by way of "
            "an engine drops them, unless the engine finishes them (engine.checksum = 'software')"
        )
    if segments:
        seen.append(
            f"{end.name} leaves segmentation to the device (tso, gso): with attach='skb' packets "
            "come longer than the MTU, and can't be sent on"
        )
    # Without checksum offload the kernel does not offload segmentation either.
    return seen, [f"`sudo {command(end, 'tx off').removeprefix('sudo ')}`."] if seen else []


def judge_offloads(
    interface: str, features: Mapping[str, tuple[bool, bool]], driver: str = ""
) -> Finding:
    """Check an interface's features for those that harm AF_XDP.

    Parameters
    ----------
    interface
        Its name.
    features
        Whether each feature is on, and whether that can be changed, by the kernel's names.
    driver
        The driver's name.
    """
    seen, remedies = [], []
    features = _harmful(features, driver)
    for feature, (short, harm) in _SPOILERS.items():
        on, changeable = features.get(feature, (False, False))
        if not on:
            continue
        seen.append(f"{short} {harm}")
        remedies.append(_without(interface, feature, changeable))
    return _finding(f"{interface}: offloads", seen or ["none that spoils AF_XDP is on"], remedies)


def _harmful(
    features: Mapping[str, tuple[bool, bool]], driver: str
) -> Mapping[str, tuple[bool, bool]]:
    """Leave out those that the driver switches off itself while it has an XDP program."""
    # virtnet_xdp_set (Linux 6.18), where the device lets it switch them.
    if driver == VIRTIO and features.get("rx-gro-hw", (False, False)) == (True, True):
        return {**features, "rx-gro-hw": (False, True)}
    return features


def _without(interface: str, feature: str, changeable: bool) -> str:
    """Return how an engine does without an offload that harms."""
    short, _harm = _SPOILERS[feature]
    if changeable:
        return f"`sudo ethtool -K {interface} {short} off`."
    return f"{short} can't be switched off here: use Engine({interface!r}, attach='skb')."


def interrupts(interface: Interface, allowed: Collection[int] | None = None) -> Finding:
    """Check which cores serve an interface's interrupts, and whether one is left for a worker.

    Parameters
    ----------
    interface
        The interface.
    allowed
        Cores on which a worker may run. Default: those of this process.
    """
    name = f"{interface.name}: interrupts"
    served = interface.interrupt_cores
    if not served:
        return Finding(name, "good", "none")
    allowed = os.sched_getaffinity(0) if allowed is None else allowed
    seen = f"on {'core' if len(served) == 1 else 'cores'} {_listed(served)}"
    if free := set(allowed) - served:
        return Finding(name, "good", f"{seen}; workers go to {_listed(free)} first")
    numbers = sorted(device_interrupts(interface.name))
    files = " ".join(f"/proc/irq/{number}/smp_affinity_list" for number in numbers)
    moved = (
        f"`echo {min(allowed)} | sudo tee {files}` moves them to core {min(allowed)}, and `sudo "
        "systemctl stop irqbalance` lets them stay."
        if numbers and len(allowed) > 1
        else f"`grep {interface.name} /proc/interrupts` shows them."
    )
    remedy = f"A worker shares its core with them. {moved}"
    return Finding(name, "limited", f"{seen}, which are all that this process may use", remedy)


def _channels(interface: Interface) -> str:
    """Return the name of the queues in ethtool(8): a veth has separate ones to receive."""
    return "rx" if interface.driver == "veth" else "combined"


def _finding(name: str, seen: list[str], remedies: list[str]) -> Finding:
    verdict: Verdict = "limited" if remedies else "good"
    return Finding(name, verdict, ", ".join(seen), " ".join(remedies))


def real_interfaces() -> list[str]:
    """List the interfaces that are no virtual ones, in the namespace of the calling thread."""
    with netlink("list the interfaces") as route:
        return [str(link.get("ifname")) for link in route.get_links() if _is_real(link)]


def _ends_of_pairs() -> list[str]:
    with netlink("list the interfaces") as route:
        links = [link for link in route.get_links() if link.get(("linkinfo", "kind")) in PAIRS]
        return [str(link.get("ifname")) for link in links]


def _without_ethernet() -> list[str]:
    """List interfaces that are up and carry no Ethernet: tunnels, TUN devices, CAN."""
    with netlink("list the interfaces") as route:
        kinds = (link_type.ETHERNET, link_type.LOOPBACK)
        links = [link for link in route.get_links() if link["ifi_type"] not in kinds]
        return [str(link.get("ifname")) for link in links if link["flags"] & _UP]


def _is_real(link: Any) -> bool:
    """Return whether a link is real Ethernet; all virtual links name their kind."""
    return link["ifi_type"] == link_type.ETHERNET and link.get(("linkinfo", "kind")) is None


def _listed(numbers: Collection[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
