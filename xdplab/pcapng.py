"""Sampled frames as a pcapng file, for Wireshark, tshark, tcpdump and scapy.

The format is blocks of 32-bit words with options at the end of each (draft-ietf-opsawg-pcapng);
three kinds of block are all that is needed. Written here since scapy's writer, the one that is kept
up, knows microseconds only, and neither snapshot lengths nor queues.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, BinaryIO

from xdplab.records import (
    SAMPLE_DEVICE_TIME,
    SAMPLE_HASH,
    SAMPLE_PROGRAM_TIME,
    VERDICTS,
    Records,
)
from xdplab.telemetry import Telemetry
from xdplab.whole_file import Saved, place_of, whole_file

_SECTION_HEADER, _INTERFACE_DESCRIPTION, _ENHANCED_PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_UNKNOWN_LENGTH = -1
_LINKTYPE_ETHERNET = 1
_END_OF_OPTIONS, _COMMENT = 0, 1
_USER_APPLICATION = 4
_INTERFACE_NAME, _INTERFACE_COMMENT, _TIME_RESOLUTION = 2, 3, 9
_NANOSECONDS = 9  # 10^-9 s
_PACKET_FLAGS, _PACKET_QUEUE = 2, 6
_INBOUND = 1


def write_pcapng(
    path: str | os.PathLike[str], telemetry: Telemetry, samples: Mapping[int, Records]
) -> Saved:
    """Write sampled frames, in the order of their times, as a pcapng file.

    Times are CLOCK_REALTIME in nanoseconds, by the clock base that the region had when its engine
    was opened. Each frame has its length on the wire and the bytes that were kept, its interface,
    its queue (``epb_queue``), and in its comment what became of it and what else is known of it.

    Parameters
    ----------
    path
        Of the file, which takes the place of an older one.
    telemetry
        Where the samples come from: it knows the clocks and the interfaces' names.
    samples
        Of `Telemetry.samples`, by worker.

    Returns
    -------
    Saved
        Where, and how many frames.

    Raises
    ------
    ConfigurationError, KernelError
        As `whole_file` does.
    """
    place = place_of(path)
    frames = sorted(
        ((worker, sample) for worker, some in samples.items() for sample in some),
        key=lambda frame: int(frame[1]["time_ns"]),
    )
    with whole_file(place) as file:
        _write(file, telemetry, frames)
    return Saved(place, len(frames), "frames")


def _write(file: BinaryIO, telemetry: Telemetry, frames: Iterable[tuple[int, Any]]) -> None:
    names = list(dict.fromkeys(telemetry.interfaces))
    file.write(_section_header())
    for name in names:
        file.write(_interface(name, telemetry))
    for worker, sample in frames:
        interface = names.index(telemetry.interfaces[worker])
        file.write(_packet(interface, worker, sample, telemetry.realtime_offset_ns))


def _section_header() -> bytes:
    fixed = struct.pack("<IHHq", _BYTE_ORDER_MAGIC, 1, 0, _UNKNOWN_LENGTH)
    return _block(_SECTION_HEADER, fixed, {_USER_APPLICATION: f"xdplab {version('xdplab')}"})


def _interface(name: str, telemetry: Telemetry) -> bytes:
    fixed = struct.pack("<HHI", _LINKTYPE_ETHERNET, 0, int(telemetry.header["sample_bytes"]))
    options: dict[int, str | bytes] = {_TIME_RESOLUTION: bytes([_NANOSECONDS])}
    if name:
        options[_INTERFACE_NAME] = name
    if telemetry.header["simulated"]:
        options[_INTERFACE_COMMENT] = "simulated"
    return _block(_INTERFACE_DESCRIPTION, fixed, options)


def _packet(interface: int, worker: int, sample: Any, offset_ns: int) -> bytes:  # noqa: ANN401 - a structured scalar
    captured = int(sample["captured"])
    high, low = divmod(int(sample["time_ns"]) + offset_ns, 1 << 32)
    fixed = struct.pack("<IIIII", interface, high, low, captured, int(sample["length"]))
    options: dict[int, str | bytes] = {
        _PACKET_FLAGS: struct.pack("<I", _INBOUND),
        _PACKET_QUEUE: struct.pack("<I", int(sample["queue"])),
        _COMMENT: what_is_known_of(worker, sample),
    }
    return _block(_ENHANCED_PACKET, fixed + sample["bytes"][:captured].tobytes(), options)


def what_is_known_of(worker: int, sample: Any) -> str:  # noqa: ANN401 - a structured scalar
    """Say what became of a sampled frame, its number, and its times and hash where it has them."""
    flags, device_ns = int(sample["flags"]), int(sample["device_time_ns"])
    known = [f"{VERDICTS[sample['verdict']]}: frame {sample['frame']} of worker {worker}"]
    if sample["sent_ns"]:
        known.append(f"{int(sample['time_ns']) - int(sample['sent_ns'])} ns after it was sent")
    if flags & SAMPLE_HASH:
        known.append(f"RX hash 0x{sample['hash']:08x}")
    if flags & SAMPLE_DEVICE_TIME:
        known.append(f"{device_ns} ns by the device's clock")
    if flags & SAMPLE_PROGRAM_TIME:
        known.append(f"{int(sample['time_ns']) - device_ns} ns after the XDP program")
    return "; ".join(known)


def _block(kind: int, body: bytes, options: Mapping[int, str | bytes]) -> bytes:
    content = _padded(body) + b"".join(_option(*option) for option in options.items())
    content += struct.pack("<HH", _END_OF_OPTIONS, 0)
    length = struct.pack("<I", len(content) + 12)  # with type and both lengths
    return struct.pack("<I", kind) + length + content + length


def _option(code: int, value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<HH", code, len(raw)) + _padded(raw)


def _padded(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % 4)
