"""The C engine behind an `Engine`: opened, started, stopped and closed, one call at a time."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from xdplab import backends
from xdplab.backends.backend import PortRequest
from xdplab.backends.promiscuity import Promiscuity
from xdplab.configuration.configuration import Configuration
from xdplab.core.errors import ClosedError, HandlerError, KernelError
from xdplab.ledger.subjects import Verdicts
from xdplab.native import ffi, lib
from xdplab.native.handle import NativeHandle
from xdplab.net.carrier import await_carrier
from xdplab.net.interface import Interface
from xdplab.net.namespace import on_a_thread
from xdplab.refusals.device_checksums import refuse_unless_finished
from xdplab.refusals.errors import new_error, raise_error
from xdplab.refusals.remedies import Place

if TYPE_CHECKING:
    from xdplab.engine.own_program import OwnProgram

_HELD = (
    "the worker is inside of its handler, which has not returned for seconds. engine.close() gives "
    "up on it; only the end of the process ends it."
)


class Hold(NamedTuple):
    """The state of a port's XDP program: ``struct xdplab_hold``."""

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
        The engine to open. On return its sockets are bound and its programs attached.
    own_program
        The user's own program, which is not attached here; None where the engine has one of ours.

    Raises
    ------
    KernelError
        When the kernel refuses. Nothing half-made is left.
    """

    def __init__(self, configuration: Configuration, own_program: OwnProgram | None = None) -> None:
        self.configuration = configuration
        self.own_program = own_program
        closed = (
            "this capture was closed. Make a new one: Capture(lab.port)."
            if configuration.delivers
            else "this engine was closed. Make a new one: Engine(lab.port)."
        )
        self._handle = NativeHandle(lib.xdplab_engine_give_back, closed)
        self.lock = self._handle.lock
        """Held by the caller for several calls that belong together."""
        error = new_error()
        native, kept = configuration.native()
        if not self._handle.open(on_a_thread, lib.xdplab_engine_open, native, error, kept=kept):
            raise_error(error, Place(configuration=configuration))
        self._workers = len(configuration.cpus)
        self._promiscuity = Promiscuity()
        try:
            self._open_ports(native, kept)
        except BaseException:  # an interrupt, too, whose traceback may hold the engine for long
            self.close()
            raise

    def check_ours(self) -> None:
        """Raise in a forked child, which must not touch the rings that it shares with its parent.

        Raises
        ------
        ClosedError
            After `close`, and in a forked child.
        """
        if self.pointer and not self.is_ours:
            raise ClosedError("this engine belongs to another process. Make one in this one.")

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._handle.closed

    @property
    def is_ours(self) -> bool:
        """Whether this process opened it, and not one that it was forked from."""
        return self._handle.is_ours

    @property
    def descriptor(self) -> int:
        """Of the telemetry region."""
        with self.lock:
            return int(lib.xdplab_engine_descriptor(self.pointer))

    @property
    def started(self) -> bool:
        """Whether it was started, and neither stopped nor closed since."""
        with self.lock:
            return not self.closed and bool(lib.xdplab_engine_started(self.pointer))

    def close(self) -> bool:
        """Stop the workers and give everything back.

        Returns
        -------
        bool
            False where a handler does not return, and its worker and memory stay.
        """
        done = self._handle.close()
        self._promiscuity.close()
        return done

    def start(self) -> None:
        """Let the workers run."""
        error = new_error()
        with self.lock:
            self.check_ours()
            if lib.xdplab_engine_start(self.pointer, error):
                raise_error(error)

    def stop(self) -> bool:
        """End the workers' threads, and tell whether there were any; a forked child has none."""
        with self.lock:
            if not self.started or not self.is_ours:
                return False
            if lib.xdplab_engine_stop(self.pointer):
                raise HandlerError(
                    f"could not stop the worker: {_HELD} It stops once that returns."
                )
            return True

    def check_not_held(self) -> None:
        """Raise where a worker could not be stopped.

        Raises
        ------
        HandlerError
            When a handler has not returned for seconds.
        """
        with self.lock:
            if any(lib.xdplab_engine_is_held(self.pointer, n) for n in range(self._workers)):
                raise HandlerError(f"could not change the sockets, and left them: {_HELD}")

    def keep(self, handler: Any) -> None:
        """Keep a handler from being freed as long as a worker may use it."""
        self._handle.kept.append(handler)

    def let_go(self, handler: Any) -> None:
        """Keep a handler no longer, once."""
        self._handle.kept.remove(handler)

    def set_handler(self, handling: Any) -> None:
        """Make the workers use another ``struct xdplab_handling``, or NULL for none."""
        with self.lock:
            self.check_ours()
            lib.xdplab_engine_set_handler(self.pointer, handling)

    def inside_handler(self, worker: int) -> int:
        """Return when a worker began the batch that it calls a handler for; 0 for none."""
        with self.lock:
            return int(lib.xdplab_engine_inside_handler(self.pointer, worker))

    def pause(self) -> None:
        """Pass packets to the stack until `reconfigure`, so that the rings can be drained."""
        with self.lock:
            self.check_ours()
            lib.xdplab_engine_pause(self.pointer)

    @property
    def detachments(self) -> int:
        """How often `reconfigure` left an interface without an XDP program for a moment."""
        with self.lock:
            return int(lib.xdplab_engine_detachments(self.pointer))

    def reconfigure(self, configuration: Configuration) -> None:
        """Close the sockets, and open others with as many workers.

        Raises
        ------
        KernelError
            When the kernel refuses; another `reconfigure`, or `close`, may follow.
        """
        error = new_error()
        native, kept = configuration.native()
        with self.lock:
            self.configuration = configuration
            if lib.xdplab_engine_reconfigure(self.pointer, native, error):
                raise_error(error, Place(configuration=configuration))
            self._open_ports(native, kept)
            if self.own_program is not None:
                self.own_program.attach()

    def refresh(self) -> None:
        """Write records of the rings of stopped workers."""
        with self.lock:
            if self.pointer and self.is_ours:  # a child must not write beside its parent
                lib.xdplab_engine_refresh(self.pointer)

    def load(self, name: str) -> int:
        """Read a word of the first worker's control block."""
        with self.lock:
            control = lib.xdplab_engine_control(self.pointer, 0)
            return int(lib.xdplab_load(ffi.addressof(control, name)))

    def store(self, name: str, value: int) -> None:
        """Write a word of every worker's control block."""
        with self.lock:
            for worker in range(self._workers):
                control = lib.xdplab_engine_control(self.pointer, worker)
                lib.xdplab_store(ffi.addressof(control, name), value)

    @property
    def zero_copy(self) -> bool:
        """Whether the driver fills and sends the UMEM's frames without copying them."""
        with self.lock:
            return bool(lib.xdplab_engine_zero_copy(self.pointer, 0))

    @property
    def huge_pages(self) -> bool:
        """Whether the UMEM is made of huge pages."""
        with self.lock:
            return bool(lib.xdplab_engine_huge_pages(self.pointer))

    def wait_refusal(self, index: int) -> int:
        """Return the errno for which a wait strategy can't be used, or 0."""
        with self.lock:
            return int(lib.xdplab_engine_wait_refusal(self.pointer, 0, index))

    def wait_ineffective(self, index: int, but_for: Collection[int] = ()) -> str:
        """Return why a wait strategy has no effect on one of the devices; empty where it has.

        Parameters
        ----------
        index
            Of the strategy.
        but_for
            Workers that are not asked.
        """
        with self.lock:
            for worker in range(self._workers):
                if worker in but_for:
                    continue
                if reason := lib.xdplab_engine_wait_ineffective(self.pointer, worker, index):
                    return str(ffi.string(reason).decode())
        return ""

    def verdicts(self, port: int) -> tuple[int, ...]:
        """Read the verdict counts of a port's XDP program, in the order of `Verdicts`."""
        counts = ffi.new("struct xdplab_verdicts *")
        with self.lock:
            if code := lib.xdplab_engine_verdicts(self.pointer, port, counts):
                raise KernelError("read the XDP program's counters", -code)
        return tuple(getattr(counts, name) for name in Verdicts._fields)

    def hold(self, port: int) -> Hold | None:
        """Read the state of a port's XDP program; None where none is attached, or simulated.

        None as well after `close`, and in a forked child, which knows nothing of the workers.
        """
        found = ffi.new("struct xdplab_hold *")
        with self.lock:
            if self.closed or not self.is_ours:
                return None
            if lib.xdplab_engine_hold(self.pointer, port, found):
                return None
        words = found.interface_index, found.program, found.loaded, found.unserved
        return Hold(*words, bool(found.taken_off))

    def unserved(self, port: int) -> int:
        """Return a queue whose socket someone took out of a port's XSKMAP, or -1."""
        with self.lock:
            if self.closed or not self.is_ours:
                return -1
            return int(lib.xdplab_engine_unserved(self.pointer, port))

    @property
    def pointer(self) -> Any:
        """The C engine, for a call with the lock held, and for a backend that opens its ports.

        Raises
        ------
        ClosedError
            After `close`.
        """
        return self._handle.pointer

    def _open_ports(self, native: Any, kept: list[Any]) -> None:
        # Before the old one ends, so that a card that stays promiscuous does not filter meanwhile.
        wanted = self.configuration.interfaces if self.configuration.promiscuous else ()
        before, self._promiscuity = self._promiscuity, Promiscuity(wanted)
        before.close()
        for port, interface in enumerate(self.configuration.interfaces):
            backends.of(interface.namespace).open_port(self._request(port, interface, native, kept))
            self._name_napi(port, interface)
        self._refuse_what_no_device_finishes()
        error = new_error()
        if lib.xdplab_engine_resume(self.pointer, error):
            raise_error(error)
        await_carrier(self.configuration.interfaces)

    def _refuse_what_no_device_finishes(self) -> None:
        """Reject checksums left to a device where nobody would finish them."""
        asked = self.configuration
        if not asked.asks_device:
            return
        for port, interface in enumerate(asked.interfaces):
            each = len(asked.worker_queues)  # whose queues may be bound in different ways
            zero_copy = any(
                lib.xdplab_engine_zero_copy(self.pointer, worker)
                for worker in range(port * each, (port + 1) * each)
            )
            refuse_unless_finished(interface, zero_copy=zero_copy)

    def _request(
        self,
        port: int,
        interface: Interface,
        native: Any,
        kept: list[Any],
    ) -> PortRequest:
        asked = self.configuration
        return PortRequest(
            engine=self.pointer,
            owner=(self, kept),
            number=port,
            interface=interface,
            asked=asked,
            kind=asked.kind,
            queues=asked.worker_queues,
            program=asked.program,
            config=native,
            busy_poll_budget=self.load("busy_poll_budget"),
            xskmap=self.own_program.xskmap.fileno() if self.own_program else None,
        )

    def _name_napi(self, port: int, interface: Interface) -> None:
        """Tell the port's workers their NAPI, which some drivers create only now."""
        ids = backends.of(interface.namespace).napi_ids(interface)
        queues = self.configuration.worker_queues
        for place, queue in enumerate(queues):
            worker = port * len(queues) + place
            lib.xdplab_engine_set_napi(self.pointer, worker, ids.get(queue, 0))
