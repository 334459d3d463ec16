"""Addresses as a user types them, and as fields hold them."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from typing import Any

import numpy as np
import numpy.typing as npt

from xdplab.core.calls import public_function
from xdplab.core.checks import is_a, shown
from xdplab.core.errors import ConfigurationError

_MAC = re.compile(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}")

EXAMPLES = {"mac": "'02:00:00:00:00:01'", "ipv4": "'198.18.0.1'", "ipv6": "'2001:db8::1'"}


@public_function
def address(text: str) -> int | npt.NDArray[np.uint8]:
    """Return an address in text as a field holds it.

    Parameters
    ----------
    text
        Such as ``"198.18.0.1"``, ``"02:00:00:00:00:01"`` or ``"2001:db8::1"``.

    Returns
    -------
    int or numpy.ndarray
        A number for a MAC or IPv4 address; 16 bytes (uint8) for an IPv6 address.

    Raises
    ------
    ConfigurationError
        When it is no such address.

    Examples
    --------
    ``batch["ipv4.src"] == address("198.18.0.1")``, and
    ``(batch["ipv6.src"] == address("2001:db8::1")).all(axis=1)``.
    """
    found: int | npt.NDArray[np.uint8] = parsed("text", text)[1]
    return found


def parsed(name: str, text: object) -> tuple[str, Any]:
    """Return an address's kind, as `Field` has it, and its value.

    Raises
    ------
    ConfigurationError
        When it is no address.
    """
    given = str.__str__(text) if is_a(text, str) else ""
    if _MAC.fullmatch(given):
        return "mac", int.from_bytes(bytes(int(each, 16) for each in given.split(":")))
    try:
        found = ip_address(given)
    except ValueError:
        raise ConfigurationError(
            f"{name}={shown(text)} must be an address in text, such as "
            f"{EXAMPLES['ipv4']}, {EXAMPLES['mac']} or {EXAMPLES['ipv6']}."
        ) from None
    if isinstance(found, IPv6Address):
        return "ipv6", np.frombuffer(found.packed, np.uint8)
    return "ipv4", int(found)
