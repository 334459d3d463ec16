"""The kernels and the cards that there are: a line each."""

from __future__ import annotations

from typing import NamedTuple


class Kernel(NamedTuple):
    """A kernel of Debian's archive."""

    suites: tuple[str, ...]
    """Suites of the archive: the last has it."""
    about: str


class Card(NamedTuple):
    """A network card that QEMU emulates."""

    driver: str
    """The kernel's module."""
    device: str
    """The device of QEMU's, with its options, but for netdev, mac and bus."""
    native_since: tuple[int, int]
    """The kernel since which its driver runs XDP programs."""
    zero_copy_since: tuple[int, int] | None
    """The kernel since which its driver has AF_XDP's zero-copy; None: none has."""
    needs_port: bool = False
    """Whether each sits behind a PCIe root port of its own."""
    queues: int = 1
    """Queues that QEMU gives each; several take a tap in place of its hub, which has one."""


KERNELS = {
    "6.1": Kernel(("bookworm",), "Debian 12's"),
    "6.12": Kernel(("bookworm", "bookworm-backports"), "the long-term kernel in between"),
    "newest": Kernel(("trixie", "trixie-backports"), "the newest that Debian has"),
}

# virtio-net has an IOMMU's addresses only where it is told so, without which it has no zero-copy.
# QEMU's igb works behind a root port alone.
CARDS = {
    "igb": Card("igb", "igb", (5, 10), (6, 14), needs_port=True),
    "virtio-net": Card(
        "virtio_net", "virtio-net-pci,iommu_platform=on,disable-legacy=on", (4, 10), (6, 13)
    ),
    "virtio-net-queues": Card(
        "virtio_net",
        "virtio-net-pci,iommu_platform=on,disable-legacy=on,mq=on,vectors=10",
        (4, 10),
        (6, 13),
        queues=4,
    ),
    "virtio-net-plain": Card("virtio_net", "virtio-net-pci", (4, 10), None),
    "vmxnet3": Card("vmxnet3", "vmxnet3", (6, 6), None),
}

SELECTED = (("newest", "igb"), ("newest", "virtio-net"), ("6.1", "virtio-net"))
"""Kernels with cards for everyday: both cards that have zero-copy, and the oldest kernel."""

FIRST, SECOND = "card0", "card1"
"""Names of a guest's two cards, which are joined by a wire."""
