"""Frames for the programs of the gallery, and their fields."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from scapy.packet import Packet

from support.packets import packets, placed
from xdplab.fields import read


def value(field: str, frame: bytes, otherwise: Any = 0) -> Any:
    """Return a field of a frame, by the engine's own reader, which scapy's answers prove."""
    found = read(field, *placed([frame]))
    return otherwise if found.mask.all() else found[0].data if found.ndim > 1 else int(found[0])


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Make a frame: whole, cut off, with wrong bytes, or of random bytes."""
    packet: Packet = draw(packets)
    whole = bytearray(bytes(packet))
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        whole[draw(st.integers(12, len(whole) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        del whole[draw(st.integers(14, len(whole))) :]
    return bytes(whole)
