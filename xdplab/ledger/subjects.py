"""Protocols of engine and generator for a ledger, which knows neither class."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol
from weakref import WeakSet

from xdplab.core.checks import instance_of
from xdplab.net.resolve import is_same

if TYPE_CHECKING:
    from xdplab.configuration.configuration import Configuration
    from xdplab.core.errors import KernelError
    from xdplab.knobs.journal import Journal
    from xdplab.net.host import Host
    from xdplab.net.interface import Interface
    from xdplab.net.stream import Rate, Stream
    from xdplab.telemetry.region import Telemetry


class Verdicts(NamedTuple):
    """How often the XDP program gave each verdict since it was attached."""

    redirected: int
    """Redirected to the engine's socket; on another path than xsk, packets for that path."""
    passed: int
    """Passed to the stack: ARP, IPv6 neighbour and router discovery, multicast listener reports; on
    a UDP path all that is not for its socket."""
    unmatched: int
    """Passed to the stack, since `match` does not take them."""
    no_socket: int
    """Passed to the stack, since no engine has the queue."""
    reconfiguring: int
    """Passed to the stack while the engine was set up or `Engine.reconfigure` was at work."""


class CountedEngine(Protocol):
    """An engine, as far as a ledger needs it; `xdplab.Engine` documents each."""

    @property
    def queues(self) -> tuple[int, ...]: ...

    @property
    def cpus(self) -> tuple[int, ...]: ...

    @property
    def configuration(self) -> Configuration: ...

    @property
    def times_bypassed(self) -> int: ...

    @property
    def stream_rate(self) -> Rate: ...

    @property
    def attach(self) -> str: ...

    @property
    def running(self) -> bool: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def interfaces(self) -> tuple[Interface, ...]: ...

    @property
    def interface(self) -> Interface: ...

    @property
    def telemetry(self) -> Telemetry: ...

    @property
    def stream(self) -> Stream | None: ...

    @property
    def simulated(self) -> bool: ...

    @property
    def batch(self) -> int: ...

    @property
    def ring_size(self) -> int: ...

    @property
    def path(self) -> str: ...

    @property
    def wait(self) -> str: ...

    @property
    def timer_microseconds(self) -> int: ...

    @property
    def action(self) -> str: ...

    @property
    def has_ended(self) -> bool: ...

    @property
    def error(self) -> KernelError | None: ...

    @property
    def uncounted(self) -> int: ...

    @property
    def pace(self) -> float: ...

    @property
    def closed(self) -> bool: ...

    def verdicts(self) -> Verdicts: ...

    def refresh(self) -> None: ...

    def is_gone(self, port: int) -> bool: ...

    def end(self, port: int) -> str: ...


class CountedTraffic(Protocol):
    """A generator, as far as a ledger needs it; `xdplab.Traffic` documents each."""

    @property
    def rate(self) -> float | str: ...

    @property
    def cpu(self) -> int: ...

    @property
    def size(self) -> int: ...

    @property
    def running(self) -> bool: ...

    @property
    def replays(self) -> bool: ...

    @property
    def by_socket(self) -> bool: ...

    @property
    def remarks(self) -> tuple[str, ...]: ...

    @property
    def left_out(self) -> int: ...

    @property
    def sent(self) -> int: ...

    @property
    def asked(self) -> int: ...

    @property
    def too_long(self) -> int: ...

    @property
    def sender(self) -> Host: ...


class IsEngine:
    """Base of `xdplab.Engine`, by which `check_engine` knows one."""


class IsTraffic:
    """Base of `xdplab.Traffic`, by which `check_traffic` knows one."""


def check_engine(engine: object, argument: str = "engine") -> None:
    """Raise `ConfigurationError` unless it is an engine."""
    instance_of(argument, engine, IsEngine, "an Engine: Engine(lab.port)")


def check_traffic(traffic: object, argument: str = "traffic") -> None:
    """Raise `ConfigurationError` unless it is a generator or None."""
    if traffic is not None:
        wanted = "a Traffic, Traffic(lab.peer, lab.port), or None"
        instance_of(argument, traffic, IsTraffic, wanted)


_with_streams: WeakSet[CountedEngine] = WeakSet()


def remember(engine: CountedEngine) -> None:
    """Remember an engine that has a stream to send, as long as it lives."""
    _with_streams.add(engine)


def senders(engine: CountedEngine, traffic: CountedTraffic | None) -> tuple[str, ...]:
    """List the senders that still send to an engine, or with it, each with the call that stops it.

    Parameters
    ----------
    engine, traffic
        The engine, and its generator where there is one.
    """
    found: list[str] = []
    if traffic is not None and traffic.running:
        found.append("its generator (traffic.stop() ends it)")
    for other in list(_with_streams):
        if other.closed or not other.running or not other.telemetry.total()["streams"]:
            continue
        if other.telemetry is engine.telemetry:
            found.append("its own Stream (engine.action = 'drop' ends it)")
        elif _goes_to(other, engine):
            found.append(
                f"the Stream of the engine on {other.interface.name} (that engine's stop() ends it)"
            )
    return tuple(found)


def _goes_to(sender: CountedEngine, engine: CountedEngine) -> bool:
    stream = sender.stream
    return stream is not None and any(
        is_same(stream.receiver.interface, interface)
        for interface in engine.configuration.interfaces
    )
