"""The interface that an engine captures on, from a name, an `Interface` or a host."""

from __future__ import annotations

from collections.abc import Sequence

from xdplab.core.checks import instance_of, is_a, text
from xdplab.core.errors import ConfigurationError
from xdplab.net.host import Host
from xdplab.net.interface import Interface
from xdplab.net.link_type import require_ethernet
from xdplab.net.shell_commands import ip_in

End = Host | Interface | str


def resolve(interface: End, allow_default_route: bool, argument: str = "interface") -> Interface:
    """Return the interface that an argument names, if an engine may capture on it.

    Raises
    ------
    ConfigurationError
        When it is no interface, is down, carries no Ethernet frames, or carries the default route
        and that is not allowed.
    InterfaceGoneError
        When there is none of that name.
    """
    found = looked_up(interface, argument)
    if is_a(interface, Host):
        require_ethernet(found, argument)
        return found
    require_ethernet(found, argument)
    if not allow_default_route and found.carries_default_route():
        raise ConfigurationError(
            f"{found.name} carries the default route: capturing on it can cut this machine off "
            "from its network. Capture in a lab, or insist with allow_default_route=True."
        )
    if not found.is_up():
        raise ConfigurationError(
            f"{found.name} is down, so nothing arrives there: "
            f"`{ip_in(found.namespace)} link set {found.name} up`."
        )
    return found


def looked_up(interface: End, argument: str = "interface") -> Interface:
    """Return the interface that an argument names, as it is now.

    Raises
    ------
    InterfaceGoneError
        When there is none of that name.
    """
    if is_a(interface, Host):
        return interface.interface.now()
    if is_a(interface, str):
        return Interface.find(text(argument, interface))
    wanted = "a side of a lab (lab.port), an Interface, or the name of one"
    return instance_of(argument, interface, Interface, wanted).now()


def is_same(one: Interface, other: Interface) -> bool:
    """Tell whether two looked-up interfaces are one, however often each was looked up."""
    return one.index == other.index and one.namespace.identity == other.namespace.identity


def names_of(interfaces: Sequence[Interface]) -> list[str]:
    """Return their names; equal names, as in labs, get a number in order."""
    names = [interface.name for interface in interfaces]
    if len(set(names)) == len(names):
        return names
    return [f"{name} #{number}" for number, name in enumerate(names, 1)]
