"""Starting the broker, in a process of its own."""

from __future__ import annotations

import argparse
import errno
import grp
import importlib
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from xdplab.broker import protocol
from xdplab.broker.daemon.confinement import LISTENER, confine
from xdplab.broker.daemon.limits import Limits, limit_listener
from xdplab.broker.daemon.listener import Listener
from xdplab.broker.daemon.session import Terms
from xdplab.broker.daemon.trust import check_install
from xdplab.core.errors import ConfigurationError, KernelError, PermissionRefusedError

_WAITING = 4096  # as many as the kernel lets wait (net.core.somaxconn)
_FIRST_PASSED = 3  # sd_listen_fds(3)
_NEEDED = (
    "encodings.idna",
    "importlib.readers",
    "pyroute2",
    "pyroute2.ethtool.ioctl",
    "pyroute2.netlink.generic",
    "pyroute2.netlink.rtnl.nsidmsg",
)
_WHOLE = "0 0 4294967295"  # the first user namespace's map


def serve(options: argparse.Namespace) -> int:
    """Run the broker until it is told to stop.

    Raises
    ------
    XdplabError
        When it can't run here, or not safely.
    """
    if os.geteuid() != 0:
        raise PermissionRefusedError(
            "start the broker",
            errno.EPERM,
            "Run it as root: `sudo xdplab broker --group $(id -gn)`.",
        )
    check_install(_NEEDED)
    if Path("/proc/self/uid_map").read_text().split() != _WHOLE.split():
        raise ConfigurationError(
            "the broker runs on the host, not in a user namespace (a rootless container)."
        )
    if not 1 <= options.sessions <= 1024:
        raise ConfigurationError(f"--sessions {options.sessions} must be 1 to 1024.")
    group = _group(options.group)
    limits = Limits(sessions=options.sessions)
    _load_what_sessions_need()
    passed = _passed_listener()
    interfaces = frozenset(options.interface)
    listener = passed or _listen(Path(options.socket), group)
    try:
        limit_listener()
        confine(0, 0, LISTENER)
        Listener(listener, group, limits, Terms(interfaces)).run(lambda: _say(options.group))
    finally:
        if passed is None:
            with suppress(OSError):
                Path(options.socket).unlink()
    return 0


def _say(group: str) -> None:
    print(f"xdplab broker: serves the group {group}", file=sys.stderr, flush=True)


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigurationError(
            f"--group {name} is no group of this machine: `groupadd {name}`, and `usermod -aG "
            f"{name} $USER`."
        ) from None


def _passed_listener() -> socket.socket | None:
    """Take the socket that systemd opened, if it did (sd_listen_fds(3))."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    if os.environ.get("LISTEN_FDS") != "1":
        raise ConfigurationError("systemd must pass one socket: ListenSequentialPacket=.")
    listener = socket.socket(fileno=_FIRST_PASSED)
    if (listener.family, listener.type) != (socket.AF_UNIX, socket.SOCK_SEQPACKET):
        raise ConfigurationError("systemd must pass one socket: ListenSequentialPacket=.")
    listener.set_inheritable(False)
    return listener


def _listen(path: Path, group: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    _remove_stale(path)
    before = os.umask(0o117)
    try:
        if path == Path(protocol.SOCKET_PATH):
            os.umask(0o022)
            path.parent.mkdir(exist_ok=True)
            os.umask(0o117)
        listener.bind(str(path))
        os.chown(path, 0, group, follow_symlinks=False)
        listener.listen(_WAITING)
    except OSError as error:
        raise KernelError(f"listen at {path}", error.errno or 0) from error
    finally:
        os.umask(before)
    return listener


def _remove_stale(path: Path) -> None:
    """Remove the socket that a killed broker left."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:  # as the kernel says of any other file, too
            if path.is_socket():
                path.unlink()
        except OSError:
            return
        else:
            raise KernelError(f"listen at {path}", errno.EADDRINUSE, "A broker runs there.")


def _load_what_sessions_need() -> None:
    """Import the modules of sessions once, since a confined session may not be able to."""
    for name in _NEEDED:
        importlib.import_module(name)
