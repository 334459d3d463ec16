"""Loads that a worker holds without loss, on a busy machine too."""

from __future__ import annotations

from xdplab import Account

# Together: a worker that loses its core for a second loses no packet.
DEEP_RING = 1 << 15
HOLDABLE_RATE = 25_000

# A ring as large as the stream can't be full, however late a busy machine lets the worker run.
RING = 4096

# No more than a wire (a veth) holds, for a worker that empties it itself: by uring-napi.
WIRE = 250

# Received frames are sent in bursts, of which the wire (a veth) holds 256.
SENDABLE_RATE = 20_000


def lost_on_the_wire(account: Account, *waits: str) -> int:
    """Count what a worker may lose by waiting so.

    With `uring-napi` it is the worker that empties the wire, which holds 256 frames on veth: what
    comes while it has lost its core is dropped before the RX ring.
    """
    return account.packets("wire full") if "uring-napi" in waits else 0
