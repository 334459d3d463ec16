"""Batches as a pcapng file, whole packets, at the speed of the disk.

Format: draft-ietf-opsawg-pcapng. A file may have several sections, so that appending needs to know
nothing of what is there.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xdplab.core.checks import shown
from xdplab.core.errors import ConfigurationError
from xdplab.core.files import Saved, place_of, refused
from xdplab.native import ffi, lib

if TYPE_CHECKING:
    from xdplab.capture.batch import Batch

_SECTION, _INTERFACE, _BYTE_ORDER = 0x0A0D0D0A, 1, 0x1A2B3C4D
_ETHERNET = 1  # LINKTYPE_ETHERNET
_USER_APPLICATION, _TIME_RESOLUTION, _END = 4, 9, 0  # options
_NANOSECONDS = 9  # 10^-9 s


class PcapngWriter:
    """Writes batches as a section of a file.

    Parameters
    ----------
    write
        Writes bytes, all of them.
    """

    def __init__(self, write: Callable[[Any], object]) -> None:
        self._write = write
        self.packets = 0
        """Packets written."""
        application = _option(_USER_APPLICATION, f"xdplab {version('xdplab')}".encode())
        unknown_length = -1
        write(
            _block(_SECTION, struct.pack("=IHHq", _BYTE_ORDER, 1, 0, unknown_length) + application)
        )
        resolution = _option(_TIME_RESOLUTION, bytes([_NANOSECONDS]))
        write(_block(_INTERFACE, struct.pack("=HHI", _ETHERNET, 0, 0) + resolution))

    def write(self, batch: Batch) -> None:
        """Write a batch's packets.

        Parameters
        ----------
        batch
            The batch.
        """
        frames, times = np.ascontiguousarray(batch._frames), batch.timestamps
        pointer = ffi.from_buffer("struct xdplab_frame[]", frames)
        count = len(frames)
        blocks = np.empty(lib.xdplab_pcapng_size(pointer, count), np.uint8)
        lib.xdplab_pcapng_write(
            ffi.from_buffer("uint8_t[]", batch._area.array),
            pointer,
            ffi.from_buffer("int64_t[]", times),
            count,
            ffi.from_buffer("uint8_t[]", blocks),
        )
        self._write(blocks.data)
        self.packets += int(np.count_nonzero(~frames["options"] & lib.XDPLAB_FRAME_CONTINUES))


def append(path: str | os.PathLike[str], batch: Batch) -> Saved:
    """Implement `Batch.to_pcapng`."""
    place, content = place_of(path), io.BytesIO()
    if place.suffix != ".pcapng":
        raise ConfigurationError(f"path={shown(os.fspath(path))} must end in .pcapng.")
    writer = PcapngWriter(content.write)
    writer.write(batch)
    try:
        with place.open("ab", buffering=0) as file:
            begin = file.tell()
            _check(place, begin)
            try:
                left = content.getbuffer()
                while left:
                    left = left[file.write(left) :]
            except BaseException:  # an interrupt, too: no half of a block stays
                os.ftruncate(file.fileno(), begin)
                raise
    except OSError as error:
        raise refused(place, error) from error
    return Saved(place, writer.packets, "packets")


def _check(place: Path, size: int) -> None:
    if not size:
        return
    with place.open("rb") as file:
        if file.read(4) != struct.pack("<I", _SECTION):
            raise ConfigurationError(
                f"{place} is no pcapng file, to which packets could be appended. Give the name of "
                "one, or a new name."
            )


def _option(code: int, value: bytes) -> bytes:
    padded = value + bytes(-len(value) % 4)
    return struct.pack("=HH", code, len(value)) + padded + struct.pack("=HH", _END, 0)


def _block(kind: int, body: bytes) -> bytes:
    size = len(body) + 12
    return struct.pack("=II", kind, size) + body + struct.pack("=I", size)
