"""The words of a ledger for packets that a capture's user did not take, or had no frame for.

As in explain.py, counts and settings go in, and sentences come out.
"""

from __future__ import annotations

import re

from xdplab.ledger.situation import Situation


def as_typed(line: str) -> str:
    """Write the calls of an engine in a line as a capture's."""
    line = re.sub(r"\bengine(?=[.,)])", "capture", line)  # engine.batch, measure(engine, traffic)
    return re.sub(r"\bEngine\(", "Capture(", line)


def longest(now: Situation) -> str:
    """Say what a capture's user may send, and begin to say what packets are that are longer."""
    if not now.delivers:
        return "They are"
    return (
        f"capture.send(...) may be given packets of {now.port_mtu + 14:,} bytes, and 4 more with a "
        "VLAN tag. Received ones that are longer are"
    )


def late(now: Situation, larger: str) -> str:
    """Say why the RX ring was full.

    Parameters
    ----------
    now
        The settings.
    larger
        The call that makes the rings larger; empty where they are the largest.
    """
    wait = f", or let more packets wait: {larger}" if larger else ""
    queues = ", or receive on more queues, each with a thread of its own" * (now.queue_count > 1)
    return (
        "The program did not come back for the next batch in time: do less with each, hand "
        f"batch.copy() to another thread{queues}{wait}."
    )


def no_frame(now: Situation, larger: str) -> str:
    """Say why the fill ring was empty.

    Parameters
    ----------
    now, larger
        As for `late`.
    """
    kept = f"The program has {now.held:,} of them now" if now.held else "The program had them"
    more = f", or have more frames: {larger}; the UMEM has twice as many" if larger else ""
    return (
        " came while the fill ring was empty: every frame of the UMEM waited in the RX ring, was "
        "in a batch that was kept, or was looked at through an array or memoryview. "
        f"{kept}: release batches that were kept, batch.release(), keep a copy in their place, "
        f"batch.copy(){more}."
    )
