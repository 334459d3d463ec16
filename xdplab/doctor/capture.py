"""The most telling check: a whole capture, in a lab of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator

from xdplab.doctor.finding import CAPTURE, Finding
from xdplab.engine import Engine
from xdplab.lab import Lab
from xdplab.traffic import Traffic

_FRAMES = 100
_PATIENCE_SECONDS = 1.0


def capture() -> Iterator[Finding]:
    """Capture generated frames, from the generator to the worker's counters."""
    with Lab() as lab, Engine(lab.port) as engine:
        with Traffic(lab.peer, lab.port, count=_FRAMES) as traffic:
            traffic.wait(_PATIENCE_SECONDS)
            deadline = time.monotonic() + _PATIENCE_SECONDS
            # The worker publishes every 10 ms.
            while (received := _received(engine)) < _FRAMES and time.monotonic() < deadline:
                time.sleep(0.01)
            sent = traffic.sent
        seen = f"{received} of {_FRAMES} generated frames came through AF_XDP in a lab"
        if received == _FRAMES:
            yield Finding(CAPTURE, "good", seen)
        else:
            remedy = "`xdplab run --seconds 1` shows a ledger of where the others went."
            yield Finding(CAPTURE, "missing", f"{seen}; {sent} were sent", remedy)


def _received(engine: Engine) -> int:
    if fault := engine.error:
        raise fault
    return int(engine.telemetry.counters()["rx_packets"])
