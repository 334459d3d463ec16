"""The listener: accepts connections, forks a session for each, counts them, and ends them.

It never waits for a client or a session, and never reads a byte from a client. Users take turns:
each has a queue of connections that were accepted, and one session is made at a time.

The process that closes a connection last waits until the descriptors sent along it are closed,
which a client can make slow (SO_LINGER); a process that ends does not wait. So the listener closes
a connection only while the session has it, too: the session tells when it holds no connection but
its own, and is told when no other process has that. Rejected connections go to a process that sends
the reason, and ends.
"""

from __future__ import annotations

import errno
import os
import resource
import selectors
import signal
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from xdplab.broker import protocol
from xdplab.broker.daemon import listener_link
from xdplab.broker.daemon.child import become_child
from xdplab.broker.daemon.limits import Limits
from xdplab.broker.daemon.listener_link import Line
from xdplab.broker.daemon.log import Limiter, log
from xdplab.broker.daemon.memory_held import Holdings
from xdplab.broker.daemon.session import Peer, Session, Terms
from xdplab.core.descriptors import close_all, receive_with_descriptors
from xdplab.core.errors import KernelError, PermissionRefusedError, XdplabError

_SO_PEERGROUPS = 59  # asm-generic/socket.h
_MOST_GROUP_BYTES = 1024  # the most that Python's getsockopt takes: 256 groups
_CREDENTIALS = struct.Struct("iII")
_ALL_KINDS = 0x40000000  # __WALL, linux/wait.h
_OWN_DESCRIPTORS = 14  # the listener's, and those that it and its children open briefly
_AT_ONCE = 64  # connections, and messages of a session, before others have their turn
_PAUSE_SECONDS = 0.05  # after the kernel was out of descriptors or processes
_QUIET_SECONDS = 10.0  # between lines of a kind in the log
_END_SECONDS = 5.0  # for sessions to end after SIGTERM, and then again after SIGKILL


_NOT_IN_THE_GROUP = listener_link.Said(
    1, "connect: not in the group", "connect", "refused: not in the group"
)
_TOO_MANY = listener_link.Said(1, "connect: too many", "connect", "refused: too many sessions")


class _Child:
    """A process that has one or more connections: a session, or one that rejects them."""

    def __init__(
        self, process: int, line: socket.socket, connections: list[socket.socket], peer: Peer | None
    ) -> None:
        self.process, self.line, self.connections, self.peer = process, line, connections, peer


class Listener:
    """Serves a listening socket until it is told to stop.

    Parameters
    ----------
    listening
        A Unix socket of type SOCK_SEQPACKET, listening.
    group
        Id of the group whose members are served. Root is, too.
    limits
        Limits on the clients' resources.
    terms
        Terms of each session.
    """

    def __init__(self, listening: socket.socket, group: int, limits: Limits, terms: Terms) -> None:
        self._listening = listening
        self._group = group
        self._limits = limits
        self._terms = terms
        self._holdings = Holdings(limits)
        self._limiter = Limiter[tuple[int, str]](_QUIET_SECONDS)
        self._children: dict[int, _Child] = {}
        """By process."""
        self._starting: _Child | None = None
        """The child that may still hold the connections of others."""
        self._waiting: dict[int, deque[tuple[socket.socket, Peer]]] = {}
        """By user; the user whose turn is next comes first."""
        self._refused: list[tuple[socket.socket, bytes]] = []
        self._refuses_next = False
        """Rejecting and serving take turns, since there may always be more to reject."""
        self._paused_until = 0.0
        self._accepts = False
        self._stopping = False
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._room = most - _OWN_DESCRIPTORS

    def run(self, begun: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT, and end the sessions.

        Parameters
        ----------
        begun
            Called once these signals are handled.
        """
        self._listening.setblocking(False)
        told, tells = socket.socketpair()
        for each in (told, tells):
            each.setblocking(False)
        signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        begun()
        with selectors.DefaultSelector() as self._selector:
            self._selector.register(told, selectors.EVENT_READ, lambda: told.recv(4096))
            while not self._stopping:
                self._watch_listening()
                self._attend(self._patience())
                self._start_next()
            self._end_children()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _patience(self) -> float | None:
        """Return the longest time to wait for an event, in seconds; None for no limit."""
        if (left := self._paused_until - time.monotonic()) > 0:
            return left
        return _QUIET_SECONDS if self._limiter else None

    def _attend(self, patience: float | None) -> None:
        for key, _ in self._selector.select(patience):
            key.data()
        self._reap()
        self._tell_what_was_kept_back()

    def _tell_what_was_kept_back(self) -> None:
        for (user, kind), count in self._limiter.kept_back():
            log(user, os.getpid(), kind, f"{count} more like it")

    def _watch_listening(self) -> None:
        """Accept connections as long as there are descriptors for them."""
        paused = time.monotonic() < self._paused_until
        accepts = not paused and self._held_descriptors() < self._room
        if accepts and not self._accepts:
            self._selector.register(self._listening, selectors.EVENT_READ, self._accept)
        elif self._accepts and not accepts:
            self._selector.unregister(self._listening)
        self._accepts = accepts

    def _held_descriptors(self) -> int:
        waiting = sum(map(len, self._waiting.values()))
        kept = self._holdings.descriptors
        return len(self._children) + waiting + len(self._refused) + kept

    def _pause(self) -> None:
        self._paused_until = time.monotonic() + _PAUSE_SECONDS

    def _accept(self) -> None:
        for _ in range(min(_AT_ONCE, self._room - self._held_descriptors())):
            try:
                connection, _address = self._listening.accept()
            except BlockingIOError:
                return
            except OSError:  # out of descriptors, or gone again
                self._pause()
                return
            try:
                peer = _peer(connection)
                self._admit(peer)
            except XdplabError as error:
                self._refused.append((connection, protocol.encode_refusal(error)))
            else:
                self._waiting.setdefault(peer.user, deque()).append((connection, peer))

    def _admit(self, peer: Peer) -> None:
        """Raise unless this peer may have another connection."""
        if peer.user != 0 and self._group not in (peer.group, *peer.groups):
            self._log(peer.user, peer.process, _NOT_IN_THE_GROUP)
            raise PermissionRefusedError(
                "connect to the broker", errno.EACCES, "It serves a group that you are not in."
            )
        served = [child.peer.user for child in self._children.values() if child.peer]
        own = served.count(peer.user) + len(self._waiting.get(peer.user, ()))
        everybodys = len(served) + sum(map(len, self._waiting.values()))
        if not self._limits.admits(own, everybodys):
            most, most_of_all = self._limits.sessions, self._limits.all_sessions
            self._log(peer.user, peer.process, _TOO_MANY)
            raise KernelError(
                "connect to the broker",
                errno.EUSERS,
                f"It serves {most} connections of a user and {most_of_all} in all, the last of "
                "them to users who have few: close other labs, or start it with more --sessions.",
            )

    def _start_next(self) -> None:
        """Fork the next child, if the one before has closed the connections of others."""
        if self._starting or time.monotonic() < self._paused_until:
            return
        self._refuses_next = not self._refuses_next
        if self._refused and (self._refuses_next or not self._waiting):
            refused, self._refused = self._refused, []
            connections = [connection for connection, _ in refused]
            messages = [message for _, message in refused]
            if not self._fork(connections, None, lambda made, _: _refuse_all(made, messages)):
                self._refused = refused
        elif self._waiting:
            user = next(iter(self._waiting))
            queue = self._waiting.pop(user)
            connection, peer = queue.popleft()
            if not self._fork([connection], peer, self._serve(peer)):
                queue.appendleft((connection, peer))
            if queue:
                self._waiting[user] = queue  # behind the others

    def _fork(
        self,
        connections: list[socket.socket],
        peer: Peer | None,
        work: Callable[[list[socket.socket], Line], None],
    ) -> bool:
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError:
            self._pause()
            return False
        try:
            process = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            self._pause()
            return False
        if process == 0:
            become_child(theirs, connections, work)
        theirs.close()
        ours.setblocking(False)
        child = _Child(process, ours, connections, peer)
        self._children[process] = self._starting = child
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._hear(child))
        return True

    def _serve(self, peer: Peer) -> Callable[[list[socket.socket], Line], None]:
        listener = os.getpid()
        return lambda made, line: Session(made[0], peer, listener, line, self._terms).run()

    def _hear(self, child: _Child) -> None:
        """Handle the messages on a child's line."""
        for _ in range(_AT_ONCE):
            try:
                message, descriptors, _ = receive_with_descriptors(
                    child.line, listener_link.MESSAGE_BYTES, 1
                )
            except BlockingIOError:
                return
            except OSError:
                message, descriptors = b"", []
            if not message:
                self._hang_up(child)
                return
            if message == listener_link.WATCH and descriptors and child.peer:
                self._holdings.forget_unpinned(child.peer.user)
                self._holdings.watch(child.process, descriptors.pop())
            close_all(descriptors)
            self._obey(child, message[:1], message)

    def _obey(self, child: _Child, kind: bytes, message: bytes) -> None:
        if kind == listener_link.READY and child is self._starting:
            self._starting = None
            for connection in child.connections:
                connection.close()
            child.connections = []
            self._answer(child, listener_link.GO)
        elif child.peer is None:
            return
        elif kind == listener_link.LOG:
            self._log(child.peer.user, child.process, listener_link.decode_log(message))
        elif kind == listener_link.RESERVE and len(message) == 1 + listener_link.AMOUNT.size:
            (amount,) = listener_link.AMOUNT.unpack(message[1:])
            self._answer(child, self._holdings.reserve(child.process, child.peer.user, amount))
        elif kind == listener_link.KEEP:
            self._holdings.keep(child.process, listener_link.decode_objects(message))
        elif kind == listener_link.CANCEL:
            self._holdings.cancel(child.process)

    def _answer(self, child: _Child, answer: bytes) -> None:
        # A child that does not read its answers is none of ours: it has a buffer full of them.
        try:
            child.line.send(answer)
        except OSError:
            self._hang_up(child)

    def _hang_up(self, child: _Child) -> None:
        """Close the line, which tells the child to end."""
        if child.line.fileno() >= 0:
            self._selector.unregister(child.line)
            child.line.close()

    def _reap(self) -> None:
        """Reap ended children; a tracer may keep one as long as it likes."""
        with suppress(ChildProcessError):
            while True:
                process, status = os.waitpid(-1, os.WNOHANG | _ALL_KINDS)
                if not process:
                    return
                if child := self._children.pop(process, None):
                    self._has_ended(child, status)

    def _has_ended(self, child: _Child, status: int) -> None:
        self._hear(child)
        self._hang_up(child)
        self._holdings.end(child.process)
        if child.peer:
            self._holdings.forget_unpinned(child.peer.user)
        if child is self._starting:  # it never took its connections over
            self._starting = None
            refusal = KernelError("connect to the broker", errno.EAGAIN, "Try again.")
            message = protocol.encode_refusal(refusal)
            self._refused += [(connection, message) for connection in child.connections]
        if status and child.peer:
            code = os.waitstatus_to_exitcode(status)
            outcome = f"ended by signal {-code}" if code < 0 else "failed"
            said = listener_link.Said(1, f"session: {outcome}", f"session {child.process}", outcome)
            self._log(child.peer.user, child.process, said)

    def _log(self, user: int, process: int, said: listener_link.Said) -> None:
        self._tell_what_was_kept_back()
        if self._limiter.admit((user, said.kind), said.lines):
            log(user, process, said.operation, said.outcome)

    def _end_children(self) -> None:
        if self._accepts:
            self._selector.unregister(self._listening)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in self._children:
                with suppress(ProcessLookupError):
                    os.kill(process, number)
            deadline = time.monotonic() + _END_SECONDS
            while self._children and time.monotonic() < deadline:
                self._attend(0.1)
        # The end of this process closes connections that nobody serves any more.
        for connection in self._left():
            connection.detach()

    def _left(self) -> list[socket.socket]:
        waiting = [connection for queue in self._waiting.values() for connection, _ in queue]
        return waiting + [connection for connection, _ in self._refused]


def _refuse_all(connections: Sequence[socket.socket], messages: Sequence[bytes]) -> None:
    """Send clients the reason for their rejection, without waiting for them."""
    for connection, message in zip(connections, messages, strict=True):
        with suppress(OSError):
            connection.setblocking(False)
            protocol.send(connection, message)


def _peer(connection: socket.socket) -> Peer:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, group = _CREDENTIALS.unpack(raw)
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_GROUP_BYTES)
    except OSError as error:
        raise KernelError("ask for the client's groups", error.errno or 0) from error
    return Peer(process, user, group, struct.unpack(f"{len(raw) // 4}I", raw))
