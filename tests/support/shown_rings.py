"""Rings as the widget knows them, and packets through them."""

from __future__ import annotations

from typing import Any

from support.waiting import eventually
from xdplab import Engine, Lab, Traffic
from xdplab.net.stream import Rate
from xdplab.widgets.rings.state import RingState

FRAME = 2048
"""Bytes of a UMEM frame."""


def send(lab: Lab, count: int, rate: Rate = 5_000) -> None:
    with Traffic(lab.peer, lab.port, rate=rate, count=count) as traffic:
        assert traffic.wait(30)


def step(engine: Engine, turns: int = 1) -> None:
    before = int(engine.telemetry.rings()["turns"])
    engine.step(turns)
    assert eventually(lambda: engine.telemetry.rings()["turns"] == before + turns)


def state_of(engine: Engine, worker: int = 0, record: Any = None) -> RingState:
    """Return the rings as they are now, or as they are in a record."""
    return RingState(
        engine.telemetry.rings(worker) if record is None else record,
        worker=worker,
        frame_size=FRAME,
        has_stream=engine.stream is not None,
        with_entries=engine.pace > 0,
    )
