"""Checks of limits from outside: by a container, by seccomp, by the distribution."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from xdplab.doctor.finding import Finding, refused
from xdplab.native import lib
from xdplab.refusals.errors import error_at
from xdplab.refusals.io_uring import is_filtered, switched_off
from xdplab.refusals.io_uring import remedy as no_ring

_SYS_IO_URING_SETUP = 425
_SINGLE_ISSUER, _DEFER_TASKRUN = 1 << 12, 1 << 13  # linux/io_uring.h

_INSTEAD = "wait='poll'"

_SETTINGS = Path("/proc/sys")

_MARKS = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}

# The namespaces that a lab needs. Every distribution has this program.
_OWN_NAMESPACES = ("unshare", "--user", "--map-root-user", "--net", "true")
_NOBODY = "65534"
_FORBIDDING = {
    "kernel.unprivileged_userns_clone": ("0", "1"),
    "kernel.apparmor_restrict_unprivileged_userns": ("1", "0"),
    "user.max_user_namespaces": ("0", "10000"),
}
"""Settings that forbid user namespaces: the value that forbids, and one that allows."""


def container(
    root: Path = Path("/"), environment: Mapping[str, str] | None = None
) -> Iterator[Finding]:
    """Look for the marks that containers leave.

    Parameters
    ----------
    root
        The folder with the marks.
    environment
        Environment variables. Default: those of this process.
    """
    environment = os.environ if environment is None else environment
    found = [kind for mark, kind in _MARKS.items() if (root / mark.lstrip("/")).exists()]
    found += ["kubernetes"] if "KUBERNETES_SERVICE_HOST" in environment else []
    if variable := environment.get("container"):  # systemd-nspawn and podman set it
        found.append(variable)
    if not found:
        yield Finding("container", "good", "no sign of one")
        return
    seen = " in ".join(dict.fromkeys(found))
    if not is_filtered():
        yield Finding("container", "good", f"{seen}, without a seccomp filter")
        return
    remedy = (
        "To allow what the filter refuses, start the container with another one: "
        "`docker run --security-opt seccomp=unconfined`, or a profile of your own in its place. "
        "More capabilities: `docker run --cap-add`."
    )
    yield Finding("container", "limited", f"{seen}, with a seccomp filter", remedy)


def user_namespaces(settings: Path = _SETTINGS) -> Iterator[Finding]:
    """Make namespaces as a user without privileges would, in a child.

    Parameters
    ----------
    settings
        The folder of the kernel's settings.
    """
    # Root may make namespaces even if others may not.
    nobody = ("setpriv", "--reuid", _NOBODY, "--clear-groups", "--inh-caps=-all")
    command = (*(nobody if os.geteuid() == 0 else ()), *_OWN_NAMESPACES)
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    remedies = [
        f"`sudo sysctl {name}={allows}`"
        for name, (forbids, allows) in _FORBIDDING.items()
        if read_setting(name, settings) == forbids
    ]
    # A distribution may allow this to that program and forbid it to ours.
    if done.returncode == 0 and not remedies:
        seen = "a user without privileges can make one, with a network of its own"
        yield Finding("user namespaces", "good", seen)
        return
    said = " ".join(done.stderr.split()) or "by the distribution's settings"
    seen = f"refused to users without privileges ({said}), so that only a broker makes their labs"
    why = "A seccomp filter, as containers have one, or a security module may forbid it."
    yield Finding("user namespaces", "limited", seen, "; ".join(remedies) or why)


def io_uring() -> Iterator[Finding]:
    """Set up a ring with the worker's flags, else a plain one."""
    code = _set_up_ring(_SINGLE_ISSUER | _DEFER_TASKRUN)
    if not code:
        yield Finding("io_uring", "good", "a ring with DEFER_TASKRUN could be set up")
    elif code == errno.EINVAL and not _set_up_ring(0):
        seen = "a ring could be set up, but without DEFER_TASKRUN"
        remedy = "The io_uring wait strategies need Linux 6.1 or newer; `poll` and `spin` work."
        yield Finding("io_uring", "limited", seen, remedy)
    elif code == errno.EPERM and (setting := switched_off()):
        yield Finding("io_uring", "limited", f"switched off by {setting}", no_ring(code, _INSTEAD))
    elif is_filtered():
        seen = f"refused by a seccomp filter ({errno.errorcode.get(code, code)}), as containers do"
        yield Finding("io_uring", "limited", seen, no_ring(code, _INSTEAD))
    else:
        error = error_at(lib.XDPLAB_STEP_PREPARE_WAIT, code, "set up a ring")
        yield refused("io_uring", "limited", error)


def _set_up_ring(flags: int) -> int:
    """Return 0, or the errno with which the kernel refused the ring."""
    libc = ctypes.CDLL(None, use_errno=True)
    parameters = (ctypes.c_uint32 * 30)()  # struct io_uring_params, whose third word is the flags
    parameters[2] = flags
    descriptor = libc.syscall(
        ctypes.c_long(_SYS_IO_URING_SETUP), ctypes.c_long(8), ctypes.byref(parameters)
    )
    if descriptor < 0:
        return ctypes.get_errno()
    os.close(descriptor)
    return 0


def read_setting(name: str, settings: Path = _SETTINGS) -> str:
    """Read a sysctl; empty if it does not exist or can't be read."""
    try:
        return (settings / name.replace(".", "/")).read_text().strip()
    except OSError:
        return ""
