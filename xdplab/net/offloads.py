"""Offloads that an AF_XDP frame can't describe: checksums and segmentation left to the device.

A veth, a TAP and the like offer them and do nothing: they pass the frame on unchanged, with
metadata beside it for the stack at the other end. An XDP program and an AF_XDP socket see the frame
alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from xdplab.core.errors import XdplabError
from xdplab.net.far_end import FarEnd, far_end
from xdplab.net.interface import Interface
from xdplab.net.netlink import ethtool

Features = Mapping[str, tuple[bool, bool]]
"""By the kernel's names of features: whether each is on, and whether that can be changed."""


def read(name: str) -> Features:
    """Read an interface's features, in the network namespace of the calling thread.

    Raises
    ------
    KernelError
        When the driver does not tell.
    """
    with ethtool(name, f"read the offloads of {name}") as device:
        found = device.get_features()
        return {each: (found[each], found.is_available(each)) for each in found.keys()}  # noqa: SIM118 - its iteration yields more than keys


def is_checksum(feature: str) -> bool:
    """Tell whether a feature leaves a checksum to the device."""
    return feature.startswith("tx-checksum-")


def is_segmentation(feature: str) -> bool:
    """Tell whether a feature leaves it to the device to cut packets to the MTU."""
    return feature.endswith("-segmentation")


def left_to_device(features: Features) -> tuple[bool, bool]:
    """Tell whether checksums, and whether segmentation, are left to the device."""
    on = [name for name, (is_on, _) in features.items() if is_on]
    if not any(map(is_checksum, on)):
        # Segments need new checksums, so without checksum offload the kernel itself segments
        # (harmonize_features, Linux 6.18), whatever the other features are.
        return False, False
    # tx-generic-segmentation is the kernel's own, done just before the device.
    return True, any(is_segmentation(name) and name != "tx-generic-segmentation" for name in on)


def of_far_end(interface: Interface) -> tuple[FarEnd, Features] | None:
    """Read the features of the other end of a pair; None where there is none, or out of reach."""
    end = far_end(interface)
    if end is None or end.namespace is None or not end.name:
        return None
    try:
        return end, end.namespace.run(read, end.name)
    except XdplabError:
        return None


def command(end: FarEnd, switches: str) -> str:
    """Return the command line that sets features of an interface's other end."""
    return f"{end.prefix}ethtool -K {end.name} {switches}"


def remedies_for_checksums(interface: Interface) -> list[str]:
    """Return commands that let the sending stack finish checksums itself."""
    found = of_far_end(interface)
    if found is None or not left_to_device(found[1])[0]:
        return []
    # Without checksums the kernel leaves no segmentation to the device either.
    return [command(found[0], "tx off")]


def remedies_for_length(interface: Interface) -> list[str]:
    """Return commands that keep packets to an interface from being longer than the MTU."""
    commands = []
    found = of_far_end(interface)
    if found is not None and left_to_device(found[1])[1]:
        commands.append(command(found[0], "tx off"))
    try:
        merged, _ = interface.namespace.run(read, interface.name).get("rx-gro", (False, False))
    except XdplabError:
        merged = False
    if merged:
        commands.append(f"ethtool -K {interface.name} gro off")
    return commands
