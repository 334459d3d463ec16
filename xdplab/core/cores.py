"""Default cores for workers and generators."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from xdplab.core.errors import ConfigurationError

_INTERFACES = Path("/sys/class/net")


def worker_core() -> int:
    """Choose the last core this process may run on: the first ones serve interrupts."""
    return max(os.sched_getaffinity(0))


def worker_cores(workers: int, interrupted: Collection[int] = ()) -> tuple[int, ...]:
    """Choose a core for each worker: from the last downwards, and then from the last again.

    Parameters
    ----------
    workers
        How many.
    interrupted
        Cores that serve the device's interrupts: they are chosen last.
    """
    allowed = sorted(os.sched_getaffinity(0), reverse=True)
    cores = sorted(allowed, key=lambda core: core in interrupted)
    return tuple(cores[number % len(cores)] for number in range(workers))


def interrupt_cores(interrupt: int) -> frozenset[int]:
    """Read which cores serve an interrupt; none where that can't be known."""
    folder = Path("/proc/irq") / str(interrupt)
    for name in ("effective_affinity_list", "smp_affinity_list"):
        with suppress(OSError, ValueError):
            if cores := _listed((folder / name).read_text()):
                return cores
    return frozenset()


def device_interrupts(interface: str) -> frozenset[int]:
    """Find the interrupts of the device behind an interface; none where it has none.

    They are its PCI device's (``msi_irqs``, Documentation/ABI/testing/sysfs-bus-pci, Linux 3.2); of
    a virtio device, those of its parent.
    """
    device = _INTERFACES / interface / "device"
    for folder in (device, device / ".."):
        with suppress(OSError):
            return frozenset(int(number.name) for number in (folder / "msi_irqs").iterdir())
    return frozenset()


def _listed(text: str) -> frozenset[int]:
    """Read a list of cores as the kernel writes it: ``0-3,8``."""
    ranges = [part.partition("-") for part in text.split(",") if part.strip()]
    return frozenset(
        core for first, _, last in ranges for core in range(int(first), int(last or first) + 1)
    )


def generator_core() -> int:
    """Choose a core other than the worker's, and away from the first where there are three."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[-2] if len(cores) > 1 else cores[0]


def cores_for_queue(queue: int, queues: int) -> tuple[int, int]:
    """Choose the generator's and the worker's core, so that the traffic reaches a lab's queue.

    A frame redirected into a veth arrives on queue (sending core modulo queues): veth_xdp_rx's
    choice, Linux 6.18.

    Raises
    ------
    ConfigurationError
        When no core that this process may run on leads to the queue.
    """
    cores = sorted(os.sched_getaffinity(0))
    leading = [core for core in cores if core % queues == queue]
    if not leading:
        raise ConfigurationError(
            f"the generator can't reach queue {queue} of {queues}: on veth a frame arrives on "
            f"queue (sending core modulo queues); this process may run on the cores {cores}. "
            "Choose a lower queue, or send from sockets."
        )
    generator = leading[-1] if worker_core() not in leading or len(leading) == 1 else leading[-2]
    others = [core for core in cores if core != generator]
    return generator, max(others, default=generator)
