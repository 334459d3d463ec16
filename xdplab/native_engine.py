"""The C engine behind an `Engine`: opened, started, stopped and closed, one call at a time."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from xdplab._engine import ffi, lib
from xdplab.configuration import Configuration
from xdplab.errors import ClosedError, KernelError
from xdplab.interface import Interface
from xdplab.namespace import on_a_thread, open_native
from xdplab.native_errors import new_error, raise_error


class Hold(NamedTuple):
    """What became of a port's XDP program: ``struct xdplab_hold``."""

    interface_index: int
    program: int
    loaded: int
    unserved: int
    taken_off: bool


class NativeEngine:
    """Owns the C engine, which takes calls from one thread at a time, and from this process alone.

    Parameters
    ----------
    configuration
        What to open. On return its sockets are bound and its programs attached.

    Raises
    ------
    KernelError
        When the kernel refuses. Nothing half-made is left.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.lock = threading.RLock()
        self.started = False
        self._owner = os.getpid()
        error = new_error()
        native, held = configuration.native()
        self._pointer = open_native(
            on_a_thread, lib.xdplab_engine_open, lib.xdplab_engine_close, native, error, held=held
        )
        if not self._pointer:
            raise_error(error)
        # On exit too, so that the workers have ended when the interpreter takes itself apart.
        self._closer = weakref.finalize(self, _close, self._pointer, self._owner, self.lock)
        self.descriptor: int = lib.xdplab_engine_descriptor(self._pointer)
        self._workers = len(configuration.cpus)
        try:
            self._open_ports()
        except BaseException:  # an interrupt, too, whose traceback may hold the engine for long
            self._closer()
            raise

    @contextmanager
    def held(self) -> Iterator[Any]:
        """Hold the engine for a call to the C side, which is given it.

        Raises
        ------
        ClosedError
            After `close`.
        """
        with self.lock:
            if self.closed:
                raise ClosedError("this engine was closed. Make a new one: Engine(lab.port).")
            yield self._pointer

    @contextmanager
    def ours(self) -> Iterator[Any]:
        """Hold it for what a forked child must not do to rings that it shares with its parent.

        Raises
        ------
        ClosedError
            After `close`, and in a forked child.
        """
        with self.held() as pointer:
            if not self.is_ours:
                raise ClosedError("this engine is another process'. Make one in this process.")
            yield pointer

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._closer.alive

    @property
    def is_ours(self) -> bool:
        """Whether this process opened it, and not one that it was forked from."""
        return os.getpid() == self._owner

    def close(self) -> None:
        """Stop the workers and give everything back."""
        with self.lock:
            self._closer()

    def start(self) -> None:
        """Let the workers run."""
        error = new_error()
        with self.ours() as pointer:
            if not self.started and lib.xdplab_engine_start(pointer, error):
                raise_error(error)
            self.started = True

    def stop(self) -> None:
        """Let the workers' threads end. Nothing in a forked child, which has none of them."""
        with self.lock:
            if not self.closed and self.started and self.is_ours:
                lib.xdplab_engine_stop(self._pointer)
                self.started = False

    def detach(self) -> None:
        """Take the XDP programs off: nothing more arrives."""
        with self.held() as pointer:
            lib.xdplab_engine_detach(pointer)

    def reconfigure(self, configuration: Configuration) -> None:
        """Close the sockets, and open others with as many workers.

        Raises
        ------
        KernelError
            When the kernel refuses; then it is good for another try, or `close`.
        """
        error = new_error()
        native, _held = configuration.native()
        with self.held() as pointer:
            self.configuration = configuration
            self.started = False
            if lib.xdplab_engine_reconfigure(pointer, native, error):
                raise_error(error)
            self._open_ports()

    def refresh(self) -> None:
        """Write records of what the rings of stopped workers hold."""
        with self.held() as pointer:
            lib.xdplab_engine_refresh(pointer)

    def load(self, name: str) -> int:
        """Read a word of the first worker's control block."""
        with self.held() as pointer:
            control = lib.xdplab_engine_control(pointer, 0)
            return int(lib.xdplab_load(ffi.addressof(control, name)))

    def store(self, name: str, value: int) -> None:
        """Write a word of every worker's control block."""
        with self.held() as pointer:
            for worker in range(self._workers):
                control = lib.xdplab_engine_control(pointer, worker)
                lib.xdplab_store(ffi.addressof(control, name), value)

    @property
    def zero_copy(self) -> bool:
        """Whether the driver fills and sends the UMEM's frames without copying them."""
        with self.held() as pointer:
            return bool(lib.xdplab_engine_zero_copy(pointer))

    @property
    def huge_pages(self) -> bool:
        """Whether the UMEM is made of huge pages."""
        with self.held() as pointer:
            return bool(lib.xdplab_engine_huge_pages(pointer))

    def wait_refusal(self, index: int) -> int:
        """Return the errno for which a wait strategy can't be used, or 0."""
        with self.held() as pointer:
            return int(lib.xdplab_engine_wait_refusal(pointer, 0, index))

    def wait_ineffective(self, index: int) -> str:
        """Return why a wait strategy can do nothing on one of the devices, or nothing."""
        with self.held() as pointer:
            for worker in range(self._workers):
                if reason := lib.xdplab_engine_wait_ineffective(pointer, worker, index):
                    return str(ffi.string(reason).decode())
        return ""

    def verdicts(self, port: int) -> tuple[int, int, int]:
        """Count the frames that a port's XDP program redirected, passed, and had no socket for."""
        counts = ffi.new("struct xdplab_verdicts *")
        with self.held() as pointer:
            if code := lib.xdplab_engine_verdicts(pointer, port, counts):
                raise KernelError("read the XDP program's counters", -code)
        return counts.redirected, counts.passed, counts.no_socket

    def hold(self, port: int) -> Hold | None:
        """Look what became of a port's XDP program; None where none is attached, or simulated."""
        found = ffi.new("struct xdplab_hold *")
        with self.held() as pointer:
            if lib.xdplab_engine_hold(pointer, port, found):
                return None
        words = found.interface_index, found.program, found.loaded, found.unserved
        return Hold(*words, bool(found.taken_off))

    @property
    def pointer(self) -> Any:  # noqa: ANN401 - cffi is untyped
        """The C engine, for a backend that opens its ports."""
        return self._pointer

    def _open_ports(self) -> None:
        for port, interface in enumerate(self.configuration.interfaces):
            interface.namespace.backend.open_port(self, port, interface)
            self._name_napi(port, interface)

    def _name_napi(self, port: int, interface: Interface) -> None:
        """Tell the port's workers their NAPI, which some drivers have only now."""
        ids = interface.namespace.backend.napi_ids(interface)
        queues = self.configuration.queues
        for place, queue in enumerate(queues):
            worker = port * len(queues) + place
            lib.xdplab_engine_set_napi(self._pointer, worker, ids.get(queue, 0))


def _close(pointer: Any, owner: int, lock: threading.RLock) -> None:  # noqa: ANN401 - cffi is untyped
    # A forked child has a copy of the engine, but neither its threads nor a claim to it.
    if os.getpid() == owner:
        with lock:  # on exit, a daemon thread may still be in a call
            lib.xdplab_engine_close(pointer)
