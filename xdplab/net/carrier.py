"""The carrier of interfaces, which some drivers lose for an XDP program: they set the link up anew.

Frames meanwhile are lost, and nobody counts them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from xdplab.core.errors import ClosedError, InterfaceGoneError
from xdplab.net.link_pairs import PAIRS
from xdplab.net.link_state import SWITCHED_ON
from xdplab.net.netlink import netlink

if TYPE_CHECKING:
    from xdplab.net.interface import Interface

MOST_SECONDS = 5.0
"""Copper links negotiate for 2 to 4 seconds. After more than this, the cable is out."""
_LOOK_SECONDS = 0.005


def await_carrier(interfaces: Iterable[Interface]) -> None:
    """Wait until interfaces that lost their carrier have it again, for at most `MOST_SECONDS`.

    Called once a program is attached. A ledger tells of an interface that is still without.
    """
    deadline = time.monotonic() + MOST_SECONDS
    for each in interfaces:
        # An end of a pair, or of a simulated wire, has it as long as the other end is up.
        if each.driver not in PAIRS and not each.namespace.simulated:
            with suppress(InterfaceGoneError, ClosedError):
                each.namespace.run(_wait, each, deadline)


def _wait(interface: Interface, deadline: float) -> None:
    with netlink(f"wait for the carrier of {interface.name}") as route:
        while time.monotonic() < deadline:
            (link,) = route.get_links(interface.index)
            had = link["flags"] & SWITCHED_ON and link.get("carrier_up_count")
            if link.get("carrier") or not had:
                return
            time.sleep(_LOOK_SECONDS)
