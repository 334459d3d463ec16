"""A node of the gallery's overlay: which hosts of which networks are where."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Any

from xdplab.core.calls import public
from xdplab.core.checks import instance_of, shown, text, whole
from xdplab.core.errors import ConfigurationError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted
from xdplab.net.interface import Interface
from xdplab.net.resolve import End, resolve
from xdplab.xdp.program import Program

OVERHEAD = 50
"""Bytes that a frame on the wire has more: Ethernet, IPv4, UDP and Geneve."""

_MAPS = ("ports", "places")
_COUNTS = ("encapsulated", "decapsulated", "switched", "unknown", "too_long", "broken")
_MOST_NETWORKS = (1 << 24) - 1
_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_HOST, _GROUP_FROM_HOST, _GROUP_FROM_WIRE = range(3)
_NO_MAC = (0,) * 6


@public
class Overlay(Tabled, FixedNames):
    """A node of an overlay, in the gallery's program ``overlay``: networks over one wire.

    Networks are told apart by numbers, so each can have any addresses. All takes effect at once.

    Parameters
    ----------
    program
        ``Program(GALLERY["overlay"], wire)``.
    wire
        The interface that leads to the other nodes; default: the one that the program was loaded
        for. Its largest packet must be 50 bytes longer than the hosts': the program drops what is
        longer, and counts it.

    Raises
    ------
    ConfigurationError
        When the program has other maps, or the interface no IPv4 address.
    """

    def __init__(self, program: Program, wire: End | None = None) -> None:
        made = 'Program(GALLERY["overlay"], wire)'
        self.program = instance_of("program", program, Program, f"a Program: {made}")
        missing = [name for name in _MAPS if name not in program.maps]
        if missing:
            raise ConfigurationError(
                f"program={shown(program)} has no map {missing[0]!r}: an Overlay is for {made}."
            )
        self.wire = program.interface if wire is None else self._own("wire", wire)
        if not self.wire.ipv4:
            raise ConfigurationError(
                f"wire={self.wire.name!r} has no IPv4 address, by which other nodes reach it. "
                f"Give it one: ip address add 198.18.0.1/24 dev {self.wire.name}."
            )
        program.variables["node"] = int(IPv4Address(self.wire.ipv4))

    def connect(self, network: int, port: End, mac: str) -> None:
        """Make a host a member of a network.

        Parameters
        ----------
        network
            The network's number, 0 to 16777215.
        port
            The node's interface that leads to the host, which the program is attached to, too.
            One host of each network gets what comes for groups, as broadcasts do: the last one.
        mac
            The host's hardware address.

        Raises
        ------
        ConfigurationError
            For values out of range.
        KernelError
            When a map is full.
        """
        number = whole("network", network, 0, _MOST_NETWORKS)
        interface = self._own("port", port)
        address = _mac("mac", mac)
        here = (interface.index, 0, 0, _NO_MAC, _NO_MAC)
        places = self.program.maps["places"]
        places[(number, address, _HOST, 0)] = here
        places[(number, _NO_MAC, _GROUP_FROM_WIRE, 0)] = here
        self.program.maps["ports"][interface.index] = number

    def reach(self, network: int, mac: str, node: str | IPv4Address, node_mac: str) -> None:
        """Say which node a network's host is at.

        Parameters
        ----------
        network, mac
            As for `connect`. What a network sends to groups goes to the node that was named last.
        node
            The IPv4 address of the node, on its wire.
        node_mac
            The hardware address of its wire's interface, or of the router on the way.

        Raises
        ------
        ConfigurationError
            For values out of range.
        KernelError
            When a map is full.
        """
        number = whole("network", network, 0, _MOST_NETWORKS)
        address, there = _mac("mac", mac), _ipv4("node", node)
        ends = int(IPv4Address(self.wire.ipv4)), there
        macs = _mac("wire", self.wire.mac), _mac("node_mac", node_mac)
        place = (self.wire.index, *ends, *macs)
        places = self.program.maps["places"]
        places[(number, address, _HOST, 0)] = place
        places[(number, _NO_MAC, _GROUP_FROM_HOST, 0)] = place

    def _own(self, name: str, interface: Any) -> Interface:
        found = resolve(interface, True, name)
        if found.namespace.identity != self.program.interface.namespace.identity:
            raise ConfigurationError(
                f"{name}={found.name!r} is not in the network namespace that the program was "
                "loaded for."
            )
        return found

    def _table(self) -> Table:
        if self.program.closed:
            return Table("<Overlay of a program that was closed>")
        rows = []
        for (network, mac, side, _unused), place in self.program.maps["places"].items():
            what = ":".join(f"{byte:02x}" for byte in mac)
            if side != _HOST:
                what = f"groups, from {'hosts' if side == _GROUP_FROM_HOST else 'the wire'}"
            way = str(IPv4Address(int(place.to))) if place.to else f"interface {place.interface}"
            rows.append((str(network), what, way))
        counts = [f"{name} {int(self.program.variables[name]):,}" for name in _COUNTS]
        title = f"Overlay at {self.wire.ipv4}, {counted(len(rows), 'place')}"
        headings = ("network", "for", "by") if rows else ()
        return Table(title, sorted(rows), headings, [f"packets: {', '.join(counts)}"])

    def _brief(self) -> str:
        if self.program.closed:
            return "<Overlay of a program that was closed>"
        return (
            f"<Overlay at {self.wire.ipv4}: {counted(len(self.program.maps['places']), 'place')}>"
        )


def _mac(name: str, value: object) -> tuple[int, ...]:
    if not _MAC.fullmatch(text(name, value)):
        raise ConfigurationError(
            f"{name}={shown(value)} must be a hardware address, such as '02:00:c6:12:00:01'."
        )
    return tuple(bytes.fromhex(str(value).replace(":", "")))


def _ipv4(name: str, value: object) -> int:
    try:
        return int(IPv4Address(text(name, value) if isinstance(value, str) else str(value)))
    except ValueError:
        raise ConfigurationError(f"{name}={shown(value)} must be an IPv4 address.") from None
