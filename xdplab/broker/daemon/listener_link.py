"""The line between a session and the listener that made it: log, memory, and the session's end.

Messages of one socket pair (SOCK_SEQPACKET), a byte for the kind and fixed fields:

    session     ready   it holds its own connection and no other one
                log     for the listener to write, which knows whose session it is
                reserve bytes of the machine's memory, before something is made
                keep    the reservation, as the ids of the BPF objects that were made of it, and the
                        bytes of each; as nothing, for what is watched
                watch   an AF_XDP socket that is about to hold it, by an epoll set beside it
                cancel  the reservation
    listener    go      nobody but the session holds its connection now
                granted, or why a reservation is refused

The listener trusts only messages by which a session could harm no user but its own.
"""

from __future__ import annotations

import errno
import os
import re
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from xdplab.broker.daemon.log import Limiter
from xdplab.core.errors import KernelError

READY, LOG, RESERVE, KEEP, WATCH, CANCEL = b"Y", b"L", b"R", b"K", b"W", b"C"
GO, GRANTED, USER_HAS_ITS_SHARE, MACHINE_HAS_NONE = b"G", b"g", b"u", b"m"
MESSAGE_BYTES = 8192
AMOUNT = struct.Struct("=Q")
OBJECT = struct.Struct("=cIQ")
MAP, PROGRAM = b"m", b"p"
"""Kinds of BPF objects."""

_QUIET_SECONDS = 1.0  # between lines of a kind; the listener lets fewer pass
_RETRY_SECONDS = 0.1
_TRIES = 5
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROGRAM_BYTES = 8192  # of one of ours, compiled; the kernel tells only who holds it itself
_SHARE = (
    "It is above what the broker allows one user in all: close engines, or choose a smaller "
    "ring_size."
)
_MACHINE = "The broker leaves a quarter of the machine's memory to others: close engines."


class Held(NamedTuple):
    """A BPF object that the kernel keeps until its last holder is gone."""

    kind: bytes
    number: int
    size: int


class Said(NamedTuple):
    """A message for the log."""

    lines: int
    """Number of lines that it stands for."""
    kind: str
    """The kind of those lines."""
    operation: str
    outcome: str


class Line:
    """The session's side of the line."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._limiter = Limiter[str](_QUIET_SECONDS)

    def fileno(self) -> int:
        """Return the descriptor, which is readable when the listener has ended."""
        return self._socket.fileno()

    def begin(self) -> bool:
        """Report that this process holds its own connection only; return whether to go on."""
        self._socket.send(READY)
        return self._socket.recv(1) == GO

    def log(self, operation: str, outcome: str, kind: str = "") -> None:
        """Send a line for the log, at a limited rate for each kind.

        Parameters
        ----------
        operation, outcome
            In words.
        kind
            The kind of this line, by which the rate is limited; by default operation and outcome.
        """
        kind = kind or f"{operation}: {outcome}"
        for each, count in self._limiter.kept_back():
            self._send_log(count, each, each, f"{count} more like it")
        if self._limiter.admit(kind):
            self._send_log(1, kind, operation, outcome)

    def end(self) -> None:
        """Send the counts of lines that were kept back."""
        for kind, count in self._limiter.kept_back(all_of_them=True):
            self._send_log(count, kind, kind, f"{count} more like it")

    def _send_log(self, count: int, kind: str, operation: str, outcome: str) -> None:
        text = "\0".join((str(count), kind[:200], operation[:200], outcome[:1000]))
        with suppress(OSError):  # the listener has ended
            self._socket.send(LOG + text.encode(errors="replace"))

    @contextmanager
    def reserved(self, tried: str, amount: int) -> Iterator[Reservation]:
        """Reserve memory for the block, before the objects that need it are made.

        Raises
        ------
        KernelError
            ENOBUFS when the client's user has its share, ENOMEM when the machine has no memory to
            spare.
        """
        self._reserve(tried, amount)
        reservation = Reservation(amount)
        try:
            yield reservation
        finally:
            self._settle(reservation)

    @contextmanager
    def reserved_for(self, tried: str, amount: int, holder: int) -> Iterator[None]:
        """Reserve memory that a client's AF_XDP socket holds from the block until it is closed.

        The listener knows of the socket before it holds anything: the client may end this process
        at any moment, and the socket is the client's own.

        Raises
        ------
        KernelError
            As `reserved` does.
        """
        self._reserve(tried, amount)
        try:
            # An epoll set forgets a socket when its last holder closes it, and does not hold it.
            with select.epoll(flags=select.EPOLL_CLOEXEC) as watching:
                watching.register(holder, 0)
                socket.send_fds(self._socket, [WATCH], [watching.fileno()])
            yield
        except BaseException:
            self._socket.send(CANCEL)
            raise
        self._socket.send(KEEP)

    def _settle(self, reservation: Reservation) -> None:
        if reservation.held:
            self._socket.send(KEEP + b"".join(OBJECT.pack(*each) for each in reservation.held))
        else:
            self._socket.send(CANCEL)

    def _reserve(self, tried: str, amount: int) -> None:
        for attempt in range(_TRIES):
            if attempt:
                # Objects that the client has just closed are freed a moment later.
                time.sleep(_RETRY_SECONDS)
            self._socket.send(RESERVE + AMOUNT.pack(amount))
            answer = self._socket.recv(1)
            if answer == GRANTED:
                return
        if answer == USER_HAS_ITS_SHARE:
            raise KernelError(tried, errno.ENOBUFS, _SHARE)
        if answer == MACHINE_HAS_NONE:
            raise KernelError(tried, errno.ENOMEM, _MACHINE)
        raise OSError(errno.EPIPE, "the listener has ended")


class Reservation:
    """A reservation of memory, and the objects made from it."""

    def __init__(self, amount: int) -> None:
        self._amount = amount
        self.held: list[Held] = []

    def keep(self, descriptors: Sequence[int]) -> None:
        """Count the descriptors' objects as the client's, for as long as they exist.

        Parameters
        ----------
        descriptors
            Descriptors of maps and links; the client gets copies.
        """
        found = [each for one in descriptors if (each := _object(one))]
        known = sum(each.size for each in found)
        # The kernel does not tell a program's size: it gets the rest of the reservation.
        rest = max(self._amount - known, 0)
        self.held = [
            each._replace(size=max(rest, _PROGRAM_BYTES)) if each.kind == PROGRAM else each
            for each in found
        ]


def decode_objects(message: bytes) -> list[Held]:
    """Decode the objects of a `keep` message; none of one that is cut."""
    body = message[1:]
    whole = len(body) - len(body) % OBJECT.size
    return [Held(*each) for each in OBJECT.iter_unpack(body[:whole])]


def decode_log(message: bytes) -> Said:
    """Decode a `log` message."""
    fields = message[1:].decode(errors="replace").split("\0")
    count, kind, operation, outcome = (*fields, "", "", "", "")[:4]
    number = int(count) if count.isascii() and count.isdigit() and len(count) < 10 else 1
    return Said(number, kind, operation, outcome)


def _object(descriptor: int) -> Held | None:
    """Find the object of a descriptor: a map, or the program of a link."""
    fields = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
    for kind, name in ((MAP, "map_id"), (PROGRAM, "prog_id")):
        if found := re.search(rf"^{name}:\s*(\d+)", fields, re.MULTILINE):
            told = re.search(r"^memlock:\s*(\d+)", fields, re.MULTILINE)
            return Held(kind, int(found[1]), max(int(told[1]) if told else 0, _PAGE))
    return None
