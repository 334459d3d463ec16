"""Memory that frames lie in: an engine's UMEM, or a copy."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xdplab.native import ffi, lib
from xdplab.native.records import FRAME

Bytes = npt.NDArray[np.uint8]
Frames = npt.NDArray[Any]


class Area:
    """Frames of one size, side by side.

    Parameters
    ----------
    array
        The memory, as bytes.
    frame_size
        Bytes of a frame.
    memory
        What keeps it mapped, if Python does not.
    metadata
        Whether the XDP program wrote what the device knew in front of each packet.
    """

    def __init__(
        self, array: Bytes, frame_size: int, memory: Any = None, *, metadata: bool = False
    ) -> None:
        self.array, self.frame_size, self._memory = array, frame_size, memory
        self.metadata = metadata
        self.is_of_parent = False
        """Whether the process that has it forked this one, where nothing is mapped there."""

    @classmethod
    def of_engine(cls, engine: Any, frame_size: int, *, metadata: bool) -> Area:
        """Return an engine's UMEM. It stays mapped as long as this, a window, or an array of it."""
        memory = ffi.gc(lib.xdplab_capture_memory(engine), lib.xdplab_memory_let_go)
        array = np.frombuffer(_window(memory), np.uint8)
        area = cls(array, frame_size, memory, metadata=metadata)
        _of_engines.add(area)
        return area

    def window(self) -> Any:
        """Return a new buffer over the whole, which lives as long as it or an array made of it."""
        array: Any = self.array
        return memoryview(array) if self._memory is None else _window(self._memory)


_of_engines: weakref.WeakSet[Area] = weakref.WeakSet()


def _forked() -> None:
    for area in _of_engines:
        area.is_of_parent = True


os.register_at_fork(after_in_child=_forked)


def stacked(packets: Sequence[Any]) -> tuple[Area, Frames]:
    """Copy packets, each bytes-like, into frames of their longest's size; say where they lie."""
    frames = np.zeros(len(packets), FRAME)
    frames["length"] = [len(packet) for packet in packets]
    width = max(int(frames["length"].max(initial=0)), 1)
    frames["address"] = np.arange(len(packets)) * width
    rows = np.zeros((len(packets), width), np.uint8)
    for row, packet in zip(rows, packets, strict=True):
        row[: len(packet)] = np.frombuffer(packet, np.uint8)
    return Area(rows.reshape(-1), width), frames


def _window(memory: Any) -> Any:
    # The buffer keeps the pointer, and the pointer's destructor the memory.
    first = ffi.gc(lib.xdplab_memory_bytes(memory), lambda _pointer, _memory=memory: None)
    return ffi.buffer(first, lib.xdplab_memory_size(memory))
