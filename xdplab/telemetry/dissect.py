"""Frames in words, by scapy: source, destination, and every field of every layer.

No frame makes this raise: parts that scapy can't read are shown as bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot3, Ether
from scapy.packet import NoPayload, Packet, Raw

_LONGEST_VALUE = 200

_ENDS = re.compile(r"(^| )\S+ > \S+")  # in a summary of scapy's

_PROTOCOLS: dict[type[Packet], str] = {ARP: "ARP", TCP: "TCP", UDP: "UDP", ICMP: "ICMP"}
_ICMPV6 = "ICMPv6"  # scapy has a class for each of its messages, whose names begin so


class Summary(NamedTuple):
    """A frame in one line."""

    source: str
    destination: str
    protocol: str
    text: str
    """Its layers as scapy sums them up, without source and destination."""


class Layer(NamedTuple):
    """One layer of a frame."""

    name: str
    start: int
    end: int
    """The layer is the frame's bytes from `start` to before `end`."""
    fields: list[tuple[str, str]]
    """Name and value, as scapy shows it."""


def summarize(frame: bytes, *, payload: bool = False) -> Summary:
    """Sum up a frame, or a payload without its headers, in a line."""
    try:
        packet = _packet(frame, payload)
        text = _ENDS.sub("", packet.summary().removeprefix("Ether / "), count=1).lstrip()
        return Summary(*_ends(packet), _protocol(packet), text)
    except Exception as error:  # scapy's dissectors may raise any exception
        return Summary("", "", "", f"scapy can't read it: {type(error).__name__}: {error}")


def layers(frame: bytes, *, payload: bool = False) -> list[Layer]:
    """Split a frame, or a payload without its headers, into its layers."""
    found, start = [], 0
    for layer in _walk(_packet(frame, payload)):
        header = layer.raw_packet_cache
        end = len(frame) if header is None else min(start + len(header), len(frame))
        found.append(Layer(_name(layer), start, end, _fields(layer)))
        start = end
    return found


def _packet(frame: bytes, payload: bool) -> Packet:
    try:
        # Of no bytes, Ether would invent addresses.
        return Ether(frame) if frame and not payload else Raw(frame)
    except Exception:  # too short for a header, say
        return Raw(frame)


def _walk(packet: Packet) -> Iterator[Packet]:
    while not isinstance(packet, NoPayload):
        yield packet
        packet = packet.payload


def _fields(layer: Packet) -> list[tuple[str, str]]:
    fields = []
    for field in layer.fields_desc:
        if field.name in layer.fields:
            try:
                value = str(field.i2repr(layer, layer.fields[field.name]))
            except Exception:  # a field may fail on an impossible value
                value = repr(layer.fields[field.name])
            if len(value) > _LONGEST_VALUE:
                value = f"{value[:_LONGEST_VALUE]}…"
            fields.append((field.name, value))
    return fields


def _ends(packet: Packet) -> tuple[str, str]:
    """Return the addresses of the highest layer that has them, with ports where there are any."""
    ends, form = ("", ""), "{}:{}"
    for layer in _walk(packet):
        if _is_icmp(layer):  # an ICMP error quotes another packet
            break
        if isinstance(layer, TCP | UDP):
            source, destination = ends
            return form.format(source, layer.sport), form.format(destination, layer.dport)
        if isinstance(layer, Ether | Dot3 | IP | IPv6):
            ends = str(layer.src), str(layer.dst)
            form = "[{}]:{}" if isinstance(layer, IPv6) else "{}:{}"
        elif isinstance(layer, ARP):
            ends = str(layer.psrc), str(layer.pdst)
    return ends


def _name(layer: Packet) -> str:
    return layer.name or type(layer).__name__


def _is_icmp(layer: Packet) -> bool:
    return isinstance(layer, ICMP) or _name(layer).startswith(_ICMPV6)


def _protocol(packet: Packet) -> str:
    name = _name(packet)
    for layer in _walk(packet):
        if type(layer) in _PROTOCOLS:
            return _PROTOCOLS[type(layer)]
        if _is_icmp(layer):
            return _ICMPV6
        if isinstance(layer, Ether):
            name = layer.sprintf("%Ether.type%")
        elif isinstance(layer, IP):
            name = "IPv4"
        elif isinstance(layer, IPv6):
            name = "IPv6"
    return name
