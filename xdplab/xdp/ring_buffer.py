"""The ring buffers of a loaded XDP program: records that it sends to Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xdplab.core.checks import shown, text
from xdplab.core.errors import ConfigurationError, KernelError
from xdplab.core.locks import new_lock
from xdplab.native import ffi, lib
from xdplab.programs.described import Described
from xdplab.programs.dtypes import DType
from xdplab.programs.maps import MapFacts
from xdplab.refusals.errors import new_error, raise_error
from xdplab.xdp.maps import Map
from xdplab.xdp.records import Records, longest_wait

_AT_ONCE = 4096  # records; native/xdp/ring_buffer.c


class RingBuffer(Map):
    """A ring buffer of a loaded program: records that it sends, each of them read once.

    A record that found no room is lost. Only the program sees that, where bpf_ringbuf_reserve or
    bpf_ringbuf_output fails; let it count them in a global variable, ``program.variables["lost"]``.

    Attributes
    ----------
    entries
        Bytes of the ring.
    """

    def __init__(
        self, facts: MapFacts, descriptor: int, dtypes: tuple[DType, DType], described: Described
    ) -> None:
        super().__init__(facts, descriptor, *dtypes)
        self._described = described
        self._ring: Any = None
        self._lock = new_lock()

    def records(
        self,
        type: str = "",
        *,
        dtype: Any = None,
        timeout: float | None = None,
    ) -> Records:
        """Iterate over records as they come, with ``for`` or ``async for``.

        Parameters
        ----------
        type
            Type of the records, as C calls it: "struct event". The compiler keeps those of maps and
            of variables; ``struct event *unused __attribute__((unused));`` in the source keeps one.
        dtype
            In place of `type`, a dtype of numpy's. Without either, records are bytes.
        timeout
            Iteration ends when no record came for so many seconds, or when the program is closed.
            None waits without a limit.

        Raises
        ------
        ConfigurationError
            When the object file has no such type, or a record is shorter than the type.
        KernelError
            When the kernel does not let this process map the ring.
        """
        longest = longest_wait(timeout)
        chosen = self._dtype(type, dtype)
        return Records(self.fileno, lambda: self._take(chosen), longest)

    def read(
        self,
        type: str = "",
        *,
        dtype: Any = None,
    ) -> npt.NDArray[Any] | list[bytes]:
        """Return the records that wait, up to 4096; parameters and errors are those of `records`.

        Returns
        -------
        numpy.ndarray or list of bytes
            An array of the type, or the bytes of each.
        """
        return self._take(self._dtype(type, dtype))

    def close(self) -> None:
        """Close the descriptor, and let the ring's memory go."""
        with self._lock:
            if self._ring is not None:
                ffi.release(self._ring)
                self._ring = None
            super().close()

    def _take(self, dtype: DType | None) -> npt.NDArray[Any] | list[bytes]:
        with self._lock:
            ring = self._opened()
            count = lib.xdplab_ring_take(ring, _AT_ONCE)
            if count < 0:
                raise KernelError(f"read the ring buffer {self.name}", -count)
            lengths = ffi.unpack(lib.xdplab_ring_lengths(ring), count) if count else []
            data = bytes(ffi.buffer(lib.xdplab_ring_records(ring), sum(lengths)))
        ends = np.cumsum(lengths, dtype=np.int64).tolist()
        if dtype is None:
            return [data[end - size : end] for end, size in zip(ends, lengths, strict=True)]
        size = dtype.itemsize
        if short := [each for each in lengths if each < size]:
            raise ConfigurationError(
                f"a record of {self.name} has {short[0]} bytes, and its type {size}: give the type "
                'that the program sends, records("struct event"), or none for bytes.'
            )
        if any(each > size for each in lengths):  # with more behind it, as `char data[]` is
            begins = (end - length for end, length in zip(ends, lengths, strict=True))
            data = b"".join(data[begin : begin + size] for begin in begins)
        return np.frombuffer(data, dtype)

    def _opened(self) -> Any:
        descriptor = self.fileno()  # or it says that the program was closed
        if self._ring is None:
            error = new_error()
            ring = lib.xdplab_ring_open(descriptor, self.entries, error)
            if not ring:
                raise_error(error)
            self._ring = ffi.gc(ring, lib.xdplab_ring_close)
        return self._ring

    def _dtype(self, name: object, dtype: Any) -> DType | None:
        if dtype is None:
            named = text("type", name)
            return self._described.named(named) if named else None
        if name != "":
            raise ConfigurationError(f"type={shown(name)} and dtype= say the same: give one.")
        try:
            found: DType = np.dtype(dtype)
            good = found.itemsize > 0 and not found.hasobject and found.subdtype is None
        except Exception:  # raised by the value, or TypeError
            good = False
        if not good:
            raise ConfigurationError(
                f"dtype={shown(dtype)} must be a dtype of numpy's, of some bytes and no objects."
            )
        return found
