"""The keeper of a lab process that the broker starts for a client, and its only parent.

A lab process is the client's own program: the client may trace it, kill it and leave it unreaped,
and it may start siblings (CLONE_PARENT) and orphans. All of these become children of the keeper,
which kills them when the lab process or the client ends, whichever is first. The keeper runs as
root with CAP_KILL alone, behind a filter, so that no client can stop it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from xdplab.broker.daemon.confinement import KEEPER, confine, die_with
from xdplab.broker.daemon.limits import limit_lab_process
from xdplab.core.errors import KernelError, XdplabError
from xdplab.native import lib
from xdplab.refusals.errors import new_error, raise_error

_ALL_KINDS = 0x40000000  # __WALL, linux/wait.h
_END_SECONDS = 3.0  # for the kernel to end killed processes; longer ones are stuck in it
_CONNECTION, _PARENT = 3, 4  # their descriptors in the lab process
_MADE = b"made"


class LabKeeper:
    """Makes a lab process that waits for `start`, in a child of this process.

    Parameters
    ----------
    connection
        Connection to the client; the lab process takes it over.
    user, group, groups
        The client's.

    Raises
    ------
    KernelError
        When the kernel refuses a user namespace.
    """

    def __init__(
        self, connection: socket.socket, user: int, group: int, groups: Sequence[int]
    ) -> None:
        if code := -lib.xdplab_adopt_orphans():
            raise KernelError("look after a lab process", code)
        keeper = os.getpid()
        self._parent, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = os.fork()
        if self._process == 0:
            _become_lab_process(connection, theirs, keeper, (user, group, groups))
        theirs.close()
        self._life = os.pidfd_open(self._process)
        said = self._parent.recv(256)
        if said != _MADE:
            code = int(said) if said.isdigit() else 0
            raise KernelError("make a user namespace for you", code, _FORBIDDEN)
        error = new_error()
        if lib.xdplab_map_user_namespace(self._process, user, group, error):
            raise_error(error)

    def start(self) -> None:
        """Hand the lab process to its client, and drop privileges that the keeper does not need."""
        self._parent.send(_MADE)
        self._parent.close()
        confine(0, 0, KEEPER, lib.XDPLAB_FILTER_KEEPER)

    def keep(self, told: socket.socket, ends: Collection[int]) -> None:
        """Wait until the lab process or the client ends; then end all processes started there.

        Parameters
        ----------
        told
            Becomes readable with each signal: of a child's end, or to end.
        ends
            Become readable when it is over.
        """
        over = False
        while not over:
            # A descriptor tells its end: of a traced process, only the tracer gets SIGCHLD.
            ready = select.select([told.fileno(), self._life, *ends], [], [])[0]
            over = ready != [told.fileno()] or signal.SIGTERM in told.recv(4096)
            _reap()
        _end_all_children()


_FORBIDDEN = (
    "Nor may the broker. Under systemd it needs the drop-in labs.conf (docs/without-root.md); "
    "otherwise see user.max_user_namespaces."
)


def _become_lab_process(
    connection: socket.socket,
    parent: socket.socket,
    keeper: int,
    client: tuple[int, int, Sequence[int]],
) -> NoReturn:
    """Become the client's process, to which all descriptors here are then open; run its program."""
    with suppress(BaseException):
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        copies = os.dup(connection.fileno()), os.dup(parent.fileno())
        os.dup2(copies[0], _CONNECTION)
        os.dup2(copies[1], _PARENT, inheritable=False)
        os.closerange(_PARENT + 1, 1 << 20)
        _enter(keeper, *client)
        os.execv(
            sys.executable,
            [sys.executable, "-I", "-m", "xdplab.backends.lab_process", str(_CONNECTION)],
        )
    os._exit(1)


def _enter(keeper: int, user: int, group: int, groups: Sequence[int]) -> None:
    with socket.socket(fileno=_PARENT) as parent:
        error = new_error()
        if lib.xdplab_make_user_namespace(user, group, list(groups), len(groups), error):
            parent.send(str(error.code).encode())
            raise XdplabError
        parent.send(_MADE)
        if parent.recv(len(_MADE)) != _MADE:
            raise XdplabError
        # As the last step: the client can stop this process from then on.
        limit_lab_process()
        if lib.xdplab_enter_user_namespace(error):
            raise_error(error)
    die_with(keeper)
    os.set_blocking(_CONNECTION, True)


def _end_all_children() -> None:
    """Kill all descendants of this process, also those that are started meanwhile.

    Bounded: a process stuck in the kernel ends when the kernel releases it, and init reaps it.
    """
    deadline = time.monotonic() + _END_SECONDS
    while (found := _descendants(os.getpid())) and time.monotonic() < deadline:
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        _reap()
        time.sleep(0.002)
    _reap()


def _reap() -> None:
    """Reap ended processes without waiting: a tracer may keep one as long as it likes."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG | _ALL_KINDS)[0]:
            pass


def _descendants(process: int) -> list[int]:
    """List the descendants of a process that still live."""
    found = []
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, children.read_text().split()):
                if not _has_ended(child):
                    found.append(child)
                found += _descendants(child)
    return found


def _has_ended(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
