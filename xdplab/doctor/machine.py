"""The machine around the kernel: its cores, and its real interfaces, which are only looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xdplab.doctor.finding import Finding, Verdict
from xdplab.interface import Interface
from xdplab.namespace import Namespace
from xdplab.netlink import netlink

_CPUS = Path("/sys/devices/system/cpu")
_ETHERNET = 1  # ARPHRD_ETHER


def cores(allowed: set[int] | None = None) -> Iterator[Finding]:
    """Count the cores that this process may use.

    Parameters
    ----------
    allowed
        Their numbers; the process's own unless told otherwise.
    """
    allowed = os.sched_getaffinity(0) if allowed is None else allowed
    seen = f"{len(allowed)} for this process: {_listed(allowed)}"
    if len(allowed) > 1:
        yield Finding("cores", "good", seen)
    else:
        remedy = (
            "Generator, worker and notebook take turns here: keep to wait strategies that sleep, "
            "or allow a second core (`taskset`, the container's cpuset, the machine)."
        )
        yield Finding("cores", "limited", seen, remedy)


def governor(system: Path = _CPUS) -> Iterator[Finding]:
    """Read how the cores choose their frequency, where the machine shows it."""
    chosen = {path.read_text().strip() for path in system.glob("cpu*/cpufreq/scaling_governor")}
    seen = ", ".join(sorted(chosen)) or "none shown: the firmware or the hypervisor decides"
    if chosen <= {"performance"}:
        yield Finding("CPU governor", "good", seen)
    else:
        files = f"{system}/cpu*/cpufreq/scaling_governor"
        remedy = f"For steady figures: `echo performance | sudo tee {files}`"
        yield Finding("CPU governor", "limited", seen, remedy)


def isolated_cores(system: Path = _CPUS) -> Iterator[Finding]:
    """Read which cores the scheduler leaves alone."""
    isolated = _read(system / "isolated")
    if isolated:
        seen = f"{isolated} (tick off: {_read(system / 'nohz_full') or 'none'})"
        yield Finding("isolated cores", "good", f"{seen}; have one with Engine(..., cpu=N)")
    else:
        last = (os.cpu_count() or 1) - 1
        remedy = (
            f"For steady latencies, on a machine with cores to spare: boot with isolcpus={last} "
            f"nohz_full={last}, and say Engine(..., cpu={last})."
        )
        yield Finding("isolated cores", "limited", "none: any thread may disturb a worker", remedy)


def interfaces() -> Iterator[Finding]:
    """List the real interfaces, of which none is touched."""
    here = Namespace.current()
    names = here.run(_real_interfaces)
    if not names:
        yield Finding("interfaces", "good", "virtual ones only, and labs make their own")
    for name in names:
        yield describe(Interface.find(name, here))


def describe(interface: Interface) -> Finding:
    """Tell in a line what an engine would meet on an interface."""
    name = interface.name
    queues = "1 queue" if interface.queues == 1 else f"{interface.queues} queues"
    seen = [f"driver {interface.driver or 'unknown'}, {queues}"]
    remedies = []
    if program := interface.namespace.run(_attached_program, interface.index):
        seen.append(program)
        remedies.append(
            "No engine can be attached while another XDP program is: end what attached it, or "
            f"`ip link set dev {name} xdp off`."
        )
    if interface.carries_default_route():
        seen.append("carries the default route")
        remedies.append(
            "Capture in a lab or on another interface: one here can cut this machine off. Insist "
            f"with Engine({name!r}, allow_default_route=True)."
        )
    verdict: Verdict = "limited" if remedies else "good"
    return Finding(f"interface {name}", verdict, ", ".join(seen), " ".join(remedies))


def _real_interfaces() -> list[str]:
    with netlink("list the interfaces") as route:
        return [str(link.get("ifname")) for link in route.get_links() if _is_real(link)]


def _is_real(link: Any) -> bool:  # noqa: ANN401 - pyroute2 is untyped
    """Tell real Ethernet from virtual links, all of which name their kind."""
    return link["ifi_type"] == _ETHERNET and link.get(("linkinfo", "kind")) is None


def _attached_program(index: int) -> str:
    with netlink("read which XDP program is attached") as route:
        (link,) = route.get_links(index)
        xdp = link.get("xdp") or {}
        if not xdp.get("IFLA_XDP_ATTACHED"):
            return ""
        # Several at once (one in each mode) have no number in common.
        number = xdp.get("IFLA_XDP_PROG_ID")
        return f"XDP program {number} is attached" if number else "XDP programs are attached"


def _listed(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


def _read(path: Path) -> str:
    """Read a setting; the kernel says "(null)" where a mask was never set."""
    try:
        return path.read_text().strip().replace("(null)", "")
    except OSError:
        return ""
