"""The dtypes of a telemetry region, built from ``native/include/telemetry.h`` at import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from xdplab.native import ffi, lib

_PADDING = "padding"

SAMPLE_HASH: int = lib.XDPLAB_SAMPLE_HASH
SAMPLE_DEVICE_TIME: int = lib.XDPLAB_SAMPLE_DEVICE_TIME
SAMPLE_PROGRAM_TIME: int = lib.XDPLAB_SAMPLE_PROGRAM_TIME
"""Flags of a sample: which of its fields are valid."""

SAMPLE_PAYLOAD: int = lib.XDPLAB_SAMPLE_PAYLOAD
"""Flag of a sample whose bytes are a datagram's payload without its headers: no Ethernet frame."""

Records = npt.NDArray[Any]


def names_of(enum: str, prefix: str) -> tuple[str, ...]:
    """Return the names of a C enum that counts from 0, without their prefix, in small letters."""
    elements = ffi.typeof(f"enum {enum}").elements
    return tuple(elements[number].removeprefix(prefix).lower() for number in range(len(elements)))


def names_in(table: Callable[[int], Any]) -> tuple[str, ...]:
    """Return the names in a native table, which gives NULL past the last."""
    names: list[str] = []
    while name := table(len(names)):
        names.append(ffi.string(name).decode())
    return tuple(names)


VERDICTS = names_of("xdplab_verdict", "XDPLAB_VERDICT_")
"""Names of verdicts, by the number in a sample's ``verdict``."""

HANDLED = names_of("xdplab_handled", "XDPLAB_HANDLED_")
"""What became of packets that a handler was called for, in the order of a record's ``handled``."""

SYSCALLS = names_of("xdplab_syscall", "XDPLAB_SYSCALL_")
"""Kinds of system call, in the order of a record's ``syscalls``. ``publish`` counts those of
telemetry itself, ``settings`` those of a wait strategy on the socket when it is chosen or left."""

ELEMENTS: Mapping[str, tuple[str, ...]] = {"syscalls": SYSCALLS, "handled": HANDLED}
"""Names of the elements of arrays in a record, where they stand for something."""


def dtype_of(ctype: Any) -> np.dtype[Any]:
    """Build the numpy dtype of a C type, field by field, at the offsets that the compiler chose."""
    if ctype.kind == "array":
        return np.dtype((dtype_of(ctype.item), (ctype.length,)))
    if ctype.kind == "struct":
        fields = [(name, field) for name, field in ctype.fields if name != _PADDING]
        return np.dtype(
            {
                "names": [name for name, _ in fields],
                "formats": [dtype_of(field.type) for _, field in fields],
                "offsets": [field.offset for _, field in fields],
                "itemsize": ffi.sizeof(ctype),
            }
        )
    sign = "i" if int(ffi.cast(ctype, -1)) < 0 else "u"
    return np.dtype(f"{sign}{ffi.sizeof(ctype)}")


HEADER = dtype_of(ffi.typeof("struct xdplab_header"))
"""The region's header: sizes, clock base (both clocks in ns), publish interval (ns)."""

CONTROL = dtype_of(ffi.typeof("struct xdplab_control"))
"""A worker's knobs as they are set."""

COUNTERS = dtype_of(ffi.typeof("struct xdplab_counters"))
"""A record: all counts of a worker since its engine was opened, at one moment (``time_ns``)."""

RINGS = dtype_of(ffi.typeof("struct xdplab_rings"))
"""The contents of a worker's rings, entry by entry."""

RECORD = dtype_of(ffi.typeof("struct xdplab_record"))
"""A place in a history ring: a sequence number, and the record."""

SAMPLE = dtype_of(ffi.typeof("struct xdplab_sample"))
"""A place in the sample ring, without the frame's bytes, which follow it."""

FRAME = dtype_of(ffi.typeof("struct xdplab_frame"))
"""A frame in an area of memory: ``address`` from the area's begin, ``length`` and ``options``."""

METADATA = dtype_of(ffi.typeof("struct xdplab_metadata"))
"""What the device knew of a packet: ``flags`` says which fields are valid."""


def sample_dtype(captured: int, stride: int) -> np.dtype[Any]:
    """Build the dtype of a region's samples, each with its frame's bytes.

    Parameters
    ----------
    captured
        Bytes kept of a frame.
    stride
        Bytes from one sample to the next.
    """
    fields: Mapping[str, Any] = SAMPLE.fields or {}
    return np.dtype(
        {
            "names": [*fields, "bytes"],
            "formats": [*(SAMPLE[name] for name in fields), (np.uint8, (captured,))],
            "offsets": [*(offset for _, offset, *_ in fields.values()), SAMPLE.itemsize],
            "itemsize": stride,
        }
    )
