"""The doorman: forks a session for each connection, counts them, and ends them.

It never reads a byte from a client, nor holds a connection: whoever closes one last waits for the
end of all that was passed along it, which a client may choose so that it takes long. So the session
accepts it, checks who is there, and tells the doorman before it listens to the client.
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import socket
import struct
import sys
import time
import traceback
from contextlib import suppress
from io import FileIO
from types import FrameType
from typing import NoReturn

from xdplab.broker import protocol
from xdplab.broker.limits import Limits
from xdplab.broker.log import log
from xdplab.broker.session import Peer, Session, Terms
from xdplab.errors import KernelError, PermissionRefusedError, XdplabError

_SO_PEERGROUPS = 59  # asm-generic/socket.h
_MOST_GROUP_BYTES = 1024  # what Python lets one ask for: 256 groups
_CREDENTIALS = struct.Struct("iII")
_USER = struct.Struct("I")
_CONNECTION = 3  # the descriptor that a session has it by
_LAST_ORDERS = 5.0  # s, for sessions to end before they are ended, and then for the kernel


class Doorman:
    """Serves a listening socket until it is told to stop.

    Parameters
    ----------
    listener
        A Unix socket of type SOCK_SEQPACKET, listening.
    group
        Id of the group whose members are served. Root is, too.
    limits
        What clients may take.
    terms
        Of each session.
    """

    def __init__(self, listener: socket.socket, group: int, limits: Limits, terms: Terms) -> None:
        self._listener = listener
        self._group = group
        self._limits = limits
        self._terms = terms
        # pidfd: process, user where one was let in
        self._sessions: dict[int, tuple[int, int | None]] = {}
        self._stopping = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, and end the sessions."""
        self._listener.setblocking(False)
        waker, woken = socket.socketpair()
        waker.setblocking(False)
        woken.setblocking(False)
        signal.set_wakeup_fd(woken.fileno())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        with selectors.DefaultSelector() as self._selector:
            self._selector.register(self._listener, selectors.EVENT_READ)
            self._selector.register(waker, selectors.EVENT_READ)
            while not self._stopping:
                self._attend(None)
            for each in (self._listener, waker):
                self._selector.unregister(each)
            self._end_sessions()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _attend(self, patience: float | None) -> None:
        for key, _ in self._selector.select(patience):
            if isinstance(key.fileobj, int):
                self._bury(key.fileobj)
            elif key.fileobj is self._listener:
                self._welcome()

    def _welcome(self) -> None:
        doorman = os.getpid()
        try:
            ours, theirs = os.pipe()
            with os.fdopen(ours, "rb", 0) as heard:
                with os.fdopen(theirs, "wb", 0) as says:
                    process = os.fork()
                    if process == 0:
                        self._become_session(says, doorman)
                user = heard.read(_USER.size)
        except OSError:  # out of descriptors, or of processes, which will pass
            time.sleep(0.01)
            return
        descriptor = os.pidfd_open(process)
        self._sessions[descriptor] = (process, _USER.unpack(user)[0] if user else None)
        self._selector.register(descriptor, selectors.EVENT_READ)

    def _admit(self, peer: Peer) -> None:
        """Refuse who may not come in."""
        if peer.user != 0 and self._group not in (peer.group, *peer.groups):
            log(peer.user, "connect", "refused: not in the group")
            raise PermissionRefusedError(
                "connect to the broker", errno.EACCES, "It serves a group that you are not in."
            )
        admitted = [user for _process, user in self._sessions.values() if user is not None]
        most, most_of_all = self._limits.sessions, self._limits.all_sessions
        if admitted.count(peer.user) >= most or len(admitted) >= most_of_all:
            log(peer.user, "connect", "refused: too many sessions")
            raise KernelError(
                "connect to the broker",
                errno.EUSERS,
                f"It serves {most} connections of a user and {most_of_all} in all: close other "
                "labs, or start it with more --sessions.",
            )

    def _become_session(self, says: FileIO, doorman: int) -> NoReturn:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            # Or a terminal's signals would be for it, too, and the terminal for a lab process.
            os.setsid()
            connection, _ = self._listener.accept()
            if peer := self._let_in(connection, says):
                copy = os.dup(connection.fileno())
                os.dup2(copy, _CONNECTION, inheritable=False)
                os.closerange(_CONNECTION + 1, 1 << 20)
                made = socket.socket(fileno=_CONNECTION)
                Session(made, peer, doorman, self._terms).run()
            status = 0
        except BlockingIOError:  # gone already
            status = 0
        except BaseException:  # of which the doorman must know nothing
            traceback.print_exc()
        finally:
            with suppress(OSError):
                sys.stderr.flush()
            os._exit(status)

    def _let_in(self, connection: socket.socket, says: FileIO) -> Peer | None:
        """Tell the doorman who came in; or the client why not."""
        with says:
            try:
                peer = _peer(connection)
                self._admit(peer)
            except XdplabError as error:
                refusal = protocol.encode_refusal(error)
            else:
                says.write(_USER.pack(peer.user))
                return peer
        with suppress(OSError):
            connection.setblocking(False)
            protocol.send(connection, refusal)
        return None

    def _bury(self, descriptor: int) -> None:
        process, user = self._sessions.pop(descriptor)
        self._selector.unregister(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(process, 0)
        if status and user is not None:
            code = os.waitstatus_to_exitcode(status)
            log(user, f"session {process}", f"ended by signal {-code}" if code < 0 else "failed")

    def _end_sessions(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._signal(number)
            deadline = time.monotonic() + _LAST_ORDERS
            while self._sessions and time.monotonic() < deadline:
                self._attend(0.1)

    def _signal(self, number: signal.Signals) -> None:
        for descriptor in self._sessions:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)


def _peer(connection: socket.socket) -> Peer:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, group = _CREDENTIALS.unpack(raw)
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_GROUP_BYTES)
    except OSError as error:
        raise KernelError("ask for the client's groups", error.errno or 0) from error
    return Peer(process, user, group, struct.unpack(f"{len(raw) // 4}I", raw))
