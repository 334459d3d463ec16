"""Batches: the numbers that a generator's frames carry, and batches of given packets."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import numpy as np

from xdplab import Capture
from xdplab.capture.area import Area
from xdplab.capture.batch import Batch
from xdplab.capture.loan import FrameLoan
from xdplab.capture.outgoing import Outgoing

_NUMBER = 42 + 2  # bytes: behind Ethernet, IPv4, UDP and the magic (native/include/traffic.h)


def numbers(batch: Batch) -> list[int]:
    """Return the sequence number of each packet, all of which must be a generator's."""
    return [
        int.from_bytes(packet[_NUMBER : _NUMBER + 8], "little")
        for packet in batch
        if packet[12:14] == b"\x08\x00"
    ]


def arrived(capture: Capture) -> int:
    """Return how many packets the kernel has put into the RX ring so far."""
    capture.refresh()
    return int(capture.telemetry.total()["rx_producer"])


def consecutive(found: Iterable[int], count: int) -> bool:
    """Tell whether these are the numbers from 0, in order."""
    return bool(np.array_equal(list(found), np.arange(count)))


def batch_of(packets: Sequence[bytes]) -> Batch:
    """Make a batch of packets that nobody received."""
    outgoing = Outgoing.of(packets, 1 << 16)
    area = Area(outgoing.bytes.copy(), 1 << 16)
    return Batch(FrameLoan(area, outgoing.frames, None), time.time_ns(), 0)
