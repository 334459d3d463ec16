"""The engine: a capture on one queue of one interface, its lifetime and its knobs."""

from __future__ import annotations

import os
import threading
import weakref
from types import TracebackType
from typing import Any, NamedTuple, Self

from xdplab._engine import ffi, lib
from xdplab.checks import choice, core, nanoseconds, power_of_two, whole
from xdplab.cores import worker_core
from xdplab.errors import ClosedError, ConfigurationError, KernelError
from xdplab.host import Host
from xdplab.interface import Interface
from xdplab.native_errors import error_at, new_error, raise_error
from xdplab.notebook_cell import replace_what_this_cell_made
from xdplab.programs import c_path
from xdplab.telemetry import Telemetry

_ATTACH_MODES = {"native": lib.XDPLAB_ATTACH_NATIVE, "skb": lib.XDPLAB_ATTACH_SKB}
_BIND_MODES = {
    "auto": lib.XDPLAB_BIND_AUTO,
    "copy": lib.XDPLAB_BIND_COPY,
    "zero-copy": lib.XDPLAB_BIND_ZERO_COPY,
}
_LARGEST_RING = 1 << 16
_LARGEST_SAMPLE = 4096
_SHORTEST_INTERVAL, _LONGEST_INTERVAL = 0.001, 0.5


def _wait_strategies() -> tuple[str, ...]:
    names, index = [], 0
    while name := lib.xdplab_wait_strategy(index):
        names.append(ffi.string(name).decode())
        index += 1
    return tuple(names)


WAIT_STRATEGIES: tuple[str, ...] = _wait_strategies()
"""Names of the wait strategies, in the order of their indices in the control block."""


class Verdicts(NamedTuple):
    """What the XDP program did with the frames that it saw, since it was attached."""

    redirected: int
    """To the engine's socket."""
    passed: int
    """ARP, IPv6 neighbour and router discovery, multicast listener reports: left to the stack."""
    no_socket: int
    """On a queue without an engine, left to the stack."""


class Engine:
    """An AF_XDP capture on one queue: XDP program, UMEM, four rings and a pinned worker thread.

    The constructor attaches and binds; `start` lets the worker run, as does entering the engine as
    a context manager. Its knobs (`batch`, `wait`, `burst`, `sample_every`, `inspect`) are plain
    attributes and take effect on the worker's next turn.

    An interface carries one XDP program, so one engine at a time.

    An engine lives until `close`, the end of its ``with``, or the end of the process, however many
    widgets look at it. In a notebook, re-running the cell that made an engine replaces it.

    Parameters
    ----------
    interface
        A side of a lab (``lab.port``), an `Interface`, or the name of a real one.
    queue
        Which of its receive queues, from 0.
    batch
        Most frames taken from the RX ring at once, 1 to `ring_size`.
    wait
        What the worker does when the RX ring is empty: one of `WAIT_STRATEGIES`.
    ring_size
        Entries of the RX, TX and completion rings, a power of two. The fill ring and the UMEM hold
        twice as many.
    frame_size
        Bytes of a UMEM frame; the kernel takes 2048 or 4096.
    attach
        ``"native"`` runs the XDP program in the driver, ``"skb"`` in the stack, on any device.
    bind
        ``"auto"`` takes zero-copy where the driver has it, ``"copy"`` and ``"zero-copy"`` insist.
        In SKB mode frames are always copied.
    cpu
        Core of the worker; the last one that this process may run on unless told otherwise.
    sample_every
        1 frame in this many is kept as a sample; 0 keeps none.
    sample_bytes
        Bytes kept of a sampled frame, 64 to 4096.
    inspect
        Whether latency and sequence number of every frame of our generators are looked at, not only
        those of sampled ones.
    publish_interval
        Seconds between two records of the history, 0.001 to 0.5.
    allow_default_route
        Whether to capture on an interface that carries the default route, which can cut this
        machine off from its network.

    Raises
    ------
    ConfigurationError
        For values that can't work; nothing was touched.
    QueueBusyError
        When another engine, socket or XDP program holds the queue.
    PermissionRefusedError
        Without CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF.
    InterfaceGoneError
        When there is no such interface.
    KernelError
        When the kernel refuses for another reason. Nothing half-made is left.
    """

    simulated = False
    wait_strategies = WAIT_STRATEGIES

    def __init__(
        self,
        interface: Host | Interface | str,
        *,
        queue: int = 0,
        batch: int = 64,
        wait: str = "poll",
        ring_size: int = 2048,
        frame_size: int = 2048,
        attach: str = "native",
        bind: str = "auto",
        cpu: int | None = None,
        sample_every: int = 1000,
        sample_bytes: int = 256,
        inspect: bool = False,
        publish_interval: float = 0.01,
        allow_default_route: bool = False,
    ) -> None:
        # Set first, so that whatever fails below finds an engine that is closed.
        self._lock = threading.RLock()
        self._started = False
        self._owner = os.getpid()
        self._closer: weakref.finalize[Any, Any] | None = None
        self.interface = _resolve(interface, allow_default_route)
        self.queue = whole("queue", queue, 0, max(self.interface.queues - 1, 0))
        self.ring_size = power_of_two("ring_size", ring_size, _LARGEST_RING)
        self.cpu = worker_core() if cpu is None else core(cpu)
        self.attach = choice("attach", attach, _ATTACH_MODES)
        config = {
            "interface_index": self.interface.index,
            "queue": self.queue,
            "attach_mode": _ATTACH_MODES[self.attach],
            "bind_mode": _bind_mode(bind, attach),
            "ring_size": self.ring_size,
            "frame_size": whole("frame_size", frame_size, 1, 1 << 20),
            "cpu": self.cpu,
            "sample_bytes": whole("sample_bytes", sample_bytes, 64, _LARGEST_SAMPLE),
            "publish_interval_ns": nanoseconds(
                "publish_interval", publish_interval, _SHORTEST_INTERVAL, _LONGEST_INTERVAL
            ),
        }
        knobs = {
            "batch": self._check_batch(batch),
            "wait": WAIT_STRATEGIES.index(choice("wait", wait, WAIT_STRATEGIES)),
            "sample_every": whole("sample_every", sample_every, 0, 1 << 62),
            "inspect": int(inspect),
        }
        replace_what_this_cell_made(self, self.interface, self.queue)
        self._open(config)
        for name, value in knobs.items():
            self._store(name, value)

    def _open(self, config: dict[str, int]) -> None:
        program, error = c_path("capture"), new_error()
        native = ffi.new("struct xdplab_config *", {"program": program, **config})
        # An AF_XDP socket and an interface's index belong to the namespace of the calling thread.
        self._engine = self.interface.namespace.open_native(
            lib.xdplab_engine_open, lib.xdplab_engine_close, native, error
        )
        if not self._engine:
            raise_error(error)
        # On exit too, so that the worker has ended when the interpreter takes itself apart.
        self._closer = weakref.finalize(self, _close_native, self._engine, os.getpid(), self._lock)
        self._control = lib.xdplab_engine_control(self._engine, 0)
        self._region = lib.xdplab_engine_descriptor(self._engine)
        self.telemetry = Telemetry(self._region)
        self.zero_copy = bool(lib.xdplab_engine_zero_copy(self._engine))

    def start(self) -> Self:
        """Start the worker, or leave it running.

        Raises
        ------
        KernelError
            When the wait strategy can't be used here or the core can't be had; or when the worker
            ended because its interface did: an engine can't come back from that.
        ClosedError
            After `close`.
        """
        with self._lock:
            self._check_open()
            if fault := self.error:
                raise fault
            if not self._started:
                error = new_error()
                if lib.xdplab_engine_start(self._engine, error):
                    raise_error(error)
                self._started = True
        return self

    def stop(self) -> None:
        """Stop the worker. Socket, rings and counters stay, and `start` may follow.

        What arrives meanwhile fills the RX ring; the kernel drops the rest, and counts it.
        """
        with self._lock:
            if not self.closed and self._started and os.getpid() == self._owner:
                lib.xdplab_engine_stop(self._engine)
                self._started = False

    def close(self) -> None:
        """Stop the worker and give everything back. Telemetry read so far can still be read."""
        with self._lock:
            if self._closer is not None:
                self._closer()

    @property
    def closed(self) -> bool:
        """Whether `close` was called, or the constructor did not succeed."""
        return self._closer is None or not self._closer.alive

    @property
    def running(self) -> bool:
        """Whether the worker is running."""
        return self._started and not self.closed and self.error is None

    @property
    def error(self) -> KernelError | None:
        """Why the worker ended by itself, or None."""
        counters = self.telemetry.counters()
        if counters["state"] != lib.XDPLAB_STATE_FAILED:
            return None
        tried = f"go on capturing on {self.interface.name} queue {self.queue}"
        return error_at(lib.XDPLAB_STEP_NONE, int(counters["fault"]), tried)

    @property
    def batch(self) -> int:
        """Most frames taken from the RX ring at once, 1 to `ring_size`."""
        return self._load("batch")

    @batch.setter
    def batch(self, value: int) -> None:
        self._store("batch", self._check_batch(value))

    @property
    def burst(self) -> int:
        """Most packets received before the worker looks at its knobs and the clock again."""
        return self._load("burst")

    @burst.setter
    def burst(self, value: int) -> None:
        self._store("burst", whole("burst", value, 1, lib.XDPLAB_LARGEST_BURST))

    @property
    def wait(self) -> str:
        """The wait strategy, one of `WAIT_STRATEGIES`."""
        return WAIT_STRATEGIES[self._load("wait")]

    @wait.setter
    def wait(self, value: str) -> None:
        index = WAIT_STRATEGIES.index(choice("wait", value, WAIT_STRATEGIES))
        with self._lock:
            self._check_open()
            if refusal := lib.xdplab_engine_wait_refusal(self._engine, index):
                tried = f"prepare the wait strategy {value}"
                raise error_at(lib.XDPLAB_STEP_PREPARE_WAIT, refusal, tried)
            self._store("wait", index)

    @property
    def sample_every(self) -> int:
        """1 frame in this many is kept as a sample; 0 keeps none."""
        return self._load("sample_every")

    @sample_every.setter
    def sample_every(self, value: int) -> None:
        self._store("sample_every", whole("sample_every", value, 0, 1 << 62))

    @property
    def inspect(self) -> bool:
        """Whether every frame's latency and sequence number are looked at, or samples' only."""
        return bool(self._load("inspect"))

    @inspect.setter
    def inspect(self, value: bool) -> None:
        self._store("inspect", int(value))

    @property
    def telemetry_path(self) -> str:
        """Where another process finds the telemetry region: `Telemetry.open` maps it."""
        with self._lock:
            self._check_open()
            return f"/proc/{os.getpid()}/fd/{self._region}"

    def verdicts(self) -> Verdicts:
        """Count what the XDP program did with the frames that it saw, since it was attached."""
        counts = ffi.new("struct xdplab_verdicts *")
        with self._lock:
            self._check_open()
            if code := lib.xdplab_engine_verdicts(self._engine, counts):
                raise KernelError("read the XDP program's counters", -code)
        return Verdicts(counts.redirected, counts.passed, counts.no_socket)

    def _load(self, name: str) -> int:
        with self._lock:
            self._check_open()
            return int(lib.xdplab_load(ffi.addressof(self._control, name)))

    def _store(self, name: str, value: int) -> None:
        with self._lock:
            self._check_open()
            lib.xdplab_store(ffi.addressof(self._control, name), value)

    def _check_batch(self, value: int) -> int:
        return whole("batch", value, 1, self.ring_size)

    def _check_open(self) -> None:
        if self.closed:
            raise ClosedError("this engine was closed. Make a new one: Engine(lab.port).")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        where = f"{self.interface.name} queue {self.queue}"
        if self.closed:
            return f"<Engine on {where}, closed>"
        state = "running" if self.running else "stopped" if self.error is None else "failed"
        return f"<Engine on {where}, {state}: wait={self.wait!r}, batch={self.batch}>"


def _resolve(interface: Host | Interface | str, allow_default_route: bool) -> Interface:
    if isinstance(interface, Host):
        return interface.interface
    if not isinstance(interface, Interface | str):
        raise ConfigurationError(
            f"interface={interface!r} can't be captured on. Give a side of a lab (lab.port), an "
            "Interface, or the name of one."
        )
    found = Interface.find(interface) if isinstance(interface, str) else interface
    if not allow_default_route and found.carries_default_route():
        raise ConfigurationError(
            f"{found.name} carries the default route: capturing on it can cut this machine off "
            "from its network. Capture in a lab, or insist with allow_default_route=True."
        )
    if not found.is_up():
        raise ConfigurationError(
            f"{found.name} is down, so nothing arrives there: `ip link set {found.name} up`."
        )
    return found


def _bind_mode(bind: str, attach: str) -> int:
    wanted = choice("bind", bind, _BIND_MODES)
    if attach == "skb" and wanted == "zero-copy":
        raise ConfigurationError(
            "bind='zero-copy' is the driver's, and attach='skb' goes around it. Ask for "
            "attach='native', or leave out bind."
        )
    # A driver with zero-copy would fill frames that the stack fills, too.
    return int(_BIND_MODES["copy" if attach == "skb" else wanted])


def _close_native(engine: Any, owner: int, lock: threading.RLock) -> None:  # noqa: ANN401 - cffi is untyped
    # A forked child has a copy of the engine, but neither its thread nor a claim to it.
    if os.getpid() == owner:
        with lock:  # on exit, a daemon thread may still be in a call
            lib.xdplab_engine_close(engine)
