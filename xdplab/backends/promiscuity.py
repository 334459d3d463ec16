"""Promiscuous mode of interfaces, for as long as an object here asks for it.

A packet socket asks for it (``PACKET_MR_PROMISC``, packet(7)), and the kernel counts the requests:
one ends with its socket, and so with the process, however that ends, and those of others stay.
"""

from __future__ import annotations

import os
import socket
import struct
import weakref
from collections.abc import Iterable

from xdplab.core.closing import Closing
from xdplab.core.errors import KernelError
from xdplab.native import lib
from xdplab.net.interface import Interface
from xdplab.refusals.errors import error_at

# linux/if_packet.h, which Python lacks.
_SOL_PACKET, _ADD_MEMBERSHIP, _PROMISCUOUS = 263, 1, 1
_MEMBERSHIP = struct.Struct("=iHH8s")


class Promiscuity(Closing):
    """A request for promiscuous mode, until `close`, the last reference, or the process' end.

    Parameters
    ----------
    interfaces
        The interfaces; a simulated one filters nothing, and is left unchanged.

    Raises
    ------
    KernelError
        When the kernel refuses.
    """

    def __init__(self, interfaces: Iterable[Interface] = ()) -> None:
        self._descriptors: list[int] = []
        self._closer = weakref.finalize(self, _close, self._descriptors)
        _open.add(self)
        for interface in interfaces:
            if not interface.namespace.simulated:
                self._ask(interface)

    def _ask(self, interface: Interface) -> None:
        try:
            (asking,) = interface.namespace.run(_asking, interface.index)
        except KernelError:
            self.close()
            raise
        except OSError as error:
            self.close()
            tried = f"switch {interface.name} to promiscuous mode"
            raise error_at(lib.XDPLAB_STEP_OPEN_SOCKET, error.errno or 0, tried) from error
        self._descriptors.append(asking.detach())

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._closer.alive

    def close(self) -> None:
        """End the request."""
        self._closer()


def _asking(index: int) -> list[socket.socket]:
    """Open the socket, which receives nothing itself, in the interface's namespace."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        membership = _MEMBERSHIP.pack(index, _PROMISCUOUS, 0, b"")
        made.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
    except BaseException:
        made.close()
        raise
    return [made]


def _close(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())


_open: weakref.WeakSet[Promiscuity] = weakref.WeakSet()


def _let_go() -> None:
    """End all requests in a forked child, which may outlive its parent."""
    for each in list(_open):
        each.close()


os.register_at_fork(after_in_child=_let_go)
