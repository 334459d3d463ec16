"""Checks of the kernel: its features, and what this process may use."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

from xdplab.core.errors import KernelError
from xdplab.core.kernel_release import kernel_release
from xdplab.core.more_power import MORE_POWER
from xdplab.doctor.finding import Finding, Verdict, refused
from xdplab.doctor.privilege import BY_BROKER, privilege_refused, real_backend, through_broker
from xdplab.native import lib
from xdplab.net.namespace import Namespace
from xdplab.refusals.errors import error_at

_FEATURES: tuple[tuple[tuple[int, int], str, Verdict], ...] = (
    ((5, 9), "XDP programs attached by bpf_link", "missing"),
    ((5, 18), "live-frame test runs, which the generator uses", "limited"),
    ((6, 1), "io_uring's DEFER_TASKRUN, for the io_uring wait strategies", "limited"),
)
"""Features by the Linux version that brought them, and the loss without; AF_XDP is older."""

# Bits of linux/capability.h.
_NET_ADMIN, _NET_RAW, _IPC_LOCK, _SYS_ADMIN, _PERFMON, _BPF = 12, 13, 14, 21, 38, 39
_CAPABILITIES: dict[int, tuple[str, str, Verdict]] = {
    _NET_ADMIN: ("CAP_NET_ADMIN", "links and XDP programs", "missing"),
    _NET_RAW: ("CAP_NET_RAW", "AF_XDP sockets", "missing"),
    _BPF: ("CAP_BPF", "loading programs", "missing"),
    _PERFMON: ("CAP_PERFMON", "tracing softirqs", "limited"),
    _SYS_ADMIN: ("CAP_SYS_ADMIN", "network namespaces, so labs", "missing"),
    _IPC_LOCK: ("CAP_IPC_LOCK", "UMEMs above the limit on locked memory", "limited"),
}
_PART_OF_SYS_ADMIN = {_BPF, _PERFMON}

_AF_XDP = 44  # linux/socket.h; Python's socket module lacks it
_DEFAULT_FRAME_AREA = 8 << 20  # bytes: an engine of ring_size 2048


def version(release: str | None = None) -> Iterator[Finding]:
    """Compare the kernel's version with what the features need.

    Parameters
    ----------
    release
        As printed by ``uname -r``. Default: the running kernel's.
    """
    release = os.uname().release if release is None else release
    have = kernel_release(release)
    lacking = [feature for feature in _FEATURES if have < feature[0]]
    seen = f"Linux {release}"
    if not lacking:
        yield Finding("kernel", "good", seen)
        return
    newer = "; ".join(f"{what} (Linux {need[0]}.{need[1]})" for need, what, _ in lacking)
    verdict: Verdict = "missing" if "missing" in {loss for *_, loss in lacking} else "limited"
    remedy = "Boot a newer kernel, unless what is tried below works: distributions backport."
    yield Finding("kernel", verdict, f"{seen}, too old for {newer}", remedy)


def af_xdp_sockets() -> Iterator[Finding]:
    """Open an AF_XDP socket, bound to nothing."""
    name = "AF_XDP sockets"
    try:
        socket.socket(_AF_XDP, socket.SOCK_RAW).close()
    except OSError as error:
        tried = "open an AF_XDP socket"
        refusal = error_at(lib.XDPLAB_STEP_OPEN_SOCKET, error.errno or 0, tried)
        yield privilege_refused(name, refusal)
    else:
        yield Finding(name, "good", "one could be opened")


def network_namespaces() -> Iterator[Finding]:
    """Make a network namespace, and remove it."""
    name = "network namespaces"
    try:
        Namespace.create().close()
    except KernelError as error:
        yield privilege_refused(name, error)
    else:
        yield Finding(name, "good", "one could be made")


def capabilities(effective: int | None = None, broker: bool | None = None) -> Iterator[Finding]:
    """Read which capabilities are effective.

    Parameters
    ----------
    effective
        The set as a bit mask. Default: that of the calling thread.
    broker
        Whether a broker has them for this process. Default: looked up.
    """
    held = _effective_capabilities() if effective is None else effective
    implied = _PART_OF_SYS_ADMIN if held >> _SYS_ADMIN & 1 else set()
    lacking = [
        entry for bit, entry in _CAPABILITIES.items() if not held >> bit & 1 and bit not in implied
    ]
    if not lacking:
        yield Finding("capabilities", "good", "all that are needed")
        return
    seen = "lacking: " + ", ".join(f"{name} ({purpose})" for name, purpose, _ in lacking)
    if through_broker() if broker is None else broker:
        yield Finding("capabilities", "limited", seen, BY_BROKER)
        return
    verdict: Verdict = "missing" if "missing" in {loss for *_, loss in lacking} else "limited"
    wanted = [bit for bit in _CAPABILITIES if not held >> bit & 1 and bit not in _PART_OF_SYS_ADMIN]
    options = " ".join(f"--cap-add {_CAPABILITIES[bit][0].removeprefix('CAP_')}" for bit in wanted)
    remedy = (
        f"{MORE_POWER[0].upper()}{MORE_POWER[1:]}. A container gets them with "
        f"`docker run --user root {options}`."
    )
    yield Finding("capabilities", verdict, seen, remedy)


def locked_memory(limit: int | None = None, exempt: bool | None = None) -> Iterator[Finding]:
    """Read how much memory this user's engines may pin.

    Parameters
    ----------
    limit
        Bytes, or `resource.RLIM_INFINITY`. Default: that of this process.
    exempt
        Whether CAP_IPC_LOCK lifts the limit. Default: looked up.
    """
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] if limit is None else limit
    if exempt is None:
        exempt = bool(_effective_capabilities() >> _IPC_LOCK & 1)
        if not exempt and through_broker():
            seen = f"{limit / (1 << 20):g} MiB, and the broker pins what is larger"
            yield Finding("locked memory", "good", seen)
            return
    if exempt or limit == resource.RLIM_INFINITY:
        yield Finding("locked memory", "good", "no limit for this process")
        return
    verdict: Verdict = "limited" if limit >= _DEFAULT_FRAME_AREA else "missing"
    seen = (
        f"{limit / (1 << 20):g} MiB for all engines of a user together; an engine of the default "
        f"ring_size takes {_DEFAULT_FRAME_AREA >> 20}"
    )
    remedy = (
        "In the shell that starts it: `sudo prlimit --pid $$ --memlock=unlimited`. Or give the "
        "process CAP_IPC_LOCK, or choose a smaller ring_size."
    )
    yield Finding("locked memory", verdict, seen, remedy)


def btf(path: Path = Path("/sys/kernel/btf/vmlinux")) -> Iterator[Finding]:
    """Look for BTF, the kernel's description of its types."""
    if os.access(path, os.R_OK):
        yield Finding("BTF", "good", f"{path} is readable")
    else:
        remedy = "Boot a kernel built with CONFIG_DEBUG_INFO_BTF, and mount /sys."
        yield Finding("BTF", "limited", f"{path} is not readable: no tracing of functions", remedy)


def softirq_time() -> Iterator[Finding]:
    """Attach the tracepoints that measure the time in softirqs."""
    try:
        with real_backend().open_softirq():
            pass
    except KernelError as error:
        yield refused("softirq time", "limited", error)
    else:
        yield Finding("softirq time", "good", "the kernel's tracepoints can be read")


def _effective_capabilities() -> int:
    status = Path("/proc/thread-self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("CapEff:"))
    return int(line.split()[1], 16)
