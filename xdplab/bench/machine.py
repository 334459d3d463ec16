"""The machine that a benchmark ran on."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path

from xdplab.interface import Interface


def describe(interface: Interface) -> dict[str, str | int | None]:
    """Describe the machine for whoever reads the result elsewhere.

    Returns
    -------
    dict
        ``kernel`` (its release), ``cpu`` (its model), ``cores`` (those that this process may run
        on), ``governor`` (of the first core's clock; None where the machine shows none, as most
        virtual ones), ``driver`` (the interface's), ``python`` (its version).
    """
    return {
        "kernel": platform.release(),
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "governor": _governor(),
        "driver": interface.driver,
        "python": platform.python_version(),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()  # there is no such line on other architectures


def _governor() -> str | None:
    with suppress(OSError):
        path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
        return path.read_text().strip()
    return None
