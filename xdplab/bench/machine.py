"""The machine that a benchmark ran on."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from xdplab import backends
from xdplab.core.errors import KernelError
from xdplab.net.interface import Interface


def describe(interface: Interface) -> dict[str, Any]:
    """Describe the machine, for readers of the result.

    Parameters
    ----------
    interface
        The interface that received the packets; it must still exist.

    Returns
    -------
    dict
        ``kernel`` (its release), ``cpu`` (its model), ``cores`` (those that this process may run
        on), ``governor`` (of the first core; None if the machine shows none, as most virtual
        machines), ``driver`` (the interface's), ``napi`` (the settings of each of its NAPI
        instances, by name; empty if the kernel shows none), ``python`` and ``xdplab`` (their
        versions).
    """
    return {
        "kernel": platform.release(),
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "governor": _governor(),
        "driver": interface.driver,
        "napi": _napi(interface),
        "python": platform.python_version(),
        "xdplab": version("xdplab"),
    }


def cpu_model() -> str:
    """Return the name of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()  # other architectures have no such line


def _governor() -> str | None:
    with suppress(OSError):
        path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
        return path.read_text().strip()
    return None


def _napi(interface: Interface) -> list[dict[str, int | bool | None]]:
    # A kernel without this query is no reason to fail.
    with suppress(KernelError):
        found = backends.of(interface.namespace).read_napi(interface, range(interface.queues))
        return [napi._asdict() for napi in found]
    return []
