"""A UDP echo server on an ordinary socket, the baseline for an engine that echoes."""

from __future__ import annotations

import os
import socket
import weakref
from typing import Any

from xdplab.core.checks import choice, core, whole
from xdplab.core.closing import Closing
from xdplab.core.errors import KernelError
from xdplab.native import lib
from xdplab.net.host import Host
from xdplab.refusals.errors import new_error, raise_error

MODES = {"blocking": lib.XDPLAB_UDP_ECHO_BLOCKING, "epoll": lib.XDPLAB_UDP_ECHO_EPOLL}
"""Ways to wait: in ``recvfrom``, or in ``epoll_wait`` and then receiving until it is empty."""

# The kernel doubles it, and counts 768 bytes for a small datagram: it holds 2,048 of them, as many
# as an engine's RX ring.
_RECEIVE_BUFFER = 2048 * 768 // 2
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h; Python does not name it


class UdpEcho(Closing):
    """A native thread that sends each datagram back to its sender, byte for byte.

    It starts at once, and ends with `close`.

    Parameters
    ----------
    host
        The host on whose stack it is. No engine may capture there.
    mode
        One of `MODES`.
    port
        The UDP port, on the host's IPv4 address.
    cpu
        Core of the thread.

    Raises
    ------
    ConfigurationError
        For values out of range.
    KernelError
        When the kernel refuses the socket or the thread, for example because the port is in use.
    """

    def __init__(self, host: Host, mode: str = "blocking", *, port: int, cpu: int) -> None:
        self.mode = choice("mode", mode, MODES)
        number = whole("port", port, 1, 65535)
        place = core(cpu)
        opened, error = _bind(host, number), new_error()
        native = lib.xdplab_udp_echo_start(opened.fileno(), MODES[mode], place, error)
        if not native:
            opened.close()
            raise_error(error)
        self._native = native
        self._answered = self._refused = 0
        self._closer = weakref.finalize(self, _stop, native, opened, os.getpid())

    @property
    def answered(self) -> int:
        """Datagrams sent back so far."""
        if not self.closed:
            self._answered = int(lib.xdplab_udp_echo_answered(self._native))
        return self._answered

    @property
    def refused(self) -> int:
        """Answers that the stack rejected, for example to an unreachable sender."""
        if not self.closed:
            self._refused = int(lib.xdplab_udp_echo_refused(self._native))
        return self._refused

    @property
    def error(self) -> KernelError | None:
        """Why it ended by itself, or None."""
        if self.closed or not (fault := lib.xdplab_udp_echo_fault(self._native)):
            return None
        return KernelError("go on answering datagrams", fault)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._closer.alive

    def close(self) -> None:
        """End the thread and close the socket; the last counts remain readable."""
        self._closer()


def _bind(host: Host, port: int) -> socket.socket:
    opened = host.socket()
    try:
        opened.setblocking(True)  # despite socket.setdefaulttimeout
        try:  # beyond net.core.rmem_max, if this process may
            opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        except PermissionError:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        opened.bind((host.ipv4, port))
    except OSError as error:
        opened.close()
        tried = f"bind a UDP socket to {host.ipv4} port {port}"
        raise KernelError(tried, error.errno or 0) from error
    return opened


def _stop(native: Any, opened: socket.socket, owner: int) -> None:
    # A forked child has a copy of the socket, but does not own the thread.
    if os.getpid() == owner:
        lib.xdplab_udp_echo_stop(native)
        opened.close()
