"""What an engine offers a knob: the values at which it can stop, and those that a search tries."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from xdplab.configuration.configuration import ACTIONS
from xdplab.configuration.groups import CHECKSUMS
from xdplab.core.errors import ConfigurationError
from xdplab.knobs import words

_LARGEST_SHOWN_RATE = 10_000_000
_SMALLEST_CARD_RING = 64


def waits_in_rings(engine: Any) -> bool:
    """Say whether an engine has AF_XDP's rings, which are waited at by a strategy."""
    return bool(engine.wait_strategies)


def useful_waits(engine: Any, _traffic: object) -> Iterable[object]:
    """Return the wait strategies that do something on an engine, and that its kernel has."""
    useless = {*engine.wait_ineffective, *engine.wait_refused}
    return [wait for wait in engine.wait_strategies if wait not in useless]


def possible_actions(engine: Any) -> list[str]:
    """Return the actions that an engine can do."""
    possible = []
    for action in ACTIONS:
        if action == "handler" and engine.handler is None:
            continue
        with suppress(ConfigurationError):
            engine.configuration.action_index(action)
            possible.append(action)
    return possible


def checksums(engine: Any) -> Iterable[object]:
    """Return who can finish checksums of what an engine sends on."""
    device = engine.configuration.asks_device
    return [who for who in CHECKSUMS if who != "device" or device]


def free_cores(engine: Any, traffic: Any) -> Iterable[object]:
    """Return the cores that its one worker could have beside the generator."""
    if len(engine.cpus) > 1:
        return ()
    return sorted(os.sched_getaffinity(0) - ({traffic.cpu} if traffic else set()))


def rates(_engine: object) -> list[object]:
    """Return rates at which a slider can stop."""
    return [*words.one_two_five(1, _LARGEST_SHOWN_RATE), "max"]


def card_has(name: str) -> Callable[[Any], bool]:
    """Return what tells whether the card of an engine has a setting, as last read."""

    def has(engine: Any) -> bool:
        latest = engine.steering.latest
        return latest is not None and name in latest.values

    return has


def of_card_ring(name: str) -> Callable[[Any], Iterable[object]]:
    """Return what lists sizes of a ring of a card, up to the largest."""

    def sizes(engine: Any) -> Iterable[object]:
        latest = engine.steering.latest
        most = 0 if latest is None else latest.limits.get(name, 0)
        return [size for size in words.powers_of_two(most) if size >= _SMALLEST_CARD_RING]

    return sizes
