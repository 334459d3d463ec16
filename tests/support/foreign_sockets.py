"""An AF_XDP socket without an engine, for descriptors that no engine writes (linux/if_xdp.h)."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple, Self

from support.waiting import eventually
from xdplab import Host

CONTINUES = 1  # XDP_PKT_CONTD: the next descriptor is of the same packet
_AF_XDP = 44
_SOL_XDP = 283
_MMAP_OFFSETS, _RX_RING, _TX_RING, _UMEM_REG, _FILL_RING, _COMPLETION_RING, _STATISTICS = range(
    1, 8
)
_COPY, _ZERO_COPY, _NEED_WAKEUP, _USE_SG = 2, 4, 8, 16
_UNALIGNED = 1  # XDP_UMEM_UNALIGNED_CHUNK_FLAG
_TX_PAGES = 0x80000000  # XDP_PGOFF_TX_RING
_COMPLETION_PAGES = 0x180000000  # XDP_UMEM_PGOFF_COMPLETION_RING
_FILL_PAGES = 0x100000000  # XDP_UMEM_PGOFF_FILL_RING
_ANONYMOUS, _HUGE, _HUGE_PAGE = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS, 0x40000, 2 << 20
_RING = 64
_DESCRIPTOR = struct.Struct("=QII")  # address, length, options
_LATER = {errno.EAGAIN, errno.EBUSY, errno.ENOBUFS}
_libc = ctypes.CDLL(None, use_errno=True)


class Statistics(NamedTuple):
    """What the kernel counts of a socket: struct xdp_statistics."""

    rx_dropped: int
    rx_invalid_descs: int
    tx_invalid_descs: int
    rx_ring_full: int
    rx_fill_ring_empty_descs: int
    tx_ring_empty_descs: int


class ForeignSender:
    """A socket on queue 0 that sends, with a UMEM of its own. To be used by ``with``.

    Parameters
    ----------
    host
        Whose interface it is on.
    zero_copy
        Whether it is to be bound so.
    frame_size, count
        Of the UMEM: bytes of a frame, and frames.
    unaligned
        Whether a frame may begin anywhere.
    several
        Whether a packet may have several descriptors.
    huge
        Whether the UMEM is in a huge page, so that a driver takes frames across pages.
    """

    def __init__(
        self,
        host: Host,
        *,
        zero_copy: bool = False,
        frame_size: int = 4096,
        count: int = 128,
        unaligned: bool = False,
        several: bool = False,
        huge: bool = False,
    ) -> None:
        self.size = frame_size * count
        """Bytes of its UMEM."""
        memory = (_HUGE_PAGE, _ANONYMOUS | _HUGE) if huge else (self.size, _ANONYMOUS)
        self.memory = mmap.mmap(-1, *memory)
        """Its UMEM; pages of its second half, but for the last, are for what comes."""
        self._socket = host.socket(_AF_XDP, socket.SOCK_RAW)
        self._queued = 0
        try:
            self._register(frame_size, unaligned)
            for ring in (_FILL_RING, _COMPLETION_RING, _TX_RING):
                self._socket.setsockopt(_SOL_XDP, ring, _RING)
            offsets = struct.unpack("=16Q", self._socket.getsockopt(_SOL_XDP, _MMAP_OFFSETS, 128))
            self._tx = _Ring(self._socket, _TX_PAGES, offsets[4:8], _DESCRIPTOR.size)
            self._completion = _Ring(self._socket, _COMPLETION_PAGES, offsets[12:16], 8)
            wished = _ZERO_COPY if zero_copy else _COPY
            self._fill(offsets[8:12], frame_size * count)
            self._bind(host, _NEED_WAKEUP | wished | (_USE_SG if several else 0))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def queue(self, descriptors: Sequence[tuple[int, int, int]]) -> None:
        """Put descriptors into the TX ring: address, length and options of each."""
        assert self._queued + len(descriptors) - self._tx.consumer <= _RING
        for address, length, options in descriptors:
            self._tx.put(self._queued, _DESCRIPTOR.pack(address % (1 << 64), length, options))
            self._queued += 1
        self._tx.produce(self._queued)

    def kick(self) -> int:
        """Ask the kernel once to send, and return how many descriptors it has taken by then."""
        before = self.taken
        try:
            self._socket.send(b"", socket.MSG_DONTWAIT)
        except OSError as error:
            if error.errno not in _LATER:
                raise
        self._completion.consume_all()
        return self.taken - before

    def send(self, descriptors: Sequence[tuple[int, int, int]]) -> None:
        """Queue descriptors, and ask the kernel until it has taken them all."""
        self.queue(descriptors)
        assert eventually(lambda: self.kick() >= 0 and self.taken == self._queued)

    @property
    def taken(self) -> int:
        """Descriptors that the kernel has taken from the TX ring."""
        return self._tx.consumer

    @property
    def statistics(self) -> Statistics:
        """What the kernel has counted."""
        return Statistics._make(
            struct.unpack("=6Q", self._socket.getsockopt(_SOL_XDP, _STATISTICS, 48))
        )

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _register(self, frame_size: int, unaligned: bool) -> None:
        place = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        flags = _UNALIGNED if unaligned else 0
        wanted = struct.pack("=QQIIII", place, self.size, frame_size, 0, flags, 0)
        self._socket.setsockopt(_SOL_XDP, _UMEM_REG, wanted)

    def _fill(self, offsets: Sequence[int], size: int) -> None:
        """Give the driver frames for what the stack is sent: the pages of the second half."""
        ring = _Ring(self._socket, _FILL_PAGES, offsets, 8)
        pages = range(size // 2 // mmap.PAGESIZE + 1, size // mmap.PAGESIZE - 1)
        for number, page in enumerate(pages[:_RING]):
            ring.put(number, struct.pack("=Q", page * mmap.PAGESIZE))
        ring.produce(min(len(pages), _RING))
        self._filling = ring

    def _bind(self, host: Host, flags: int) -> None:
        name = host.interface.name
        index = host.run(socket.if_nametoindex, name)
        address = struct.pack("=HHIII", _AF_XDP, flags, index, 0, 0)
        code = 0

        def bound() -> bool:
            nonlocal code
            done = _libc.bind(self._socket.fileno(), address, len(address))
            code = ctypes.get_errno() if done else 0
            return code != errno.EBUSY  # by a socket that was closed just now

        eventually(bound)
        if code:
            raise OSError(code, os.strerror(code), f"{name} queue 0")


class _Ring:
    """A ring that the kernel shares."""

    def __init__(self, of: socket.socket, pages: int, offsets: Sequence[int], entry: int) -> None:
        self._producer, self._consumer, self._entries, _flags = offsets
        self._entry = entry
        self._memory = mmap.mmap(of.fileno(), self._entries + _RING * entry, offset=pages)

    @property
    def consumer(self) -> int:
        return self._word(self._consumer).value

    def put(self, number: int, entry: bytes) -> None:
        place = self._entries + number % _RING * self._entry
        self._memory[place : place + self._entry] = entry

    def produce(self, number: int) -> None:
        self._word(self._producer).value = number

    def consume_all(self) -> None:
        self._word(self._consumer).value = self._word(self._producer).value

    def _word(self, place: int) -> ctypes.c_uint32:
        return ctypes.c_uint32.from_buffer(self._memory, place)
