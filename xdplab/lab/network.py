"""A network: several hosts joined by wires, isolated from everything else.

```
  a namespace            a namespace                          another namespace
  ┌─────────────┐  veth  ┌───────────────────────────┐  veth  ┌─────────────┐
  │ to-router   ├────────┤ to-client       to-server ├────────┤ to-router   │
  │ .0.1        │        │ .0.2                 .1.1 │        │ .1.2        │
  └─────────────┘        └───────────────────────────┘        └─────────────┘
  net["client"]          net["router", "client"], ["router", "server"]   net["server"]
```
"""

from __future__ import annotations

import os
import re

from xdplab.backends import Backend, candidates, make
from xdplab.backends.network_plan import NetworkPlan
from xdplab.core.calls import public
from xdplab.core.checks import choice, shown, text, whole
from xdplab.core.closing import Closing
from xdplab.core.errors import ConfigurationError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted
from xdplab.lab.lab import LARGEST_MTU, MOST_QUEUES, SMALLEST_MTU
from xdplab.net.host import Host

_MOST_WIRES = 64  # each takes 20 ms to make
HOST_NAME = r"[A-Za-z][A-Za-z0-9_]{0,11}"  # with "to-", what an interface's name has room for
_WIRE = re.compile(rf"({HOST_NAME})-({HOST_NAME})")
_EXAMPLE = 'Network("client-router", "router-server")'


@public
class Network(Tabled, FixedNames, Closing):
    """Several hosts joined by wires, isolated from the host's network and from labs.

    ``net["client", "router"]`` is the client's end of the wire between the two, as a `Host`:
    interface, addresses, `ping`, `run`, sockets. ``net["client"]`` is the only end of a host with
    one wire. Both ends of wire number k, counted from 0, are in the subnets 198.18.k.0/24 and
    2001:db8::k:0/112: the host that is named first has .1 and :1, the other .2 and :2. Hosts with
    several wires forward packets. Each host has routes to all others, by a shortest way.

    All wires are up and quiet when the constructor returns. A context manager; `close`, the end of
    the process, and dropping the last reference to the network and its hosts remove everything.

    Parameters
    ----------
    wires
        Each a wire between two hosts, as ``"client-router"``; 1 to 64. A name has at most 12
        letters, digits and underscores. Wires must join all hosts, and two hosts at most once.
    queues, mtu
        Of each interface, as for `Lab`.
    backend
        As for `Lab`; not ``"soft"``, which simulates one wire alone.

    Raises
    ------
    ConfigurationError
        For values out of range, and for the backend ``"soft"``; nothing was touched.
    PermissionRefusedError
        When no backend for real packets can be used, or the one that was named lacks a privilege.
    KernelError
        When the kernel refuses for another reason. Nothing half-made is left.
    """

    def __init__(
        self, *wires: str, queues: int = 1, mtu: int = 1500, backend: str | None = None
    ) -> None:
        self.queues = whole("queues", queues, 1, MOST_QUEUES)
        self.mtu = whole("mtu", mtu, SMALLEST_MTU, LARGEST_MTU)
        tried = candidates(backend)
        # A simulation refuses, whose reason would hide why packets can't be real.
        tried = [each for each in tried if not each.simulated] or tried
        plan = NetworkPlan(_checked(wires), self.queues, self.mtu)
        _check_all_joined(plan)
        self.hosts = plan.hosts
        """Names of the hosts."""
        self._owner = os.getpid()
        self._backend: Backend
        self._backend, _, made = make(tried, lambda each: each.make_network(plan))
        self._wires = dict(zip(plan.wires, made, strict=True))
        self._ends = {
            (first, second)[:: 1 - 2 * side]: ends[side]
            for (first, second), ends in self._wires.items()
            for side in (0, 1)
        }

    def __getitem__(self, name: str | tuple[str, str]) -> Host:
        """Return a host's end of a wire.

        Parameters
        ----------
        name
            The host, or the host and who is at the other end: ``net["client", "router"]``.

        Raises
        ------
        ConfigurationError
            When there is no such host or wire, or a host that is named alone has several.
        """
        named, *others = name if isinstance(name, tuple) and name else (name,)
        host = choice("name", named, self.hosts)
        neighbours = [far for near, far in self._ends if near == host]
        if not others and len(neighbours) > 1:
            ways = " or ".join(f"net[{host!r}, {far!r}]" for far in neighbours)
            raise ConfigurationError(
                f"name={host!r} has {len(neighbours)} wires. Name the one that is meant: {ways}."
            )
        if len(others) > 1:
            raise ConfigurationError(
                f"name={shown(name)} must be a host, or a host and who is at the other end of "
                f"its wire: net[{host!r}, {neighbours[0]!r}]."
            )
        far = choice(f"the other end of a wire of {host}", others[0], neighbours) if others else ""
        return self._ends[host, far or neighbours[0]]

    # Else Python iterates by __getitem__ with 0, 1, ...
    __iter__ = None

    @property
    def backend(self) -> str:
        """The name of the backend that made it."""
        return self._backend.name

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return next(iter(self._ends.values())).interface.namespace.closed

    def close(self) -> None:
        """Remove the wires and close all namespaces. A second call does nothing."""
        # As a lab: a forked child must not take it down.
        if not self.closed and os.getpid() == self._owner:
            self._backend.remove_wires(list(self._wires.values()))

    def _table(self) -> Table:
        if self.closed:
            return Table("<Network closed>")
        rows = [
            (f"{first}-{second}", name, end.interface.name, end.ipv4, end.ipv6, end.interface.mac)
            for (first, second), ends in self._wires.items()
            for name, end in zip((first, second), ends, strict=True)
        ]
        title = (
            f"Network of {counted(len(self.hosts), 'host')} and "
            f"{counted(len(self._wires), 'wire')}, with {counted(self.queues, 'queue')} an "
            f"interface, mtu {self.mtu:,}"
        )
        return Table(title, rows, ("wire", "host", "interface", "IPv4", "IPv6", "MAC"))

    def _brief(self) -> str:
        if self.closed:
            return "<Network closed>"
        return f"<Network {', '.join('-'.join(wire) for wire in self._wires)}>"


def _checked(wires: tuple[object, ...]) -> tuple[tuple[str, str], ...]:
    """Check names of wires; return the hosts that they join."""
    if not 1 <= len(wires) <= _MOST_WIRES:
        raise ConfigurationError(
            f"wires: {len(wires)} of them. Name 1 to {_MOST_WIRES}, such as {_EXAMPLE}."
        )
    found: list[tuple[str, str]] = []
    for wire in wires:
        named = _WIRE.fullmatch(text("wires", wire))
        if named is None or named[1] == named[2]:
            raise ConfigurationError(
                f"wires={shown(wire)} must name two hosts with a dash between them, each of at "
                f"most 12 letters, digits and underscores: {_EXAMPLE}."
            )
        if {named[1], named[2]} in map(set, found):
            raise ConfigurationError(
                f"wires={shown(wire)} joins two hosts that another wire joins already. Put a host "
                "between them for a second way."
            )
        found.append((named[1], named[2]))
    return tuple(found)


def _check_all_joined(plan: NetworkPlan) -> None:
    first, *others = plan.hosts
    reached = plan.first_steps(first)
    alone = [name for name in others if name not in reached]
    if alone:
        raise ConfigurationError(
            f"wires: no way leads from {first!r} to {alone[0]!r}. Join them by a wire, or make two "
            "networks."
        )
