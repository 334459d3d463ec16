"""What the native engine's refusals mean, and what to do about each."""

from __future__ import annotations

import errno
from typing import Any, NoReturn

from xdplab._engine import ffi, lib
from xdplab.errors import (
    InterfaceGoneError,
    KernelError,
    PermissionRefusedError,
    QueueBusyError,
)

_CAPABILITIES = (
    "It needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF: run as root, or open the notebooks with "
    "`make lab`."
)
_GONE = "The interface is gone: look it up again, or make a new lab."

_BY_ERRNO: dict[int, tuple[type[KernelError], str]] = {
    errno.EPERM: (PermissionRefusedError, _CAPABILITIES),
    errno.EACCES: (PermissionRefusedError, _CAPABILITIES),
    errno.ENODEV: (InterfaceGoneError, _GONE),
    errno.ENXIO: (InterfaceGoneError, _GONE),
    errno.ENETDOWN: (InterfaceGoneError, _GONE),
    errno.ENOMEM: (KernelError, "There is too little memory: choose a smaller ring_size."),
    errno.EMFILE: (KernelError, "Close what holds descriptors, or raise `ulimit -n`."),
}

# What an errno means at one step, where that is more than what it means anywhere.
_BY_STEP: dict[tuple[int, int], tuple[type[KernelError], str]] = {
    (lib.XDPLAB_STEP_LOAD_PROGRAM, errno.EINVAL): (
        KernelError,
        "This kernel lacks what the program asks for: metadata=True needs Linux 6.3 with its own "
        "types (/sys/kernel/btf/vmlinux), multi_buffer=True needs 6.6.",
    ),
    (lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.EBUSY): (
        QueueBusyError,
        "Another engine or XDP program holds the interface: close it, or end what attached it. "
        "What that left behind, `sudo ip link set dev NAME xdp off` takes away.",
    ),
    (lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.EEXIST): (
        QueueBusyError,
        "An XDP program is attached in the other mode, native or SKB: close the engine that holds "
        "it, or ask for the same mode.",
    ),
    (lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.EOPNOTSUPP): (
        KernelError,
        "The driver has no native XDP: ask for attach='skb'.",
    ),
    (lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.EINVAL): (
        InterfaceGoneError,
        f"{_GONE} Or its driver refuses native XDP as it is set up: ask for attach='skb'.",
    ),
    (lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.ERANGE): (
        KernelError,
        "The packets of this MTU do not fit one buffer: ask for multi_buffer=True, or lower the "
        "MTU to 3,400 bytes or less.",
    ),
    (lib.XDPLAB_STEP_OPEN_SOCKET, errno.EAFNOSUPPORT): (
        KernelError,
        "This kernel lacks AF_XDP (CONFIG_XDP_SOCKETS).",
    ),
    (lib.XDPLAB_STEP_REGISTER_UMEM, errno.EINVAL): (
        KernelError,
        "Choose frame_size 2048 or 4096: the kernel takes a power of two from 2048 to one page, "
        "and with unaligned=True whatever lies between.",
    ),
    (lib.XDPLAB_STEP_REGISTER_UMEM, errno.ENOBUFS): (
        KernelError,
        "The UMEM is above the limit on locked memory: choose a smaller ring_size or raise "
        "`ulimit -l`, or give the process CAP_IPC_LOCK.",
    ),
    (lib.XDPLAB_STEP_MAP_HUGE_PAGES, errno.ENOMEM): (
        KernelError,
        "Too few huge pages are free (HugePages_Free in /proc/meminfo): set some aside with "
        "`sysctl vm.nr_hugepages=N`, choose a smaller ring_size, or take huge_pages='auto'.",
    ),
    (lib.XDPLAB_STEP_SIZE_RINGS, errno.EINVAL): (
        KernelError,
        "Choose a ring_size that is a power of two.",
    ),
    (lib.XDPLAB_STEP_BIND, errno.EBUSY): (
        QueueBusyError,
        "Another engine or AF_XDP socket is bound to the queue: close it, or choose another queue.",
    ),
    (lib.XDPLAB_STEP_BIND, errno.EOPNOTSUPP): (
        KernelError,
        "The driver has no zero-copy AF_XDP: ask for bind='copy', or 'auto' to take the best there "
        "is.",
    ),
    (lib.XDPLAB_STEP_BIND, errno.EINVAL): (
        KernelError,
        "The interface has no such queue, or it can't hold frames of this size: see `ethtool -l`. "
        "Or this kernel has no multi_buffer=True: it came with Linux 6.6.",
    ),
    (lib.XDPLAB_STEP_BIND_SOCKET, errno.EADDRINUSE): (
        QueueBusyError,
        "Another engine or program has UDP port 9 there: close it, or choose another path.",
    ),
    (lib.XDPLAB_STEP_BIND_SOCKET, errno.EACCES): (
        PermissionRefusedError,
        "Outside of a lab a port below 1024 needs CAP_NET_BIND_SERVICE: run as root, or choose "
        "another path.",
    ),
    (lib.XDPLAB_STEP_BIND_SOCKET, errno.EADDRNOTAVAIL): (
        InterfaceGoneError,
        "The interface no longer has the IPv4 address that it had: look it up again.",
    ),
    (lib.XDPLAB_STEP_PREPARE_PATH, errno.EPERM): (
        PermissionRefusedError,
        "io_uring is forbidden here (sysctl kernel.io_uring_disabled, or a container's seccomp "
        "filter): choose path='udp-epoll'.",
    ),
    (lib.XDPLAB_STEP_PREPARE_PATH, errno.EINVAL): (
        KernelError,
        "The path needs Linux 6.1 or newer: choose path='udp-epoll'.",
    ),
    (lib.XDPLAB_STEP_PREPARE_PATH, errno.ENOSYS): (
        KernelError,
        "This kernel lacks io_uring: choose path='udp-epoll'.",
    ),
    (lib.XDPLAB_STEP_START_THREAD, errno.EPERM): (
        PermissionRefusedError,
        "A realtime priority needs CAP_SYS_NICE: run as root, or leave realtime=0.",
    ),
    (lib.XDPLAB_STEP_START_THREAD, errno.EINVAL): (
        KernelError,
        "Choose a core that this process may run on: os.sched_getaffinity(0) lists them.",
    ),
    (lib.XDPLAB_STEP_PREPARE_WAIT, errno.EPERM): (
        PermissionRefusedError,
        "io_uring is forbidden here (sysctl kernel.io_uring_disabled, or a container's seccomp "
        "filter), or for busy-poll CAP_NET_ADMIN is missing: choose wait='poll'.",
    ),
    (lib.XDPLAB_STEP_PREPARE_WAIT, errno.EINVAL): (
        KernelError,
        "The strategy needs Linux 6.1 or newer: choose wait='poll'.",
    ),
    (lib.XDPLAB_STEP_PREPARE_WAIT, errno.EOPNOTSUPP): (
        KernelError,
        "It needs Linux 6.13 or newer, built with CONFIG_NET_RX_BUSY_POLL: choose "
        "wait='uring-multishot'.",
    ),
    (lib.XDPLAB_STEP_PREPARE_WAIT, errno.ENOPROTOOPT): (
        KernelError,
        "It needs Linux 5.11 or newer, built with CONFIG_NET_RX_BUSY_POLL: choose wait='spin'.",
    ),
    (lib.XDPLAB_STEP_PREPARE_WAIT, errno.ENOSYS): (
        KernelError,
        "This kernel lacks io_uring: choose wait='poll'.",
    ),
    (lib.XDPLAB_STEP_GENERATE, errno.EBUSY): (
        QueueBusyError,
        "A generator of this host is still open: close it first.",
    ),
    (lib.XDPLAB_STEP_TRACE, errno.EPERM): (
        PermissionRefusedError,
        "It needs CAP_PERFMON and CAP_BPF; the rest works without.",
    ),
    (lib.XDPLAB_STEP_MAKE_REGION, errno.EPROTO): (
        KernelError,
        "Pass the descriptor of a telemetry region that the same version of xdplab made.",
    ),
}


def new_error() -> Any:  # noqa: ANN401 - cffi is untyped
    """Make room for what a native call that fails will say."""
    return ffi.new("struct xdplab_error *")


def error_at(step: int, code: int, tried: str, detail: str = "") -> KernelError:
    """Build the exception for an errno that came up at a step of the engine's work."""
    kind, remedy = _BY_STEP.get((step, code)) or _BY_ERRNO.get(code) or (KernelError, "")
    return kind(tried, code, f"{remedy}\n{detail}" if detail else remedy)


def raise_error(error: Any) -> NoReturn:  # noqa: ANN401 - cffi is untyped
    """Raise what a native call said."""
    tried, detail = (
        ffi.string(text).decode("utf-8", "replace") for text in (error.tried, error.detail)
    )
    # A verifier that had nothing against the program still counts its instructions.
    said = detail if error.step == lib.XDPLAB_STEP_LOAD_PROGRAM else ""
    raise error_at(error.step, error.code, tried, said)
