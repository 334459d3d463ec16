"""Sampled frames as a pcapng file, for Wireshark, tshark, tcpdump and scapy.

Written with python-pcapng, since scapy's writer has microseconds only, and neither snapshot lengths
nor queues.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from xdplab.core.errors import ConfigurationError
from xdplab.core.files import Saved, place_of, whole_file
from xdplab.native.records import (
    SAMPLE_DEVICE_TIME,
    SAMPLE_HASH,
    SAMPLE_PAYLOAD,
    SAMPLE_PROGRAM_TIME,
    VERDICTS,
    Records,
)

if TYPE_CHECKING:
    from xdplab.telemetry.region import Telemetry

_LINKTYPE_ETHERNET = 1
_LINKTYPE_USER0 = 147  # for private use: here a payload without its headers
_TIME_RESOLUTION = 9  # the number of the option if_tsresol
_NANOSECONDS = 9  # 10^-9 s
_INBOUND = 1


def write_pcapng(
    path: str | os.PathLike[str], telemetry: Telemetry, samples: Mapping[int, Records]
) -> Saved:
    """Write sampled frames, in the order of their times, as a pcapng file.

    Times are CLOCK_REALTIME in nanoseconds, by the clock base that the region had when its engine
    was opened. Each frame has its length on the wire and the bytes that were kept, its interface,
    its queue (``epb_queue``), and in its comment its verdict and all else that is known of it.

    Parameters
    ----------
    path
        Path of the file; an older one is replaced.
    telemetry
        The source of the samples: it has the clocks and the interfaces' names.
    samples
        Of `Telemetry.samples`, by worker.

    Returns
    -------
    Saved
        Where, and how many frames.

    Raises
    ------
    ConfigurationError
        Where python-pcapng is not installed, and as `whole_file` does.
    KernelError
        As `whole_file` does.
    """
    _require_pcapng(path)
    place = place_of(path)
    frames = sorted(
        ((worker, sample) for worker, some in samples.items() for sample in some),
        key=lambda frame: int(frame[1]["time_ns"]),
    )
    replaced = place.exists()
    with whole_file(place) as file:
        _write(file, telemetry, frames)
    return Saved(place, len(frames), "frames", replaced)


def _require_pcapng(path: str | os.PathLike[str]) -> None:
    try:
        import pcapng  # noqa: F401, PLC0415 - not everyone's
    except ImportError as error:
        raise ConfigurationError(
            f"can't save as {os.fspath(path)!r}: pcapng needs python-pcapng, which can't be "
            f"imported ({error}). `pip install python-pcapng`, or save as .csv."
        ) from error


def _write(file: BinaryIO, telemetry: Telemetry, frames: Iterable[tuple[int, Any]]) -> None:
    from pcapng import FileWriter  # noqa: PLC0415 - not everyone's
    from pcapng.blocks import SectionHeader  # noqa: PLC0415

    section = SectionHeader(options={"shb_userappl": f"xdplab {version('xdplab')}"})
    names = list(dict.fromkeys(telemetry.interfaces))
    frames = list(frames)
    payload = any(sample["flags"] & SAMPLE_PAYLOAD for _, sample in frames)  # all have one path
    for name in names:
        _add_interface(section, name, telemetry, payload)
    writer = FileWriter(file, section)
    frame_block = _frame_block()
    for worker, sample in frames:
        high, low = divmod(int(sample["time_ns"]) + telemetry.realtime_offset_ns, 1 << 32)
        block = section.new_member(
            frame_block,
            interface_id=names.index(telemetry.interfaces[worker]),
            timestamp_high=high,
            timestamp_low=low,
            packet_len=int(sample["length"]),
            packet_data=sample["bytes"][: sample["captured"]].tobytes(),
            options={
                "epb_flags": _INBOUND,
                "epb_queue": int(sample["queue"]),
                "opt_comment": what_is_known_of(worker, sample),
            },
        )
        writer.write_block(block)


def _add_interface(
    section: Any,
    name: str,
    telemetry: Telemetry,
    payload: bool,
) -> None:
    from pcapng.blocks import InterfaceDescription  # noqa: PLC0415
    from pcapng.structs import TYPE_BYTES  # noqa: PLC0415

    block = section.new_member(
        InterfaceDescription,
        link_type=_LINKTYPE_USER0 if payload else _LINKTYPE_ETHERNET,
        snaplen=int(telemetry.header["sample_bytes"]),
        options={"if_tsresol": bytes([_NANOSECONDS])},
    )
    # python-pcapng gives this option no type, and warns of its own doing so.
    known = block.options.schema
    known[_TIME_RESOLUTION] = known[_TIME_RESOLUTION]._replace(ftype=TYPE_BYTES)
    if name:
        block.options["if_name"] = name
    if telemetry.header["simulated"]:
        block.options["if_description"] = "simulated"


def _frame_block() -> type:
    """Return python-pcapng's block of a frame; python-pcapng itself can't write an empty one."""
    from pcapng.blocks import EnhancedPacket  # noqa: PLC0415
    from pcapng.structs import RawBytes  # noqa: PLC0415

    class Frame(EnhancedPacket):  # type: ignore[misc]
        schema: ClassVar = [
            (name, RawBytes(0) if name == "packet_data" else field, default)
            for name, field, default in EnhancedPacket.schema
        ]

    return Frame


def what_is_known_of(worker: int, sample: Any) -> str:
    """Return a sampled frame's verdict, its number, and its times and hash where it has them."""
    flags, device_ns = int(sample["flags"]), int(sample["device_time_ns"])
    known = [f"{VERDICTS[sample['verdict']]}: frame {sample['frame']} of worker {worker}"]
    if flags & SAMPLE_PAYLOAD:
        known.append("payload only: its headers stayed in the kernel")
    if sample["sent_ns"]:
        known.append(f"{int(sample['time_ns']) - int(sample['sent_ns'])} ns after it was sent")
    if flags & SAMPLE_HASH:
        known.append(f"RX hash 0x{sample['hash']:08x}")
    if flags & SAMPLE_DEVICE_TIME:
        known.append(f"{device_ns} ns by the device's clock")
    if flags & SAMPLE_PROGRAM_TIME:
        known.append(f"{int(sample['time_ns']) - device_ns} ns after the XDP program")
    return "; ".join(known)
