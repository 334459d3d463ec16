"""Dropping privileges for good (native/privilege/confine.c), and checks of namespaces."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from xdplab.core.errors import ConfigurationError, KernelError, PermissionRefusedError
from xdplab.native import ffi, lib
from xdplab.refusals.errors import new_error, raise_error

# linux/capability.h
KILL, SETGID, SETUID, SETPCAP, NET_ADMIN, IPC_LOCK, SYS_ADMIN, PERFMON, BPF = (
    *(5, 6, 7, 8),
    *(12, 14, 21, 38, 39),
)

LISTENER = (KILL, SETGID, SETUID, SETPCAP, NET_ADMIN, IPC_LOCK, SYS_ADMIN, PERFMON, BPF)
"""To end sessions, to become users, to lower sessions' privileges; and all that sessions need."""
SESSION = (NET_ADMIN, IPC_LOCK, BPF)
"""With these, a client's own program can't read the kernel's memory.

Memory pinned with CAP_IPC_LOCK counts for no user, so the listener counts it (`memory_held.py`).
Without it a UMEM would count for the client's user, and the usual limit of 8 MiB would leave
nothing for io_uring.
"""
LENDER = (NET_ADMIN, SETGID, SETUID, SYS_ADMIN)
"""To move an interface between namespaces, and to look for it as its borrower."""
KEEPER = (KILL,)
"""To end a lab process and what it has started."""

# Below /proc/PID. Not the mount namespace: systemd gives the broker one of its own.
_SURROUNDINGS = ("ns/user", "ns/pid", "ns/net", "root")


def confine(
    user: int,
    group: int,
    capabilities: Sequence[int],
    filter_: int = lib.XDPLAB_FILTER_NONE,
) -> None:
    """Become a user, keep some capabilities with no way to gain others, and filter system calls.

    Parameters
    ----------
    user, group
        Ids to take; supplementary groups are dropped.
    capabilities
        Capabilities to keep, by their numbers in linux/capability.h.
    filter_
        One of ``enum xdplab_filter``.

    Raises
    ------
    KernelError
        When the kernel refuses. The process must end then.
    """
    error = new_error()
    wanted = {
        "user": user,
        "group": group,
        "capabilities": sum(1 << capability for capability in set(capabilities)),
        "filter": filter_,
    }
    if lib.xdplab_confine(ffi.new("struct xdplab_confinement *", wanted), error):
        raise_error(error)


def check_surroundings(process: int, user: int, group: int) -> None:
    """Check that a user's process is in the broker's namespaces and root, not in a container.

    A process that the broker started for it would escape the container. Root needs no broker.

    Raises
    ------
    PermissionRefusedError
        When it is in others, or is root's.
    """
    # As the user, who may look at it; this process keeps its capabilities, and can't be looked at.
    os.setegid(group)
    os.seteuid(user)
    try:
        alike = user != 0 and all(
            Path(f"/proc/{process}/{each}").samefile(f"/proc/self/{each}") for each in _SURROUNDINGS
        )
    except OSError:
        alike = False
    finally:
        os.seteuid(0)
        os.setegid(0)
    if not alike:
        raise PermissionRefusedError(
            "start a lab's process for another",
            errno.EPERM,
            "The broker does so for users of the host, not for root or out of a container: allow "
            "user namespaces there. Under systemd it takes the drop-in labs.conf "
            "(docs/without-root.md).",
        )


def die_with(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Ask for a signal when the process that made this one ends, however it ends."""
    if lib.xdplab_die_with(parent, number):
        os._exit(0)


def check_namespace(descriptor: int, user: int) -> None:
    """Check that a descriptor holds a network namespace of a user's own.

    Its owner is the user who made the user namespace that it belongs to. The host's own belongs to
    the first user namespace, which no user made: it is never a client's, not even root's.

    Raises
    ------
    ConfigurationError
        When it is not a network namespace at all.
    PermissionRefusedError
        When it belongs to the host, or to another user.
    """
    owner = ffi.new("uint32_t *")
    code = -lib.xdplab_namespace_owner(descriptor, owner)
    if code in (errno.EINVAL, errno.ENOTTY, errno.EBADF):
        raise ConfigurationError("the descriptor must be of a network namespace.")
    if code == 0 and owner[0] != user:
        code = errno.EPERM
    if code == errno.EPERM:
        raise PermissionRefusedError(
            "enter a network namespace",
            code,
            "The broker enters only those that belong to a user namespace of your own, and never "
            "the host's.",
        )
    if code:
        raise KernelError("ask whose a network namespace is", code)


def enter_network(descriptor: int) -> None:
    """Enter a network namespace that was checked."""
    if code := -lib.xdplab_setns(descriptor):
        raise KernelError("enter a network namespace", code)
