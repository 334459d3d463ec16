"""The wire of a simulated lab: two ends, and a thread that does the kernel's part of both."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from itertools import count
from typing import Any

from xdplab.backends.lab_plan import NAMES, PEER_SIDE, PORT_SIDE, LabPlan
from xdplab.core.closing import Closing
from xdplab.core.errors import ClosedError, InterfaceGoneError
from xdplab.core.text import counted
from xdplab.native import ffi, lib
from xdplab.native.handle import NativeHandle
from xdplab.net.namespace import on_a_thread
from xdplab.refusals.errors import new_error, raise_error

ENDS = {PORT_SIDE: 0, PEER_SIDE: 1}
"""Numbers of the ends, as the native wire has them, by a plan's sides."""


_WHEREVER = -1  # until there is a generator, on whose core the thread runs then

_serials = count(1)


class Wire(Closing):
    """Owns the native wire.

    Parameters
    ----------
    plan
        Size and addresses of the lab.

    Raises
    ------
    KernelError
        Without memory or thread for it.
    """

    def __repr__(self) -> str:
        return f"<Wire with {counted(self.queues, 'queue')} a side [simulated]>"

    def __init__(self, plan: LabPlan) -> None:
        self.queues = plan.queues
        self.serial = next(_serials)
        """Number that is unique among the wires of this process."""
        self._handle = NativeHandle(
            lib.xdplab_wire_give_back,
            "this simulated wire was closed, with the lab that it belonged to",
        )
        self._lock = self._handle.lock
        # The wire is freed only after pings under way have ended.
        self._pings, self._ping_ended = 0, threading.Condition(self._lock)
        config, error = ffi.new("struct xdplab_wire_config *"), new_error()
        config.queues, config.mtu, config.cpu = plan.queues, plan.mtu, _WHEREVER
        config.seed = plan.number + 1
        for side, end in ENDS.items():
            config.ends[end].mac = bytes.fromhex(plan.mac(side).replace(":", ""))
            config.ends[end].ipv4 = plan.ipv4(side).packed
            config.ends[end].ipv6 = plan.ipv6(side).packed
        if not self._handle.open(on_a_thread, lib.xdplab_wire_open, config, error):
            raise_error(error)

    @property
    def pointer(self) -> Any:
        """The native wire.

        Raises
        ------
        ClosedError
            After `close`, and in a forked child, which lacks the wire's thread.
        """
        pointer = self._handle.pointer
        if not self._handle.is_ours:
            raise ClosedError(
                "this simulated wire belongs to another process. Make a lab in this one."
            )
        return pointer

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._handle.closed

    def close(self) -> None:
        """Cut and release it. The native wire is freed with its last engine and generator."""
        with self._lock:
            if self.closed or not self._handle.is_ours:
                return
            lib.xdplab_wire_cut(self._handle.pointer)
            self._ping_ended.wait_for(lambda: not self._pings)
            self._handle.close()

    def cut(self) -> None:
        """Remove both interfaces while they are in use, as removing a veth does."""
        with self._lock:
            lib.xdplab_wire_cut(self.pointer)

    @property
    def is_cut(self) -> bool:
        """Whether `cut` was called."""
        with self._lock:
            return bool(lib.xdplab_wire_is_cut(self.pointer))

    def set_faults(self, end: int, faults: Mapping[str, int]) -> None:
        """Set the fields of ``struct xdplab_wire_faults`` of an end."""
        with self._lock:
            lib.xdplab_wire_set_faults(
                self.pointer, end, ffi.new("struct xdplab_wire_faults *", dict(faults))
            )

    def link_statistics(self, end: int) -> dict[str, int]:
        """Read what the kernel of an end would have counted on its link."""
        found = ffi.new("struct xdplab_link_statistics *")
        with self._lock:
            self._check(end, "statistics")
            lib.xdplab_wire_link_statistics(self.pointer, end, found)
        return {name: int(getattr(found, name)) for name in dir(found)}

    def driver_statistics(self, end: int) -> dict[str, int]:
        """Read what veth would have counted for itself, under its names."""
        found = ffi.new("struct xdplab_queue_statistics *")
        told: dict[str, int] = {}
        with self._lock:
            self._check(end, "driver statistics")
            for queue in range(self.queues):
                lib.xdplab_wire_queue_statistics(self.pointer, end, queue, found)
                for field in dir(found):
                    way, _, name = field.partition("_")
                    told[f"{way}_queue_{queue}_{name}"] = int(getattr(found, field))
        return told

    def ping(
        self,
        end: int,
        target: IPv4Address | IPv6Address,
        *,
        requests: int,
        interval: float,
        size: int,
        timeout: float,
    ) -> tuple[int, int]:
        """Send echo requests from the simulated stack of an end; return sent and received.

        Raises
        ------
        InterfaceGoneError
            When the wire was cut.
        """
        sent, received = ffi.new("uint32_t *"), ffi.new("uint32_t *")

        def send() -> int:
            with self._lock:
                pointer = self.pointer
                self._pings += 1
            code = lib.xdplab_wire_ping(
                pointer,
                end,
                target.packed,
                socket.AF_INET if target.version == 4 else socket.AF_INET6,
                requests,
                round(interval * 1e9),
                size,
                round(timeout * 1e9),
                sent,
                received,
            )
            with self._lock:
                self._pings -= 1
                self._ping_ended.notify_all()
            return int(code)

        # An interrupt (Ctrl-C) ends the wait for it.
        if code := on_a_thread(send):
            raise InterfaceGoneError(f"ping {target}", -code, "The wire is gone: make a new lab.")
        return int(sent[0]), int(received[0])

    def _check(self, end: int, what: str) -> None:
        if lib.xdplab_wire_is_cut(self.pointer):
            side = next(side for side, number in ENDS.items() if number == end)
            raise InterfaceGoneError(f"read the {what} of {NAMES[side]}", errno.ENODEV)
