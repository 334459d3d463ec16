"""A batch of received packets: descriptors, and the memory that their bytes lie in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xdplab import fields
from xdplab.capture.area import Area, Bytes, Frames, stacked
from xdplab.capture.from_device import FromDevice
from xdplab.capture.loan import FrameLoan, Indices
from xdplab.capture.where import where
from xdplab.core.checks import shown
from xdplab.core.errors import ConfigurationError
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted
from xdplab.fields.reading import values_of
from xdplab.fields.table import field_of
from xdplab.native import lib

Times = npt.NDArray[np.int64]
"""Nanoseconds since the epoch, one a packet."""

if TYPE_CHECKING:
    from pandas import DataFrame
    from scapy.packet import Packet

    from xdplab.core.files import Saved


class Batch(Tabled, FromDevice):
    """Packets that were received together, oldest first.

    It is made of UMEM: nothing is copied. Its frames go back to the fill ring when the next batch
    is received from the same queue, unless they were kept; after that, using it is an error. Arrays
    and memoryviews that it gave stay right even then: their frames stay out of circulation as long
    as one of them lives.

    ``batch["ipv4.src"]`` is a header field of all packets, masked where a packet lacks it, and can
    be set: ``batch["ipv4.ttl"] -= 1`` (`xdplab.FIELDS`; checksums stay right). ``batch[3]`` is a
    packet, as a memoryview. ``batch[10:20]``, ``batch[mask]`` and a list of
    numbers make a batch of some of the packets, without copying them.

    With `Memory.multi_buffer` a long packet fills several frames, and each is an element. Its
    fields are those of the first, and masked in the others; who chooses one of them chooses all.
    """

    def __init__(
        self, loan: FrameLoan, times_ns: int | Times, queue: int, index: Indices | None = None
    ) -> None:
        self._loan, self._index = loan, index
        self._times_ns, self._queue = times_ns, queue

    def __len__(self) -> int:
        return len(self._loan.frames) if self._index is None else len(self._index)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return values_of(field_of(key), self._area.array, self._frames)
        if isinstance(key, int | np.integer):
            return self._packet(int(key))
        return Batch(self._loan, self._times_ns, self._queue, self._chosen(key))

    def __setitem__(self, name: str, values: Any) -> None:
        if not isinstance(name, str):
            raise ConfigurationError(
                f"batch[{shown(name)}] = ...: fields are set by name, as in "
                'batch["ipv4.ttl"] = 64, and bytes in batch.frames or in one packet, batch[3].'
            )
        fields.write(name, self._area.array, self._frames, values)

    def swap(self, *headers: str) -> None:
        """Exchange source and destination in headers, as an answer has them.

        Parameters
        ----------
        headers
            Of ``"eth"``, ``"ipv4"``, ``"ipv6"``, ``"udp"`` and ``"tcp"``. Packets without such a
            header are left as they are.

        Raises
        ------
        ConfigurationError
            For another header.
        """
        for header in headers:
            fields.swap(header, self._area.array, self._frames)

    def where(self, condition: str) -> Batch:
        """Choose the packets that meet a condition on their fields, without copying them.

        Parameters
        ----------
        condition
            Such as ``"udp.dport == 53 and ipv4.src in 198.18.0.0/15"``: comparisons of fields
            (`xdplab.FIELDS`) with numbers and addresses, joined by ``and``, ``or``, ``not``;
            ``in`` for several values or a network; ``tcp.flags & 2`` for some bits. A field or a
            protocol alone holds where the packet has it.

        Returns
        -------
        Batch
            The packets that meet it.

        Raises
        ------
        ConfigurationError
            For what is no such condition.
        """
        mask = where(condition, self.__getitem__, len(self))
        return Batch(self._loan, self._times_ns, self._queue, self._chosen(mask))

    def __iter__(self) -> Iterator[memoryview]:
        return (self._packet(number) for number in range(len(self)))

    @property
    def lengths(self) -> npt.NDArray[np.uint32]:
        """Bytes of each packet, shape (n,), uint32."""
        return np.ascontiguousarray(self._frames["length"])

    @property
    def options(self) -> npt.NDArray[np.uint32]:
        """Options of each descriptor, shape (n,), uint32: 1 where the next frame continues it."""
        return np.ascontiguousarray(self._frames["options"])

    @property
    def timestamps(self) -> Times:
        """When each packet was taken from the RX ring, shape (n,), int64: ns since the epoch."""
        if isinstance(self._times_ns, int):
            return np.full(len(self), self._times_ns, np.int64)
        return self._times_ns.copy() if self._index is None else self._times_ns[self._index]

    @property
    def queues(self) -> npt.NDArray[np.uint32]:
        """The receive queue of each packet, shape (n,), uint32."""
        return np.full(len(self), self._queue, np.uint32)

    @property
    def frames(self) -> Bytes:
        """Bytes of all packets, shape (n, room), uint8: a row each, from its first byte on.

        Beyond the packet's length, a row has what was there before. A view of UMEM, that can be
        written to, if the frames are evenly spaced, as they are in most batches; else, and with
        packets of unlike places in their frames, a copy that can't be written to: take the packets
        one by one there.
        """
        addresses = self._frames["address"].astype(np.int64)
        room = self._room(addresses)
        if len(addresses) == 0:
            return np.empty((0, 0), np.uint8)
        stride = int(addresses[1] - addresses[0]) if len(addresses) > 1 else self._area.frame_size
        if stride > 0 and np.all(np.diff(addresses) == stride):
            return np.ndarray(
                (len(addresses), room),
                np.uint8,
                buffer=self._loan.window(),
                offset=int(addresses[0]),
                strides=(stride, 1),
            )
        copied: Bytes = self._area.array[addresses[:, None] + np.arange(room)]
        copied.flags.writeable = False
        return copied

    def copy(self) -> Batch:
        """Copy the packets: the copy is independent of the capture, for good."""
        places, memory = self._frames, self._area.array
        area, frames = stacked(
            [memory[begin : begin + length] for begin, length, _ in places.tolist()]
        )
        frames["options"] = places["options"]
        loan = FrameLoan(area, frames, None)
        if self._area.metadata or self._loan.metadata is not None:
            loan.metadata = self._metadata()
        return Batch(loan, self._times, self._queue)

    def keep(self) -> Batch:
        """Hold on to the frames when the next batch is received; return a batch of them.

        Until it is released or forgotten, the fill ring has fewer frames: a capture whose user
        keeps too many loses packets, and the ledger says so.
        """
        if self._index is None:
            self._loan.check()
            self._loan.kept = True
            return self
        times = self._times
        loan = self._loan.apart(self._index)
        loan.kept = True
        return Batch(loan, times, self._queue)

    def release(self) -> None:
        """Let the frames go back to the fill ring now. A second call does nothing."""
        self._loan.release(self._index)

    def to_scapy(self) -> list[Packet]:
        """Copy the packets into scapy's; those of several frames are joined.

        Returns
        -------
        list of scapy.layers.l2.Ether
        """
        from scapy.layers.l2 import Ether  # noqa: PLC0415 - it takes half a second to import

        return [Ether(packet) for packet in self._whole()]

    def to_frame(self, *names: str) -> DataFrame:
        """Copy fields into a table of pandas, a row a packet.

        Parameters
        ----------
        names
            Fields (`xdplab.FIELDS`); by default addresses, protocol and ports.

        Returns
        -------
        pandas.DataFrame
            ``time`` (UTC), ``length`` (bytes), ``queue``, and a column a field: numbers, which are
            missing where a packet lacks the field, and addresses as text.

        Raises
        ------
        ConfigurationError
            For a field that does not exist.
        """
        from xdplab.capture.frame import frame_of  # noqa: PLC0415 - pandas takes half a second

        return frame_of(self, names)

    def to_pcapng(self, path: str | os.PathLike[str]) -> Saved:
        """Append the packets, whole, to a pcapng file; those of several frames are joined.

        Parameters
        ----------
        path
            Ending in ``.pcapng``: of such a file, or of a new one. Each call adds a section.

        Returns
        -------
        Saved
            Where, and how many packets this call added.

        Raises
        ------
        ConfigurationError
            For a place that is no regular file, or a file that is no pcapng file.
        KernelError
            When it can't be written; what was in the file stays.
        """
        from xdplab.capture.pcapng import append  # noqa: PLC0415 - not needed to receive

        return append(path, self)

    def _whole(self) -> Iterator[bytes]:
        """Give the bytes of each packet, all its frames together."""
        parts: list[memoryview] = []
        for packet, options in zip(self, self.options, strict=True):
            parts.append(packet)
            if not options & lib.XDPLAB_FRAME_CONTINUES:
                yield b"".join(parts)
                parts.clear()
        if parts:
            yield b"".join(parts)

    @property
    def _times(self) -> int | Times:
        return self._times_ns if isinstance(self._times_ns, int) else self.timestamps

    @property
    def _area(self) -> Area:
        return self._loan.area

    @property
    def _frames(self) -> Frames:
        self._loan.check(self._index)
        frames = self._loan.frames
        return frames if self._index is None else frames[self._index]

    def _room(self, addresses: npt.NDArray[np.int64]) -> int:
        """Return the bytes from a packet's first to the end of its frame, of the least one."""
        size = self._area.frame_size
        return int((size - addresses % size).min(initial=size))

    def _packet(self, number: int) -> memoryview:
        if not -len(self) <= number < len(self):
            raise IndexError(f"batch[{number}]: it has {counted(len(self), 'packet')}.")
        frame = self._frames[number]
        packet: Any = np.ndarray(
            (int(frame["length"]),),
            np.uint8,
            buffer=self._loan.window(),
            offset=int(frame["address"]),
        )
        return memoryview(packet)

    def _chosen(self, key: Any) -> Indices:
        index = np.arange(len(self._loan.frames)) if self._index is None else self._index
        try:
            chosen = index[np.ma.filled(key, False) if isinstance(key, np.ma.MaskedArray) else key]
        except (IndexError, TypeError, ValueError):
            chosen = None
        if not isinstance(chosen, np.ndarray) or chosen.ndim != 1:
            raise ConfigurationError(
                f"batch[{shown(key)}]: give a number, a slice, a list of numbers, or an array of "
                f"{len(self)} booleans."
            )
        if len(np.unique(chosen)) < len(chosen):
            raise ConfigurationError(
                f"batch[{shown(key)}] has a packet twice, and its frame can go back only once. "
                "Take each packet once; batch.copy() can be had as often as you like."
            )
        return _whole_packets(self._loan.frames, chosen)

    def _brief(self) -> str:
        return f"<Batch of {counted(len(self), 'packet')} of queue {self._queue}>"

    def _table(self) -> Table:
        return Table(self._brief())


def _whole_packets(frames: Frames, chosen: Indices) -> Indices:
    """Complete what was chosen: to read fields, and to send, takes all frames of a packet."""
    continues = (frames["options"] & lib.XDPLAB_FRAME_CONTINUES).astype(bool)
    if not continues.any():
        return chosen
    begins = np.flatnonzero(~np.concatenate(([False], continues[:-1])))
    numbers = np.searchsorted(begins, chosen, "right") - 1
    _, first = np.unique(numbers, return_index=True)
    parts = np.split(np.arange(len(frames)), begins[1:])
    return np.concatenate([parts[number] for number in numbers[np.sort(first)]] or [chosen])
