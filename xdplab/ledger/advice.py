"""A ledger's remedies that depend on machine, engine or generator, as a user types them.

A call such as ``Traffic(cpu=1)`` shows only the arguments to add to the user's own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from xdplab.core.errors import XdplabError
from xdplab.ledger.counting_points import AS_VETH
from xdplab.net.places import ip_in

if TYPE_CHECKING:
    from xdplab.ledger.subjects import CountedEngine, CountedTraffic
    from xdplab.net.interface import Interface

_SLOW = 2000  # packets a second: a generator sleeps between them, and a wire holds 0.1 s of them


def slower(engine: CountedEngine, traffic: CountedTraffic | None) -> str:
    """Return the assignment that lowers the sender's rate; empty where the sender is not known."""
    if traffic is not None:
        return f"traffic.rate = {_less(traffic.rate)}"
    return f"engine.stream_rate = {_less(engine.stream_rate)}" if engine.stream is not None else ""


def _less(rate: float | str) -> int:
    return _SLOW if isinstance(rate, str) else max(min(_SLOW, int(rate / 2)), 1)


def other_core(engine: CountedEngine, traffic: CountedTraffic | None) -> int | None:
    """Return a core on which neither a worker nor the generator is; None where there is none."""
    taken = {*engine.cpus, *([traffic.cpu] if traffic else [])}
    return max(os.sched_getaffinity(0) - taken, default=None)


def steering(engine: CountedEngine, traffic: CountedTraffic | None) -> str:
    """Return the argument or command that brings packets to the engine's queues; empty without one.

    The generator's frames reach queue (its core modulo queues) of a veth. A card spreads packets
    over a range of queues.
    """
    first, queues, cores = engine.configuration.interfaces[0], 0, os.sched_getaffinity(0)
    with suppress(XdplabError):
        queues = first.now().queues
    if traffic is not None:
        leading = [core for core in cores if queues and core % queues in engine.queues]
        apart = [core for core in leading if core not in engine.cpus] or leading
        return f"Traffic(cpu={apart[0]})" if apart else ""
    if first.driver in AS_VETH or not _is_range(engine.queues):
        return ""
    return f"`ethtool -X {first.name} start {min(engine.queues)} equal {len(engine.queues)}`"


def _is_range(numbers: Collection[int]) -> bool:
    return max(numbers) - min(numbers) == len(numbers) - 1


def queueing(interfaces: Sequence[Interface]) -> tuple[str, ...]:
    """Return commands that make frames wait where interfaces can't send them at once."""
    found = []
    for interface in interfaces:
        with suppress(XdplabError, OSError):
            # tc(8) has ip(8)'s way of naming a namespace.
            tc = re.sub(r"\bip( -n \S+)?$", r"tc\1", ip_in(interface.namespace))
            found.append(f"{tc} qdisc replace dev {interface.name} root pfifo")
    return tuple(found)
