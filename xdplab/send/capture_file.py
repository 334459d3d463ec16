"""Capture files, frame by frame: pcap and pcapng, of either byte order, also in gzip.

The reader yields every frame of the file with its fields, or the reason for which it can't be read.
Lengths are checked against the bytes of the file. Formats: draft-ietf-opsawg-pcap and
draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

ETHERNET = 1  # LINKTYPE_ETHERNET
_NANOSECONDS = 10**9
_LONGEST_BLOCK = 16 << 20  # of a frame or block; a length above it is damage
_FCS_BYTES = 4  # of Ethernet

# Of a pcap file's first word: units of a second's fraction, and bytes of a record's header.
_PCAP = {0xA1B2C3D4: (1000, 16), 0xA1B23C4D: (1, 16), 0xA1B2CD34: (1000, 24)}
_FILE_HEADER, _FCS_PRESENT = 24, 0x04000000
_SOME_FCS = 1  # of a length that the file does not tell
_CUT = "the file ends within it"

_SECTION, _BYTE_ORDER = 0x0A0D0D0A, 0x1A2B3C4D
_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 1, 2, 3, 6
_TIME_RESOLUTION, _FCS_LENGTH, _TIME_OFFSET = 9, 13, 14  # options of an interface
_FLAGS = 2  # option of a packet


class NoCaptureFileError(Exception):
    """The file does not begin like a pcap or pcapng file."""


class DamagedError(Exception):
    """The rest of the file can't be read; the message says from where, and why."""


class Frame(NamedTuple):
    """A frame of the file."""

    bytes: bytes
    length: int
    """Length on the wire: larger than `bytes` where the frame was captured in part."""
    link: int
    time_ns: int | None
    """Nanoseconds since 1970; None where the file has no time."""
    without_fcs: bool = False
    """Whether the file had its frame check sequence, which was taken off."""


class Unreadable(NamedTuple):
    """A frame with impossible fields."""

    why: str


def read(file: io.BufferedReader) -> Iterator[Frame | Unreadable]:
    """Read a file from its beginning.

    Raises
    ------
    NoCaptureFileError
        For another kind of file.
    DamagedError
        After the last frame that can be read, unless the file ends there.
    OSError
        When it can't be read.
    """
    packed = file.peek(2)[:2] == b"\x1f\x8b"
    source = _Source(gzip.GzipFile(fileobj=file) if packed else file)
    try:
        start = source.take(4)
        for order in "<>":
            (magic,) = struct.unpack(f"{order}I", start.ljust(4, b"\0"))
            if magic in _PCAP and len(rest := source.take(_FILE_HEADER - 4)) == _FILE_HEADER - 4:
                (network,) = struct.unpack(f"{order}I", rest[-4:])
                return _pcap(source, order, network, *_PCAP[magic])
            if magic == _SECTION:
                _order(source.peek(8))
                return _pcapng(source)
    except DamagedError as error:
        raise NoCaptureFileError from error
    raise NoCaptureFileError


class _Source:
    """The bytes of a file, with the position in it."""

    def __init__(self, file: io.BufferedReader | gzip.GzipFile) -> None:
        self._file = file
        self._ahead = b""
        self.place = 0

    def take(self, size: int) -> bytes:
        """Read so many bytes, or what is left of the file."""
        try:
            if self._ahead:
                ahead, self._ahead = self._ahead[:size], self._ahead[size:]
                found = ahead + self._file.read(size - len(ahead))
            else:
                found = self._file.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DamagedError(f"its gzip data end or are damaged there ({error})") from error
        self.place += len(found)
        return found

    def peek(self, size: int) -> bytes:
        """Read ahead."""
        found = self.take(size)
        self.place -= len(found)
        self._ahead = found + self._ahead
        return found

    def need(self, size: int) -> bytes:
        """Read so many bytes of a frame or block that has begun."""
        if size > _LONGEST_BLOCK:
            raise DamagedError(f"it is said to have {size:,} bytes")
        found = self.take(size)
        if len(found) < size:
            raise DamagedError(_CUT)
        return found


def _pcap(
    source: _Source, order: str, network: int, units: int, header: int
) -> Iterator[Frame | Unreadable]:
    link, words = network & 0xFFFF, network >> 28
    # In 16-bit words. An earlier draft had the number, and the bit that marks it, elsewhere.
    fcs = 2 * words if network & _FCS_PRESENT else min(words, _SOME_FCS)
    record = struct.Struct(f"{order}IIII")
    while begun := source.take(header):
        if len(begun) < header:
            raise DamagedError(_CUT)
        seconds, fraction, captured, length = record.unpack_from(begun)
        frame = source.need(captured)
        yield _frame(frame, length, link, seconds * _NANOSECONDS + fraction * units, fcs)


@dataclass
class _Interface:
    """An interface of a pcapng file."""

    link: int
    snapshot: int
    fcs: int = 0
    ticks: int = 10**6  # a second
    offset: int = 0  # seconds

    def time_ns(self, high: int, low: int) -> int:
        return self.offset * _NANOSECONDS + (high << 32 | low) * _NANOSECONDS // self.ticks


def _pcapng(source: _Source) -> Iterator[Frame | Unreadable]:
    order, interfaces = "<", list[_Interface]()
    # The first block's type was read already.
    begun = struct.pack(">I", _SECTION)
    while begun or (begun := source.take(1)):
        begun += source.need(4 - len(begun))
        if begun == struct.pack(">I", _SECTION):  # the same in both byte orders
            order = _order(source.peek(8))
            interfaces.clear()
        (kind,), begun = struct.unpack(f"{order}I", begun), b""
        (length,) = struct.unpack(f"{order}I", source.need(4))
        if length < 12 or length % 4:
            raise DamagedError(f"a block is said to have {length:,} bytes")
        body = source.need(length - 12)
        if struct.unpack(f"{order}I", source.need(4)) != (length,):
            raise DamagedError("the two lengths of a block differ")
        if kind == _INTERFACE:
            interfaces.append(_interface(body, order))
        elif kind in _PACKETS:
            yield _packet(kind, body, order, interfaces)


def _order(length_and_mark: bytes) -> str:
    for order in "<>":
        if length_and_mark[4:] == struct.pack(f"{order}I", _BYTE_ORDER):
            return order
    raise DamagedError("a section begins there without a known byte order")


def _options(body: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 4 <= len(body):
        code, length = struct.unpack_from(f"{order}HH", body, place)
        if not code:
            return
        yield code, body[place + 4 : place + 4 + length]
        place += 4 + length + -length % 4


def _interface(body: bytes, order: str) -> _Interface:
    if len(body) < 8:
        raise DamagedError("an interface is described there in too few bytes")
    link, _, snapshot = struct.unpack_from(f"{order}HHI", body)
    interface = _Interface(link, snapshot)
    for code, value in _options(body[8:], order):
        if code == _TIME_RESOLUTION and len(value) == 1:
            power = value[0] & 0x7F
            interface.ticks = 2**power if value[0] & 0x80 else 10**power
        elif code == _TIME_OFFSET and len(value) == 8:
            (interface.offset,) = struct.unpack(f"{order}q", value)
        elif code == _FCS_LENGTH and len(value) == 1:
            # In bits by the draft, in bytes by Wireshark.
            interface.fcs = value[0] // 8 if value[0] >= 8 * _FCS_BYTES else value[0]
    return interface


_PACKETS = {_OLD_PACKET: "HHIIII", _SIMPLE_PACKET: "I", _PACKET: "IIIII"}


def _packet(kind: int, body: bytes, order: str, interfaces: list[_Interface]) -> Frame | Unreadable:
    header = struct.Struct(f"{order}{_PACKETS[kind]}")
    if len(body) < header.size:
        return Unreadable("in a block that is too short for one")
    fields = header.unpack_from(body)
    number = 0 if kind == _SIMPLE_PACKET else fields[0]
    if number >= len(interfaces):
        return Unreadable("of an interface that the file does not describe")
    interface, room = interfaces[number], len(body) - header.size
    if kind == _SIMPLE_PACKET:
        (length,) = fields
        captured = min(length, interface.snapshot or length)
        time_ns, fcs = None, interface.fcs
    else:
        high, low, captured, length = fields[-4:]
        time_ns, fcs = interface.time_ns(high, low), interface.fcs
        for code, value in _options(body[header.size + captured + -captured % 4 :], order):
            if code == _FLAGS and len(value) == 4:
                fcs = struct.unpack(f"{order}I", value)[0] >> 5 & 0xF or fcs
    if captured > room:
        return Unreadable("said to have more bytes than the block that they stand in")
    return _frame(body[header.size :][:captured], length, interface.link, time_ns, fcs)


def _frame(captured: bytes, length: int, link: int, time_ns: int | None, fcs: int) -> Frame:
    """Take the frame check sequence off, where the file says that there is one."""
    length = max(length, len(captured))
    if not fcs or link != ETHERNET or length < _FCS_BYTES:
        return Frame(captured, length, link, time_ns)
    # Ethernet's has 4 bytes. Where the file says something else, which writers that disagree on the
    # unit do, the bytes themselves decide.
    if fcs != _FCS_BYTES and not _ends_in_fcs(captured, length):
        return Frame(captured, length, link, time_ns)
    length -= _FCS_BYTES
    return Frame(captured[:length], length, link, time_ns, without_fcs=True)


def _ends_in_fcs(frame: bytes, length: int) -> bool:
    ends_in = frame[-_FCS_BYTES:]
    return len(frame) == length and ends_in == zlib.crc32(frame[:-_FCS_BYTES]).to_bytes(4, "little")
