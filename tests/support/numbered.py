"""Frames of xdplab's generators, by the number that each carries."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from xdplab.capture.batch import Batch

_NUMBER = 42 + 2  # bytes: behind Ethernet, IPv4, UDP and the magic (native/include/traffic.h)


def numbers(batch: Batch) -> list[int]:
    """Return the sequence number of each packet, all of which must be a generator's."""
    return [
        int.from_bytes(packet[_NUMBER : _NUMBER + 8], "little")
        for packet in batch
        if packet[12:14] == b"\x08\x00"
    ]


def consecutive(found: Iterable[int], count: int) -> bool:
    """Tell whether these are the numbers from 0, in order."""
    return bool(np.array_equal(list(found), np.arange(count)))
