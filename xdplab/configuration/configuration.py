"""How an engine is set up: settings whose change needs new sockets, checked and translated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from xdplab import backends
from xdplab.configuration.binding import (
    ATTACH_MODES,
    BIND_MODES,
    binding_words,
    longest_frame,
)
from xdplab.configuration.groups import Memory, Sampling, Worker, keep
from xdplab.configuration.keywords import PLACES, groups
from xdplab.configuration.path_rules import path_words
from xdplab.configuration.simulation import refuse_what_is_not_simulated
from xdplab.configuration.umem import layout
from xdplab.core.checks import (
    boolean,
    choice,
    core,
    instance_of,
    is_a,
    items,
    power_of_two,
    shown,
    text,
    whole,
)
from xdplab.core.cores import worker_cores
from xdplab.core.errors import ConfigurationError
from xdplab.native import ffi, lib
from xdplab.native.objects import c_path
from xdplab.native.paths import PATHS, Kind, kind_of
from xdplab.native.records import names_in
from xdplab.net.interface import Interface
from xdplab.net.packet_filter import PacketFilter
from xdplab.net.stream import Stream

_LONGEST = (1 << 32) - 1
_LONGEST_NAME = 40
LARGEST_RING = 1 << 16
_JOINED_ACTIONS = ("drop", "forward", "handler")

ACTIONS: tuple[str, ...] = names_in(lib.xdplab_action)
"""Names of the actions, in the order of their indices in the control block."""

WAIT_STRATEGIES: tuple[str, ...] = names_in(lib.xdplab_wait_strategy)
"""Names of the wait strategies, likewise."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The arguments of `Engine`, which documents them, but for the worker's knobs.

    Checked, plain data: it can be compared, printed and pickled. Knobs in its groups are those with
    which the engine begins.

    Raises
    ------
    ConfigurationError
        For values that can't work.
    """

    interfaces: tuple[Interface, ...]
    path: str = "xsk"
    queue: int | Sequence[int] = 0
    sockets: int = 1
    match: str = ""
    promiscuous: bool = False
    action: str | None = None
    stream: Stream | None = None
    ring_size: int = 2048
    frame_size: int = 2048
    attach: str = "native"
    bind: str = "auto"
    cpu: int | Sequence[int] | None = None
    name: str = ""
    memory: Memory = field(default_factory=Memory)
    sampling: Sampling = field(default_factory=Sampling)
    worker: Worker = field(default_factory=Worker)
    delivers: bool = False
    """Whether it is a `Capture`: callers run the workers' turns, and get the packets."""
    users_program: bool = False
    """Whether the XDP program is the user's own, who attaches it."""
    remade: bool = field(default=False, compare=False, repr=False)
    """Whether `changed` made it, for `Engine.reconfigure`, which takes settings by flat names."""

    def __post_init__(self) -> None:
        """Check everything."""
        for name, kind in groups().items():
            wanted = f"a {kind.__name__}: {kind.__name__}()"
            instance_of(name, getattr(self, name), kind, wanted)
        keep(
            self,
            path=choice("path", self.path, PATHS),
            attach=choice("attach", self.attach, ATTACH_MODES),
            bind=choice("bind", self.bind, BIND_MODES),
            match=text("match", self.match),
            promiscuous=boolean("promiscuous", self.promiscuous),
            sockets=whole("sockets", self.sockets, 1, lib.XDPLAB_QUEUE_SOCKETS),
            name=_name(self.name),
            queue=_plain(self.queue),
            cpu=None if self.cpu is None else _plain(self.cpu),
        )
        if self.stream is not None:
            instance_of("stream", self.stream, Stream, "a Stream: Stream(receiver)")
        refuse_what_is_not_simulated(self)
        self.match_code  # noqa: B018 - compiles it
        words = self._words()
        keep(self, ring_size=words["ring_size"], frame_size=words["frame_size"])
        keep(self, queue=_like(self.queue, self.queues))
        if self.cpu is not None:
            keep(self, cpu=_like(self.cpu, self.cpus))
        self._workers()

    def setting(self, name: str) -> Any:
        """Return a setting by its flat name."""
        place = PLACES.get(name)
        if place is None:
            return getattr(self, name)
        return getattr(getattr(self, place.keyword), place.field)

    def is_usual(self, name: str) -> bool:
        """Tell whether a setting, by its flat name, has its default."""
        place = PLACES.get(name)
        kind, own = (type(self), name) if place is None else (place.group, place.field)
        default = next(each.default for each in fields(kind) if each.name == own)
        return bool(default is not MISSING and self.setting(name) == default)

    @property
    def kind(self) -> Kind:
        """The kind of its path."""
        return kind_of(self.path)

    @property
    def program(self) -> str:
        """The XDP program's name in ``bpf/``."""
        if self.kind != Kind.XSK:
            return "count"
        return "capture_metadata" if self.sampling.metadata else "capture"

    @cached_property
    def match_code(self) -> bytes:
        """What the XDP program is for, in classic BPF: 8 bytes an instruction; none for all."""
        if not self.match:
            return b""
        code = PacketFilter(self.match, "match").code
        if lib.xdplab_filter_passes(code, len(code) // 8, b"", 0) < 0:
            raise ConfigurationError(
                f"match={shown(self.match)} has a loop, as protochain makes one: no XDP program "
                "takes it. Ask for the protocol without it, such as match='ip6 proto 17'."
            )
        if len(code) > 8 * lib.XDPLAB_MATCH_LONGEST:
            raise ConfigurationError(
                f"match={shown(self.match)} takes {len(code) // 8:,} instructions, and "
                f"{lib.XDPLAB_MATCH_LONGEST:,} at most go in front of an XDP program. Ask for less."
            )
        return code

    @property
    def first_action(self) -> str:
        """The action that an engine begins with."""
        usual = "generate" if self.stream else "forward" if len(self.interfaces) > 1 else "drop"
        return usual if self.action is None else self.action

    @cached_property
    def queues(self) -> tuple[int, ...]:
        """The queues of each interface that have a worker, or several."""
        most = max(min(interface.queues for interface in self.interfaces) - 1, 0)
        several = _several(self.queue)
        wanted = [self.queue] if several is None else several
        queues = tuple(whole("queue", number, 0, most) for number in wanted)
        if not queues or len(set(queues)) < len(queues):
            raise ConfigurationError(
                f"queue={shown(self.queue)} must name at least one queue, each once."
            )
        return queues

    @property
    def worker_queues(self) -> tuple[int, ...]:
        """The queue of each worker of an interface."""
        return tuple(queue for queue in self.queues for _ in range(self.sockets))

    def place_of(self, worker: int) -> str:
        """Say which of its interface's workers it is, such as "queue 0"."""
        place, socket = divmod(worker % len(self.worker_queues), self.sockets)
        which = f" socket {socket}" if self.sockets > 1 else ""
        return f"queue {self.queues[place]}{which}"

    @cached_property  # where this process may run can change, and the workers stay
    def cpus(self) -> tuple[int, ...]:
        """The core of each worker."""
        workers = len(self.interfaces) * len(self.worker_queues)
        if self.cpu is None:
            interrupted = set().union(*(interface.interrupt_cores for interface in self.interfaces))
            return worker_cores(workers, interrupted)
        several = _several(self.cpu)
        wanted = [self.cpu] * workers if several is None else several
        if len(wanted) != workers:
            raise ConfigurationError(
                f"cpu={shown(self.cpu)} must be one core, or one for each of {workers} workers."
            )
        return tuple(core(number) for number in wanted)

    def changed(self, changes: Mapping[str, Any]) -> Configuration:
        """Return this configuration with other settings, by flat names, for as many workers."""
        if self.kind != Kind.XSK:
            # Its socket would go on receiving while no program counts the packets.
            raise ConfigurationError(
                f"an engine with path={self.path!r} can't be reconfigured without packets that "
                f"nobody counts. Make a new one: Engine(..., path={self.path!r}, ...)."
            )
        if self.users_program and changes.get("attach", self.attach) != self.attach:
            raise ConfigurationError(
                f"attach={shown(changes['attach'])}: your own program's link says how it "
                "is attached. Close the engine and the link, and make both anew."
            )
        # Queues may have been added or taken away since.
        interfaces = tuple(interface.now() for interface in self.interfaces)
        own: dict[str, Any] = {}
        for name, value in changes.items():
            if place := PLACES.get(name):
                before = own.get(place.keyword, getattr(self, place.keyword))
                own[place.keyword] = replace(before, **{place.field: value})
            else:
                own[name] = value
        new = replace(self, interfaces=interfaces, remade=True, **own)
        if len(new.queues) != len(self.queues):
            raise ConfigurationError(
                f"queue={new.queue!r} would change how many workers there are, and their telemetry "
                f"is laid out for {len(self.cpus)}. Make a new engine."
            )
        return new

    def action_index(self, action: str) -> int:
        """Return the index of an action that this engine can do."""
        action = choice("action", action, ACTIONS)
        index = ACTIONS.index(action)
        delivers = action == "deliver" or (self.delivers and action == "handler")
        if len(self.interfaces) > 1 and action not in _JOINED_ACTIONS:
            raise ConfigurationError(
                f"action={action!r} takes an engine of one interface: what one that joins two "
                f"sends leaves by the other. Choose one of: {', '.join(_JOINED_ACTIONS)}."
            )
        if self.kind != Kind.XSK and action != "drop":
            raise ConfigurationError(
                f"action={action!r} takes path='xsk': path={self.path!r} receives and drops."
            )
        if delivers != self.delivers:
            raise ConfigurationError(
                f"action={action!r} can't be had: a Capture's only action is 'deliver', "
                "which hands packets to Python, or the handler that it has."
                if self.delivers
                else "action='deliver' hands packets to Python: make a Capture(interface)."
            )
        if action == "generate" and self.stream is None:
            raise ConfigurationError(
                "there is nothing to generate: make the engine with stream=Stream(receiver)."
            )
        return index

    def native(self) -> tuple[Any, list[Any]]:
        """Build the struct for the native engine, and the objects that must live as long as it."""
        program = c_path(self.program)
        workers = ffi.new("struct xdplab_worker_config[]", self._workers())
        native = ffi.new(
            "struct xdplab_config *",
            {
                "program": program,
                "workers": workers,
                "worker_count": len(workers),
                **self._words(),
                **backends.of(self.interfaces[0].namespace).engine_words(self.interfaces),
            },
        )
        native.queue_counts = [interface.queues for interface in self.interfaces]
        native.longest = [min(longest_frame(each), _LONGEST) for each in self.interfaces]
        matching = ffi.from_buffer("uint8_t[]", self.match_code)
        native.match.instructions, native.match.count = matching, len(self.match_code) // 8
        held = [program, workers, matching]
        if self.stream:
            stream = self.stream.config(self.interfaces[0])
            held.append(ffi.new("struct xdplab_stream_config *", stream))
            native.stream = held[-1]
        return native, held

    @property
    def asks_device(self) -> bool:
        """Whether the UMEM has room for what a device is to do with a packet that it sends."""
        return self.worker.checksum == "device"

    @property
    def umem_bytes(self) -> int:
        """Bytes of the UMEM."""
        native, _held = self.native()
        return int(lib.xdplab_umem_bytes(native))

    def _words(self) -> dict[str, int]:
        return {
            **path_words(self),
            "takes_all": int(len(self.interfaces) > 1),
            "shared_umem": int(backends.of(self.interfaces[0].namespace).shares_umem),
            "action": self._first_index(),
            "delivers": int(self.delivers),
            "users_program": int(self._users_program()),
            "ring_size": power_of_two("ring_size", self.ring_size, LARGEST_RING),
            **layout(self.frame_size, self.memory, ring_size=self.ring_size),
            **binding_words(self),
            "metadata": self._metadata(),
            "transmit_metadata": int(self.asks_device),
            "sample_bytes": self.sampling.bytes,
            "publish_interval_ns": round(self.sampling.publish_interval * 1e9),
        }

    def _first_index(self) -> int:
        index = self.action_index(self.first_action)
        if ACTIONS[index] == "handler":
            raise ConfigurationError(
                "action='handler' takes a handler, which an engine can have once it is made: "
                "engine.handler = xdplab.c_handler(source)."
            )
        return index

    def _users_program(self) -> bool:
        if not self.users_program:
            if self.sockets > 1:
                raise ConfigurationError(
                    f"sockets={self.sockets} on a queue take a program that chooses among them: "
                    "Engine(interface, sockets=..., program=program), with an XSKMAP."
                )
            return False
        if len(self.interfaces) > 1:
            raise ConfigurationError(
                "forward_to=... joins two interfaces, and program=... is on one. Leave one out."
            )
        if self.kind != Kind.XSK:
            raise ConfigurationError(
                f"program=... redirects to AF_XDP's sockets, and path={self.path!r} has another. "
                "Leave one out."
            )
        if self.match:
            raise ConfigurationError(
                f"match={shown(self.match)} is put in front of the engine's own XDP program. Leave "
                "it out, or program=...: your program chooses what it redirects."
            )
        if self.sampling.metadata:
            raise ConfigurationError(
                "metadata=True is written by the engine's own XDP program. Leave it out, or "
                "program=..."
            )
        return True

    def _metadata(self) -> int:
        if self.sampling.metadata and self.attach == "skb":
            raise ConfigurationError(
                "metadata=True is the driver's, and attach='skb' goes around it. Ask for "
                "attach='native', or leave out metadata."
            )
        return int(self.sampling.metadata)

    def _workers(self) -> list[dict[str, int]]:
        """Lay out the workers of each queue of each interface; of two, each sends on the other."""
        queues, cpus = self.worker_queues, self.cpus
        places = [(port, queue) for port in range(len(self.interfaces)) for queue in queues]
        return [
            {
                "port": port,
                "queue": queue,
                "entry": queue * self.sockets + number % self.sockets,
                "transmit": (number + len(queues)) % len(places),
                "cpu": cpus[number],
                "realtime": self.worker.realtime,
            }
            for number, (port, queue) in enumerate(places)
        ]


def _name(value: object) -> str:
    name = text("name", value)
    if len(name) > _LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise ConfigurationError(
            f"name={shown(value)} must be text of at most {_LONGEST_NAME} characters in one line, "
            'without blanks around it, such as "left".'
        )
    return name


def _plain(value: object) -> object:
    """Return several values as a list or tuple, and all else as it is."""
    try:
        several = items("", value, "")
    except ConfigurationError:
        return value
    return several if type(value) is list else tuple(several)


def _several(value: object) -> Sequence[object] | None:
    """Return several values that `_plain` found, or None for a single one."""
    return value if is_a(value, list) or is_a(value, tuple) else None


def _like(given: object, numbers: Sequence[int]) -> object:
    """Return checked numbers in the shape in which they were given."""
    if isinstance(given, list | tuple):
        return type(given)(numbers)
    return numbers[0]
