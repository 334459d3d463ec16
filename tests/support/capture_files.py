"""Capture files, built byte for byte."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from xdplab.send.replay import Piece, Replay

ETHERNET, RAW_IP = 1, 101
FRAMES = [bytes([number]) * (60 + 40 * number) for number in range(1, 5)]
TIMES_NS = [1_700_000_000_000_000_000 + 250_000_000 * number for number in range(4)]


def pcap(
    frames: Sequence[bytes] = FRAMES,
    times_ns: Sequence[int] = TIMES_NS,
    *,
    link: int = ETHERNET,
    cut_to: int = 1 << 16,
    order: str = "<",
) -> bytes:
    """Build a pcap file with nanoseconds, byte for byte."""
    file = struct.pack(f"{order}IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 16, link)
    for frame, time_ns in zip(frames, times_ns, strict=True):
        kept = frame[:cut_to]
        seconds, rest = divmod(time_ns, 10**9)
        file += struct.pack(f"{order}IIII", seconds, rest, len(kept), len(frame)) + kept
    return file


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """Build a block of a pcapng file."""
    body += bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + length + body + length


def option(code: int, value: bytes, order: str = "<") -> bytes:
    """Build an option of a block."""
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<") -> bytes:
    """Build the header of a section."""
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(
    *options: bytes, link: int = ETHERNET, snapshot: int = 1 << 18, order: str = "<"
) -> bytes:
    """Build the description of an interface."""
    body = struct.pack(f"{order}HHI", link, 0, snapshot) + b"".join(options)
    return block(1, body, order)


def packet(
    frame: bytes,
    ticks: int = 0,
    *options: bytes,
    number: int = 0,
    length: int | None = None,
    order: str = "<",
) -> bytes:
    """Build a block of a frame."""
    high, low = divmod(ticks, 1 << 32)
    length = len(frame) if length is None else length
    body = struct.pack(f"{order}IIIII", number, high, low, len(frame), length) + frame
    return block(6, body + bytes(-len(frame) % 4) + b"".join(options), order)


def pcapng() -> bytes:
    """Build a pcapng file, its times in microseconds."""
    packets = (packet(frame, time // 1000) for frame, time in zip(FRAMES, TIMES_NS, strict=True))
    return section() + interface() + b"".join(packets)


def held(replay: Replay) -> Piece:
    """Return the frames of a replay that holds them all."""
    assert replay.held is not None
    return replay.held
