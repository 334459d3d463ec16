"""IP addresses: as users type them, and as the program has them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import numpy as np

from xdplab.core.checks import is_a, shown
from xdplab.core.errors import ConfigurationError

IPAddress = IPv4Address | IPv6Address


def ip(name: str, value: object) -> IPAddress:
    """Return an address of one host, given as text or as an object of ipaddress.

    Raises
    ------
    ConfigurationError
        When it is none.
    """
    if is_a(value, IPv4Address) or is_a(value, IPv6Address):
        found: IPAddress = value
    else:
        try:
            found = ip_address(str.__str__(value) if is_a(value, str) else "")
        except ValueError:
            raise ConfigurationError(
                f"{name}={shown(value)} must be an IP address in text, such as '198.18.0.1' or "
                "'2001:db8::1'."
            ) from None
    if found.is_multicast or found.is_unspecified or found.is_loopback or found.is_link_local:
        raise ConfigurationError(
            f"{name}={shown(value)} must be an address that packets are routed to: it is "
            "multicast, unspecified, of the loopback, or of one link."
        )
    return found


def words_of(address: IPAddress) -> list[int]:
    """Return an address as the program has it: four words, of IPv4 the first."""
    return [int(each) for each in np.frombuffer(address.packed.ljust(16, b"\0"), ">u4")]


def key_of(address: IPAddress, port: int = 0, protocol: int = 0) -> dict[str, Any]:
    """Return the key of a service; without port and protocol that of an address of services."""
    words = words_of(address)
    return {"address": words, "port": port, "protocol": protocol, "version": address.version}
