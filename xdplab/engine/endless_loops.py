"""Loops: packets that an engine sends, that some engine sends back, and so on for ever.

A single packet in a loop takes all that the workers can do. The check covers the engines of this
process, on loopback and on both ends of a pair: other ways back can't be known.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol
from weakref import WeakSet

from xdplab.configuration.configuration import Configuration
from xdplab.core.errors import ClosedError, ConfigurationError, XdplabError
from xdplab.core.locks import new_lock
from xdplab.net.far_end import FarEnd, far_end
from xdplab.net.interface import Interface
from xdplab.net.link_pairs import bridge_of
from xdplab.net.link_type import LOOPBACK
from xdplab.net.resolve import is_same

_SENDS_ON = ("reflect", "echo", "forward")


class Sender(Protocol):
    """The part of an engine that this module needs."""

    @property
    def configuration(self) -> Configuration:
        """Has the interfaces on which it receives."""

    @property
    def action(self) -> str:
        """The knob `action`: what the worker does with each packet."""


_engines: WeakSet[Sender] = WeakSet()
_lock = new_lock()


def note(engine: Sender) -> None:
    """Remember an engine that was opened, for as long as it lives."""
    with _lock:
        _engines.add(engine)


def refuse_loop(engine: Sender, interfaces: tuple[Interface, ...], action: str) -> None:
    """Refuse an action with which a packet would come back to the interface that received it.

    Parameters
    ----------
    engine
        The engine that is to have the action.
    interfaces
        Those on which it receives.
    action
        One of `ACTIONS`.

    Raises
    ------
    ConfigurationError
        When a packet would loop; the message names the interfaces on its way.
    """
    if action not in _SENDS_ON:
        return
    ways = [*_ways(interfaces)]
    with _lock:
        others = [other for other in _engines if other is not engine]
    for other in others:
        with suppress(ClosedError):
            if other.action in _SENDS_ON:
                ways += _ways(other.configuration.interfaces)
    if len(interfaces) > 1 and (bridged := _bridge_between(*interfaces)):
        bridge, end = bridged
        raise ConfigurationError(
            f"action={action!r} between {interfaces[0].name} and {interfaces[1].name} would send "
            "each broadcast in a loop for ever: their other ends are ports of one bridge, "
            f"{bridge}, which joins them already. `{end.prefix}ip link set {end.name} nomaster` "
            "takes one out of it; or forward to an interface that leads elsewhere."
        )
    for begin, out in ways[: len(interfaces)]:
        if (passed := _way_back(begin, out, ways)) is not None:
            raise ConfigurationError(_words(begin, passed, action))


def _ways(interfaces: tuple[Interface, ...]) -> Iterator[tuple[Interface, Interface]]:
    """Yield each interface on which packets arrive, with the one on which they leave."""
    for place, interface in enumerate(interfaces):
        yield interface, interfaces[1 - place] if len(interfaces) > 1 else interface


def _way_back(
    begin: Interface, out: Interface, ways: list[tuple[Interface, Interface]]
) -> list[Interface] | None:
    """Follow a packet; return the interfaces on which it left until it came back, or None."""
    left = [out]
    while len(left) <= len(ways):
        if _leads(out, begin):
            return left
        step = next((way for way in ways if _leads(out, way[0])), None)
        if step is None:
            return None
        out = step[1]
        left.append(out)
    return None


def _bridge_between(one: Interface, other: Interface) -> tuple[str, FarEnd] | None:
    """Find the bridge of which the other ends of two pairs are ports: its name, and one end."""
    ends = [end for end in (far_end(one), far_end(other)) if end is not None]
    found = []
    for end in ends:
        if end.namespace is not None:
            with suppress(XdplabError):
                found.append((end.namespace.identity, end.namespace.run(bridge_of, end.index)))
    if len(found) < 2 or found[0] != found[1] or not found[0][1]:
        return None
    return found[0][1], ends[1]


def _leads(out: Interface, other: Interface) -> bool:
    try:
        return out.leads_to(other)
    except XdplabError:  # one of them is gone, or its lab was closed
        return False


def _words(begin: Interface, left: list[Interface], action: str) -> str:
    remedy = "action='drop' captures without sending."
    if begin.link_type == LOOPBACK:
        return (
            f"action={action!r} on {begin.name} would send each packet in a loop for ever: what "
            f"is sent on {begin.name} is received there. {remedy} To have packets sent back, take "
            "a lab (Lab().port) or one end of a veth pair."
        )
    if len(left) == 1 and not is_same(begin, left[0]):
        return (
            f"action={action!r} between {begin.name} and {left[0].name} would send each packet "
            f"in a loop for ever: they are the two ends of one pair, and what is sent on one is "
            f"received on the other. Forward to an interface that leads elsewhere; {remedy}"
        )
    by = ", ".join(interface.name for interface in left)
    return (
        f"action={action!r} on {begin.name} would send each packet in a loop for ever: another "
        f"engine of this process sends back what leaves here (by way of {by}). Give one of them "
        "action='drop', or close it."
    )
