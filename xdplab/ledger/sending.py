"""Senders to an engine in this process: its generator, its own stream, or another engine's."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from xdplab.net.resolve import is_same

if TYPE_CHECKING:
    from xdplab.ledger.subjects import CountedEngine, CountedTraffic

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
