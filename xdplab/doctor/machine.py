"""Checks of the machine's cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from xdplab.core.own_process import own_process
from xdplab.doctor.finding import Finding

_CPUS = Path("/sys/devices/system/cpu")


def cores(allowed: set[int] | None = None) -> Iterator[Finding]:
    """Count the cores that this process may use.

    Parameters
    ----------
    allowed
        Numbers of the cores. Default: those of this process.
    """
    allowed = os.sched_getaffinity(0) if allowed is None else allowed
    seen = f"{len(allowed)} for this process: {_listed(allowed)}"
    if len(allowed) > 1:
        yield Finding("cores", "good", seen)
    else:
        most = (os.cpu_count() or 1) - 1
        more = (
            f": `taskset -acp 0-{most} {own_process()}`, unless a cpuset forbids it" if most else ""
        )
        remedy = (
            "Generator, worker and notebook take turns here: keep to wait strategies that sleep, "
            f"or allow this process more cores{more}."
        )
        yield Finding("cores", "limited", seen, remedy)


def governor(system: Path = _CPUS) -> Iterator[Finding]:
    """Read the frequency governor of the cores, if the machine shows it."""
    chosen = {path.read_text().strip() for path in system.glob("cpu*/cpufreq/scaling_governor")}
    seen = ", ".join(sorted(chosen)) or "none shown: the firmware or the hypervisor decides"
    if chosen <= {"performance"}:
        yield Finding("CPU governor", "good", seen)
    else:
        files = f"{system}/cpu*/cpufreq/scaling_governor"
        remedy = f"For steady figures: `echo performance | sudo tee {files}`"
        yield Finding("CPU governor", "limited", seen, remedy)


def isolated_cores(system: Path = _CPUS) -> Iterator[Finding]:
    """Read which cores are isolated from the scheduler."""
    isolated = _read(system / "isolated")
    if isolated:
        seen = f"{isolated} (tick off: {_read(system / 'nohz_full') or 'none'})"
        yield Finding("isolated cores", "good", f"{seen}; have one with Engine(..., cpu=N)")
    else:
        last = (os.cpu_count() or 1) - 1
        remedy = (
            f"For steady latencies, on a machine with cores to spare: add isolcpus={last} "
            f"nohz_full={last} to GRUB_CMDLINE_LINUX in /etc/default/grub, `sudo update-grub`, "
            f"boot anew, and say Engine(..., cpu={last})."
        )
        yield Finding("isolated cores", "limited", "none: any thread may disturb a worker", remedy)


def _listed(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


def _read(path: Path) -> str:
    """Read a setting; the kernel prints "(null)" for a mask that was never set."""
    try:
        return path.read_text().strip().replace("(null)", "")
    except OSError:
        return ""
