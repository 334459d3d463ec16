"""Packets that a user gives to be sent, checked, in one piece of memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from xdplab.capture.area import Bytes, Frames
from xdplab.capture.batch import Batch
from xdplab.core.checks import is_a, items, shown
from xdplab.core.errors import ConfigurationError
from xdplab.native.records import FRAME

_ETHERNET_HEADER = 14
_MOST = 1 << 20  # packets
_WANTED = "a list of bytes, a uint8 array of shape (n, bytes), or a Batch"


class Outgoing(NamedTuple):
    """Packets to be sent."""

    bytes: Bytes
    frames: Frames
    """Where each lies in the bytes."""

    @classmethod
    def of(cls, packets: object, longest: int) -> Outgoing:
        """Check packets and lay them out.

        Parameters
        ----------
        packets
            As for `Receiver.send`.
        longest
            Bytes of the longest that can be sent.

        Raises
        ------
        ConfigurationError
            For what is no packet; for one that is too short or too long, by its place.
        """
        if is_a(packets, Batch):
            outgoing = cls(packets._area.array, packets._frames)
        elif is_a(packets, np.ndarray):
            outgoing = cls._of_array(packets)
        else:
            outgoing = cls._of_items(packets)
        lengths = outgoing.frames["length"]
        for bad in np.flatnonzero((lengths < _ETHERNET_HEADER) | (lengths > longest))[:1]:
            raise ConfigurationError(
                f"packets[{bad}] has {lengths[bad]:,} bytes: a frame has {_ETHERNET_HEADER} "
                f"(its Ethernet header) to {longest:,}, as frame_size allows."
            )
        return outgoing

    @classmethod
    def _of_array(cls, packets: Any) -> Outgoing:
        if packets.dtype != np.uint8 or packets.ndim != 2:
            raise ConfigurationError(
                f"packets is an array of {packets.dtype} with {packets.ndim} dimensions. "
                f"Give {_WANTED}."
            )
        count, width = packets.shape
        frames = np.zeros(count, FRAME)
        frames["address"] = np.arange(count) * width
        frames["length"] = width
        return cls(np.ascontiguousarray(packets).reshape(-1), frames)

    @classmethod
    def _of_items(cls, packets: object) -> Outgoing:
        given = items("packets", packets, "frames as bytes; one alone: [packet]", _MOST)
        parts = []
        for number, packet in enumerate(given):
            try:
                view = memoryview(packet)
                parts.append(bytes(view))
            except Exception:  # raised by the packet, or TypeError where it has no bytes
                raise ConfigurationError(
                    f"packets[{number}]={shown(packet)} is not bytes. A packet of scapy's: "
                    "bytes(packet)."
                ) from None
            if view.itemsize != 1:  # numbers, whose own bytes would be sent
                raise ConfigurationError(
                    f"packets[{number}] has items of {view.itemsize} bytes each, and must be bytes "
                    "or an array of uint8."
                )
        frames = np.zeros(len(parts), FRAME)
        frames["length"] = [len(part) for part in parts]
        frames["address"] = np.cumsum(frames["length"]) - frames["length"]
        return cls(np.frombuffer(b"".join(parts), np.uint8), frames)
