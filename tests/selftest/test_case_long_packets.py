"""Packets of several UMEM frames, there and back."""

from __future__ import annotations

import random
import socket
from typing import Any

from selftest.cases import cases
from support.frames import raw_socket
from support.pairs import PROTOCOL, Pair

SIZES = [60, 1700, 4000, 9014] * 5
LAYOUTS: dict[str, dict[str, Any]] = {
    "SEND_RECEIVE_9K_PACKETS": {},
    "SEND_RECEIVE_UNALIGNED_9K_PACKETS": {"frame_size": 3000, "unaligned": True},
}


@cases(*LAYOUTS)
def test_long_packets_are_received_and_sent_back_whole(case: str, pair: Pair) -> None:
    settings = {"action": "reflect", "multi_buffer": True, **LAYOUTS[case]}
    macs = [host.interface.mac.replace(":", "") for host in (pair.first, pair.second)]
    header = bytes.fromhex("".join(macs)) + PROTOCOL.to_bytes(2)
    if pair.refuses_several_buffers():
        return
    with pair.long_packets(), pair.engine(**settings) as engine, raw_socket(pair.second) as raw:
        for size in SIZES:
            given = header + random.Random(size).randbytes(size - len(header))
            raw.send(given)
            assert back(raw)[len(header) :] == given[len(header) :]
        found = engine.telemetry.total()
    assert found["rx_too_long"] == found["tx_invalid_descs"] == 0


def back(raw: socket.socket) -> bytes:
    """Return the next frame of ours that came in."""
    while True:
        frame, (_name, protocol, kind, *_) = raw.recvfrom(1 << 16)
        if kind != socket.PACKET_OUTGOING and protocol == PROTOCOL:
            return bytes(frame)
