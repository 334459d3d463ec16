"""Time in network softirqs, for each core, measured at the kernel's tracepoints."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

from xdplab.core.closing import Closing
from xdplab.native import lib
from xdplab.native.handle import NativeHandle
from xdplab.native.objects import c_path
from xdplab.net.namespace import on_a_thread
from xdplab.refusals.errors import new_error, raise_error

if TYPE_CHECKING:
    from xdplab.broker.client import Connection


class SoftirqClock(Closing):
    """Adds up how long each core spends in NET_RX and NET_TX softirqs, while it is open.

    On veth, softirqs on the sender's core deliver the packets: a receiver's own CPU time is only a
    part of their cost.

    Raises
    ------
    PermissionRefusedError
        Without CAP_PERFMON and CAP_BPF.
    """

    def __init__(self) -> None:
        error = new_error()
        give_back = lib.xdplab_softirq_give_back
        self._handle = NativeHandle(give_back, "this clock was closed. Make a new one.")
        if not self._handle.open(on_a_thread, lib.xdplab_softirq_open, c_path("softirq"), error):
            raise_error(error)

    def nanoseconds(self, cores: set[int]) -> int:
        """Read the time so far, in ns, of these cores together."""
        with self._handle.lock:
            pointer = self._handle.pointer
            return sum(int(lib.xdplab_softirq_ns(pointer, core)) for core in cores)

    def close(self) -> None:
        """Stop measuring."""
        self._handle.close()


class SoftirqMap(Closing):
    """The same through the map of a program that a session of the broker has loaded.

    Parameters
    ----------
    session
        A softirq session, which this object owns: the program runs for as long as it is open.
    """

    def __init__(self, session: Connection) -> None:
        (self._map,) = session.descriptors
        self._closer = weakref.finalize(self, _close, session, self._map)

    def nanoseconds(self, cores: set[int]) -> int:
        """Read the time so far, in ns, of these cores together."""
        return sum(int(lib.xdplab_softirq_map_ns(self._map, core)) for core in cores)

    def close(self) -> None:
        """Stop measuring."""
        self._closer()


def _close(session: Connection, descriptor: int) -> None:
    session.close()
    os.close(descriptor)
