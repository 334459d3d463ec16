"""The doorman: accepts connections, checks who is there, and forks a session for each.

It never reads a byte from a client.
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
from collections import Counter
from contextlib import suppress
from types import FrameType

from xdplab.broker import protocol
from xdplab.broker.limits import Limits
from xdplab.broker.log import log
from xdplab.broker.session import Peer, Session, Terms
from xdplab.errors import KernelError, PermissionRefusedError, XdplabError

_SO_PEERGROUPS = 59  # asm-generic/socket.h
_MOST_GROUP_BYTES = 1024  # what Python lets one ask for: 256 groups
_CREDENTIALS = struct.Struct("iII")
_CONNECTION = 3  # the descriptor that a session has it by
_LAST_ORDERS = 5.0  # s, for sessions to end before they are ended


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
        self._sessions: dict[int, tuple[int, int]] = {}  # pidfd: process, user
        self._stopping = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, and end the sessions."""
        self._listener.setblocking(False)
        waker, woken = socket.socketpair()
        waker.setblocking(False)
        woken.setblocking(False)
        signal.set_wakeup_fd(woken.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        with selectors.DefaultSelector() as self._selector:
            self._selector.register(self._listener, selectors.EVENT_READ)
            self._selector.register(waker, selectors.EVENT_READ)
            while not self._stopping:
                self._attend(None)
            self._end_sessions()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _attend(self, patience: float | None) -> None:
        for key, _ in self._selector.select(patience):
            if isinstance(key.fileobj, int):
                self._bury(key.fileobj)
            elif key.fileobj is self._listener and not self._stopping:
                self._welcome()

    def _welcome(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # gone already; or out of descriptors, which will pass
            time.sleep(0.01)
            return
        with connection:
            try:
                peer = _peer(connection)
                self._admit(peer)
                self._begin(connection, peer)
            except XdplabError as error:
                with suppress(OSError):
                    connection.setblocking(False)
                    protocol.send(connection, protocol.encode_refusal(error))

    def _admit(self, peer: Peer) -> None:
        """Refuse who may not come in."""
        if peer.user != 0 and self._group not in (peer.group, *peer.groups):
            log(peer.user, "connect", "refused: not in the group")
            raise PermissionRefusedError(
                "connect to the broker", errno.EACCES, "It serves a group that you are not in."
            )
        counts = Counter(user for _process, user in self._sessions.values())
        most, most_of_all = self._limits.sessions, self._limits.all_sessions
        if counts[peer.user] >= most or counts.total() >= most_of_all:
            log(peer.user, "connect", "refused: too many sessions")
            raise KernelError(
                "connect to the broker",
                errno.EUSERS,
                f"It serves {most} connections of a user and {most_of_all} in all: close other "
                "labs, or start it with more --sessions.",
            )

    def _begin(self, connection: socket.socket, peer: Peer) -> None:
        doorman = os.getpid()
        try:
            process = os.fork()
        except OSError as error:
            raise KernelError("start a session", error.errno or 0) from error
        if process == 0:
            self._become_session(connection, peer, doorman)
        descriptor = os.pidfd_open(process)
        self._sessions[descriptor] = (process, peer.user)
        self._selector.register(descriptor, selectors.EVENT_READ)

    def _become_session(self, connection: socket.socket, peer: Peer, doorman: int) -> None:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            copy = os.dup(connection.fileno())
            os.dup2(copy, _CONNECTION, inheritable=False)
            os.closerange(_CONNECTION + 1, 1 << 20)
            session = Session(socket.socket(fileno=_CONNECTION), peer, doorman, self._terms)
            session.run()
            status = 0
        except SystemExit:
            status = 0
        except BaseException:  # of which the doorman must know nothing
            traceback.print_exc()
        finally:
            with suppress(OSError):
                sys.stderr.flush()
            os._exit(status)

    def _bury(self, descriptor: int) -> None:
        process, user = self._sessions.pop(descriptor)
        self._selector.unregister(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(process, 0)
        if status:
            code = os.waitstatus_to_exitcode(status)
            log(user, f"session {process}", f"ended by signal {-code}" if code < 0 else "failed")

    def _end_sessions(self) -> None:
        deadline = time.monotonic() + _LAST_ORDERS
        self._signal(signal.SIGTERM)
        while self._sessions and time.monotonic() < deadline:
            self._attend(0.1)
        self._signal(signal.SIGKILL)
        while self._sessions:
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
