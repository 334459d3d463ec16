"""Where a worker's frames are."""

from __future__ import annotations

import time

import numpy as np

from support.waiting import eventually
from xdplab import Engine


def fresh(engine: Engine, worker: int = 0) -> np.void:
    """Return a record that a worker wrote after this was asked for; its last once it has ended."""
    now = time.monotonic_ns()
    eventually(lambda: not engine.running or engine.telemetry.counters(worker)["time_ns"] >= now)
    return engine.telemetry.counters(worker)


def in_rings(counters: np.void) -> dict[str, int]:
    """Count the frames that are in each of a worker's four rings."""
    return {
        ring: int(counters[f"{ring}_producer"]) - int(counters[f"{ring}_consumer"])
        for ring in ("fill", "rx", "tx", "completion")
    }


def all_at_rest(engine: Engine, worker: int = 0) -> bool:
    """Tell whether all of a worker's frames are in its fill ring, from which they all came.

    A frame is always in one of the rings, in the worker's hands or in the kernel's. So when no
    packet is on its way, and the worker has nothing to send, whatever is not here has leaked.
    """
    counters = fresh(engine, worker)
    # Once the RX ring was full, the kernel may keep the frame for a packet that it then refused.
    kept = 1 if counters["rx_ring_full"] else 0
    rings = in_rings(counters)
    fill = rings.pop("fill")
    return not any(rings.values()) and 2 * engine.ring_size - kept <= fill <= 2 * engine.ring_size
