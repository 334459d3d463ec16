"""What is peculiar to virtio-net: its queues, and what its device lacks for AF_XDP's zero-copy.

The driver advertises zero-copy all the same, and refuses the bind of a socket with EINVAL or ENOENT
(virtnet_xsk_pool_enable, Linux 6.18): the device, and so the hypervisor, decides.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from xdplab.core.errors import KernelError
from xdplab.net.netlink import bus_address, ethtool

if TYPE_CHECKING:
    from xdplab.net.interface import Interface

DRIVER = "virtio_net"

# Bits of the features that driver and device agreed on (linux/virtio_config.h, Linux 6.0), and how
# QEMU is told to offer them.
_NEEDED = {
    33: ("VIRTIO_F_ACCESS_PLATFORM", "iommu_platform=on,disable-legacy=on"),
    40: ("VIRTIO_F_RING_RESET", "queue_reset=on"),
}


def lacks_for_zero_copy(interface: Interface) -> str:
    """Say what its device lacks for zero-copy, and how QEMU gives it that.

    Returns
    -------
    str
        In words that go on after a subject; empty for another driver, where it lacks nothing, and
        where that can't be read.
    """
    if interface.driver != DRIVER:
        return ""
    agreed = interface.namespace.run(_agreed, interface.name)
    lacking = [each for bit, each in _NEEDED.items() if agreed and agreed[bit : bit + 1] != "1"]
    if not lacking:
        return ""
    names = " and ".join(name for name, _option in lacking)
    options = ",".join(option for _name, option in lacking)
    return f"the virtual device lacks {names} (QEMU: `-device virtio-net-pci,{options}`)"


def queues_that_stay(interface: Interface) -> int:
    """Return how many queues to set so that an XDP program adds none.

    The driver adds a queue for each core while it has a program, if the device has as many, and
    packets arrive on them, too (virtnet_xdp_set, Linux 6.18). No socket can be bound to them
    before.

    Returns
    -------
    int
        All that the device has; 0 for another driver, and where the driver does not tell.
    """
    if interface.driver != DRIVER:
        return 0
    return interface.namespace.run(_most_queues, interface.name)


def _most_queues(name: str) -> int:
    with suppress(KernelError), ethtool(name, f"ask the driver of {name}") as device:
        return int(device.get_channels().max_combined)
    return 0


def _agreed(name: str) -> str:
    """Read the features as the kernel shows them: a character a bit; empty where it does not."""
    with suppress(KernelError, OSError), ethtool(name, f"ask the driver of {name}") as device:
        # Not by /sys/class/net, which shows the interfaces of one network namespace.
        for file in Path("/sys/bus/pci/devices", bus_address(device)).glob("virtio*/features"):
            return file.read_text().strip()
    return ""
