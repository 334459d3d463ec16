"""Errors of the native engine: the meaning and the remedy of each errno."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn

from xdplab.core.errors import (
    InterfaceGoneError,
    KernelError,
    PermissionRefusedError,
    QueueBusyError,
)
from xdplab.core.more_power import MORE_POWER
from xdplab.core.own_limits import MORE_THREADS, more_descriptors
from xdplab.native import ffi, lib
from xdplab.refusals import remedies
from xdplab.refusals.remedies import NOWHERE, Place
from xdplab.refusals.verifier import verifier_error

_CAPABILITIES = f"It needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF: {MORE_POWER}."
_FORBIDDEN = (
    f"{_CAPABILITIES} Where that is given, a security module or a seccomp filter forbids it: "
    "Lab(backend='soft') takes neither."
)

Remedy = str | Callable[[Place], str]
"""The remedy in sentences, or a function that looks at the place of the refusal and returns it."""

BY_ERRNO: Mapping[int, tuple[type[KernelError], Remedy]] = {
    errno.EPERM: (PermissionRefusedError, _CAPABILITIES),
    errno.EACCES: (PermissionRefusedError, _FORBIDDEN),
    errno.ENODEV: (InterfaceGoneError, remedies.GONE),
    errno.ENXIO: (InterfaceGoneError, remedies.GONE),
    errno.ENETDOWN: (InterfaceGoneError, remedies.down_or_gone),
    errno.ENOMEM: (KernelError, "There is too little memory: choose a smaller ring_size."),
    errno.EMFILE: (KernelError, lambda _place: more_descriptors()),
    errno.ENOSYS: (KernelError, remedies.no_call),
}
"""The kind of error and the remedy of an errno, at any step."""

BY_STEP: Mapping[tuple[int, int], tuple[type[KernelError], Remedy]] = {
    (lib.XDPLAB_STEP_LOAD_PROGRAM, errno.EINVAL): (KernelError, remedies.features),
    (lib.XDPLAB_STEP_LOAD_PROGRAM, errno.EOPNOTSUPP): (KernelError, remedies.no_metadata),
    (lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.EBUSY): (QueueBusyError, remedies.program_held),
    (lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.EEXIST): (QueueBusyError, remedies.program_held),
    (lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.ENOSPC): (
        KernelError,
        "The other end of the veth sends on more queues than this one receives on, which native "
        "XDP can't take: ask for attach='skb'.",
    ),
    (lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.EOPNOTSUPP): (
        KernelError,
        "The driver has no native XDP: ask for attach='skb'.",
    ),
    (lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.EINVAL): (InterfaceGoneError, remedies.native_refused),
    (lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.ERANGE): (KernelError, remedies.mtu),
    (lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.ENOLINK): (
        KernelError,
        "The link was taken off its interface, or the interface is gone: attach anew, "
        "program.attach(lab.port).",
    ),
    (lib.XDPLAB_STEP_OPEN_SOCKET, errno.EAFNOSUPPORT): (
        KernelError,
        "This kernel lacks AF_XDP (CONFIG_XDP_SOCKETS), or a sandbox forbids it (systemd's "
        "RestrictAddressFamilies): Lab(backend='soft') takes neither.",
    ),
    (lib.XDPLAB_STEP_REGISTER_UMEM, errno.EINVAL): (KernelError, remedies.frame_sizes),
    (lib.XDPLAB_STEP_REGISTER_UMEM, errno.ENOBUFS): (KernelError, remedies.locked_memory),
    (lib.XDPLAB_STEP_MAP_HUGE_PAGES, errno.ENOMEM): (KernelError, remedies.huge_pages),
    (lib.XDPLAB_STEP_BIND, errno.EBUSY): (QueueBusyError, remedies.queue_held),
    (lib.XDPLAB_STEP_BIND, errno.EOPNOTSUPP): (KernelError, remedies.no_zero_copy),
    (lib.XDPLAB_STEP_BIND, errno.EINVAL): (KernelError, remedies.queue_or_frame),
    (lib.XDPLAB_STEP_BIND, errno.ENOENT): (KernelError, remedies.queue_or_frame),
    (lib.XDPLAB_STEP_BIND_SOCKET, errno.EADDRINUSE): (
        QueueBusyError,
        "Another engine or program has UDP port 9 there: close it, or choose path='packet'.",
    ),
    (lib.XDPLAB_STEP_BIND_SOCKET, errno.EACCES): (
        PermissionRefusedError,
        "Outside of a lab a port below 1024 needs CAP_NET_BIND_SERVICE: run as root, or choose "
        "path='packet'.",
    ),
    (lib.XDPLAB_STEP_BIND_SOCKET, errno.EADDRNOTAVAIL): (
        InterfaceGoneError,
        "The interface no longer has the IPv4 address that it had: look it up again.",
    ),
    **{
        (step, code): (kind, partial(remedies.no_io_uring, step, code))
        for step in (
            lib.XDPLAB_STEP_PREPARE_PATH,
            lib.XDPLAB_STEP_PREPARE_TCP,
            lib.XDPLAB_STEP_PREPARE_WAIT,
        )
        for code, kind in (
            (errno.EPERM, PermissionRefusedError),
            (errno.EACCES, PermissionRefusedError),
            (errno.ENOSYS, KernelError),
        )
    },
    (lib.XDPLAB_STEP_PREPARE_PATH, errno.EINVAL): (
        KernelError,
        "The path needs Linux 6.1 or newer: choose path='udp-epoll'.",
    ),
    (lib.XDPLAB_STEP_PREPARE_TCP, errno.EINVAL): (KernelError, remedies.no_zero_copy_receive),
    (lib.XDPLAB_STEP_START_THREAD, errno.EPERM): (
        PermissionRefusedError,
        "A realtime priority needs CAP_SYS_NICE: run as root, or make the engine with "
        "worker=Worker(realtime=0).",
    ),
    (lib.XDPLAB_STEP_START_THREAD, errno.EINVAL): (KernelError, remedies.cores),
    (lib.XDPLAB_STEP_START_THREAD, errno.EAGAIN): (KernelError, MORE_THREADS),
    (lib.XDPLAB_STEP_PREPARE_WAIT, errno.EINVAL): (
        KernelError,
        "The strategy needs Linux 6.1 or newer: choose wait='poll'.",
    ),
    (lib.XDPLAB_STEP_PREPARE_WAIT, errno.EOPNOTSUPP): (
        KernelError,
        "It needs Linux 6.13 or newer, built with CONFIG_NET_RX_BUSY_POLL: choose "
        "wait='uring-multishot'.",
    ),
    (lib.XDPLAB_STEP_PREPARE_WAIT, errno.ENOTTY): (
        KernelError,
        "It needs Linux 6.9 or newer, built with CONFIG_NET_RX_BUSY_POLL: choose wait='epoll'.",
    ),
    (lib.XDPLAB_STEP_PREPARE_WAIT, errno.ENOPROTOOPT): (
        KernelError,
        "It needs Linux 5.11 or newer, built with CONFIG_NET_RX_BUSY_POLL: choose wait='spin'.",
    ),
    (lib.XDPLAB_STEP_GENERATE, errno.EBUSY): (QueueBusyError, remedies.generator_held),
    (lib.XDPLAB_STEP_TRACE, errno.EPERM): (
        PermissionRefusedError,
        "It needs CAP_PERFMON and CAP_BPF; the rest works without.",
    ),
    (lib.XDPLAB_STEP_MAKE_REGION, errno.EPROTO): (
        KernelError,
        "Pass the descriptor of a telemetry region that the same version of xdplab made.",
    ),
}
"""The same at one step, where the errno has a special meaning there."""


def new_error() -> Any:
    """Allocate the error that a native call fills when it fails."""
    return ffi.new("struct xdplab_error *")


def error_at(
    step: int, code: int, tried: str, detail: str = "", place: Place = NOWHERE
) -> KernelError:
    """Build the exception for an errno that came up at a step of the engine's work.

    Parameters
    ----------
    step, code
        The step of the engine's work, and the errno.
    tried
        The attempted operation, as a phrase.
    detail
        More words of the kernel.
    place
        Where it was refused, as far as that is known.
    """
    kind, remedy = BY_STEP.get((step, code)) or BY_ERRNO.get(code) or (KernelError, "")
    words = remedy if isinstance(remedy, str) else remedy(place)
    return kind(tried, code, f"{words}\n{detail}" if detail else words)


def raise_error(error: Any, place: Place = NOWHERE) -> NoReturn:
    """Raise the error of a native call that was made for a place."""
    tried, detail = (
        ffi.string(text).decode("utf-8", "replace") for text in (error.tried, error.detail)
    )
    if error.step == lib.XDPLAB_STEP_VERIFY_PROGRAM:
        raise verifier_error(tried, error.code, detail)
    # When it accepts the program, the verifier's log still has the count of instructions.
    said = detail if error.step == lib.XDPLAB_STEP_LOAD_PROGRAM else ""
    raise error_at(error.step, error.code, tried, said, place)
