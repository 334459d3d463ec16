"""Memory that frames lie in: an engine's UMEM, or copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xdplab.native import ffi, lib
from xdplab.native.records import dtype_of

FRAME = dtype_of(ffi.typeof("struct xdplab_frame"))
"""A frame: ``address`` (of its first byte, in the area), ``length`` (bytes) and ``options``
(``XDP_PKT_CONTD``: the next frame continues the packet; linux/if_xdp.h)."""

Bytes = npt.NDArray[np.uint8]
Frames = npt.NDArray[Any]


class Area:
    """Frames of equal size, side by side.

    Parameters
    ----------
    frame_size
        Bytes of a frame.
    array
        Memory of Python's; by default that of an engine.
    """

    def __init__(self, frame_size: int, array: Bytes | None = None) -> None:
        self.frame_size = frame_size
        self.array = np.empty(0, np.uint8) if array is None else array
        self._memory: Any = None

    @classmethod
    def of(cls, engine: Any, frame_size: int) -> Area:
        """Hold an engine's UMEM, which stays mapped as long as this or a window lives."""
        area = cls(frame_size)
        memory = lib.xdplab_capture_memory(engine)
        area._memory = ffi.gc(memory, lib.xdplab_memory_let_go)
        area.array = np.frombuffer(area.window(), np.uint8)
        return area

    def window(self) -> Any:
        """Return a new buffer over the whole; it lives as long as it or an array made of it."""
        if self._memory is None:
            return memoryview(self.array)
        first = _Kept(lib.xdplab_memory_bytes(self._memory), self._memory)
        return ffi.buffer(first.pointer, lib.xdplab_memory_size(self._memory))


class _Kept:
    """A pointer into memory that is held."""

    def __init__(self, pointer: Any, memory: Any) -> None:
        self.pointer = ffi.gc(pointer, lambda _pointer: memory and None)
