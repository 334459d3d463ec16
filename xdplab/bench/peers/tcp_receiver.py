"""A TCP receiver on the normal stack, in one of the ways by which a stream gets into a program."""

from __future__ import annotations

import os
import socket
import weakref
from typing import Any, NamedTuple

from xdplab.core.checks import choice, core
from xdplab.core.closing import Closing
from xdplab.core.errors import KernelError
from xdplab.native import ffi, lib
from xdplab.native.records import names_in
from xdplab.refusals.errors import new_error, raise_error

TCP_WAYS: tuple[str, ...] = names_in(lib.xdplab_tcp_way)
"""Ways to receive, in the order of their indices."""


class TcpCounts(NamedTuple):
    """What a receiver got so far: ``struct xdplab_tcp_counts``."""

    bytes: int
    pieces: int
    calls: int
    first_ns: int
    last_ns: int
    cpu_ns: int
    ended: int
    fault: int


class TcpReceiver(Closing):
    """A native thread that takes a numbered stream from a connection, and compares each byte.

    Word n of the stream, of 8 bytes in the machine's order, is n. The thread starts at once, and
    ends with the stream, or with `close`.

    Parameters
    ----------
    connection
        The connected socket. The receiver owns it from then on, even if it fails.
    way
        One of `TCP_WAYS`.
    cpu
        Core of the thread.

    Raises
    ------
    ConfigurationError
        For values out of range.
    KernelError
        When the kernel does not have the way, or refuses it.
    """

    def __init__(self, connection: socket.socket, way: str, *, cpu: int) -> None:
        with connection:
            self.way = choice("way", way, TCP_WAYS)
            place, error = core(cpu), new_error()
            connection.setblocking(True)
            opened = connection.dup()
        native = lib.xdplab_tcp_receiver_start(
            opened.fileno(), TCP_WAYS.index(self.way), place, error
        )
        if not native:
            opened.close()
            raise_error(error)
        self._native, self._counts = native, ffi.new("struct xdplab_tcp_counts *")
        self._closer = weakref.finalize(self, _stop, native, opened, os.getpid())

    @property
    def counts(self) -> TcpCounts:
        """What it received so far. Times are known once it ended."""
        if self._closer.alive:
            lib.xdplab_tcp_receiver_counts(self._native, self._counts)
        return TcpCounts(*(int(getattr(self._counts, name)) for name in TcpCounts._fields))

    @property
    def error(self) -> KernelError | None:
        """Why it ended before the stream did, or None."""
        counts = self.counts
        if not counts.fault:
            return None
        tried = f"receive TCP by {self.way} after {counts.bytes:,} bytes that were right"
        return KernelError(tried, counts.fault)

    def close(self) -> None:
        """End the thread and close the socket; the last counts remain readable."""
        _ = self.counts
        self._closer()


def _stop(native: Any, opened: socket.socket, owner: int) -> None:
    # A forked child has a copy of the socket, but does not own the thread.
    if os.getpid() == owner:
        lib.xdplab_tcp_receiver_stop(native)
        opened.close()
