"""The stream that a generator sends: numbered, timed frames to one host, at a rate."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass
from typing import Literal

from xdplab.core.calls import public
from xdplab.core.checks import instance_of, is_a, real, shown, whole
from xdplab.core.checks import seconds as seconds_within
from xdplab.core.errors import ConfigurationError
from xdplab.core.text import number_of
from xdplab.net.host import Host
from xdplab.net.interface import Interface
from xdplab.net.link_type import require_ethernet

Rate = int | float | Literal["max"]

STREAM_PORT = 9
"""The UDP port that streams go to: discard (RFC 863). native/include/traffic.h has it, too."""

SMALLEST_FRAME, LARGEST_FRAME = 60, 1514
"""Bytes of an Ethernet frame without its checksum."""
SLOWEST, FASTEST = 0.001, 1_000_000_000
"""Frames a second."""

_PICOSECONDS = 10**12
_MOST_FLOWS = 60_000
_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.001, 24 * 3600


@public
@dataclass(frozen=True)
class Stream:
    """UDP frames to a host, each with its number and the time at which it was made.

    Parameters
    ----------
    receiver
        The side of a lab that receives them.
    rate
        Frames a second, from 0.001, also as text such as ``"20k"``, or ``"max"``. When its core was
        taken away, a generator later sends up to 1,024 frames of the last 100 ms, and skips the
        rest.
    size
        Bytes of a frame, 60 to 1514, without the checksum that a wire adds.
    count
        Stop after so many frames.
    seconds
        Stop after this time, 0.001 to 86,400.
    flows
        How many source ports take turns, from 1024 up.

    Raises
    ------
    ConfigurationError
        For values out of range.
    """

    receiver: Host
    rate: Rate | str = "max"
    size: int = 64
    count: int | None = None
    seconds: float | None = None
    flows: int = 1

    def __post_init__(self) -> None:
        """Check everything, and keep plain values: they are printed and pickled."""
        host("receiver", self.receiver)
        require_ethernet(self.receiver.interface, "receiver")
        self._keep(
            rate=checked_rate(self.rate),
            size=frame_size(self.size),
            flows=whole("flows", self.flows, 1, _MOST_FLOWS),
        )
        if self.count is not None:
            self._keep(count=whole("count", self.count, 1, 1 << 62))
        if self.seconds is not None:
            bounds = _SHORTEST_SECONDS, _LONGEST_SECONDS
            self._keep(seconds=seconds_within("seconds", self.seconds, *bounds))

    def _keep(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def config(self, sender: Interface) -> dict[str, object]:
        """Return the stream as the native engine takes it, from one interface."""
        instance_of("sender", sender, Interface, "an Interface")
        return {
            "size": self.size,
            "flows": self.flows,
            "interval_ps": interval_ps(self.rate),
            "limit_frames": self.count or 0,
            "limit_ns": 0 if self.seconds is None else round(self.seconds * 1e9),
            "headers": _headers(sender, self.receiver.interface, self.size),
        }


def frame_size(size: object) -> int:
    """Check the bytes of a frame."""
    return whole("size", size, SMALLEST_FRAME, LARGEST_FRAME)


def host(name: str, value: object) -> Host:
    """Check a side of a lab."""
    return instance_of(name, value, Host, "a side of a lab, such as lab.port or lab.peer")


def checked_rate(rate: object, name: str = "rate") -> Rate:
    """Check a rate, also as text such as "200k", and return it as a plain value."""
    text = str.__str__(rate) if is_a(rate, str) else None
    if text == "max":
        return "max"
    try:
        frames = real(name, rate if text is None else number_of(text), SLOWEST, FASTEST)
    except ConfigurationError:
        raise ConfigurationError(
            f"{name}={shown(rate)} must be 'max', or {SLOWEST} to {FASTEST:,} frames a second, "
            "such as 20_000 or '20k'."
        ) from None
    return int(frames) if frames.is_integer() else frames


def interval_ps(rate: object) -> int:
    """Turn a rate into picoseconds between two frames; 0 means no pause."""
    checked = checked_rate(rate)
    return 0 if checked == "max" else round(_PICOSECONDS / checked)


def rate_of(interval: int) -> Rate:
    """Turn picoseconds between two frames into a rate."""
    return _PICOSECONDS / interval if interval else "max"


def _headers(sender: Interface, receiver: Interface, size: int) -> bytes:
    """Build Ethernet, IPv4 and UDP headers; the program fills in the source port."""
    for interface in (sender, receiver):
        if not (interface.ipv4 and interface.mac):
            raise ConfigurationError(
                f"{interface.name} has no {'IPv4' if interface.mac else 'hardware'} address, and "
                "the frames go from one IPv4 address to another over Ethernet. Take the sides of a "
                "lab."
            )
    ethernet = _mac(receiver.mac) + _mac(sender.mac) + struct.pack("!H", 0x0800)
    length = size - len(ethernet)
    stream = os.urandom(2)  # by which a worker tells our streams apart: native/include/traffic.h
    addresses = socket.inet_aton(sender.ipv4) + socket.inet_aton(receiver.ipv4)
    ipv4 = struct.pack("!BBH2sHBBH", 0x45, 0, length, stream, 0x4000, 64, socket.IPPROTO_UDP, 0)
    checksum = _checksum(ipv4 + addresses)
    ipv4 = ipv4[:10] + struct.pack("!H", checksum) + addresses
    # Without a checksum, which IPv4 allows (RFC 768): the payload differs in every frame.
    return ethernet + ipv4 + struct.pack("!HHHH", 0, STREAM_PORT, length - len(ipv4), 0)


def _mac(address: str) -> bytes:
    return bytes.fromhex(address.replace(":", ""))


def _checksum(header: bytes) -> int:
    """Compute the Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
