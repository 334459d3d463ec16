"""A worker moved by single turns, and the frames in its rings after each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from xdplab.core.calls import public_function
from xdplab.core.checks import whole
from xdplab.core.errors import ConfigurationError
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted
from xdplab.engine.engine import Engine
from xdplab.ledger.subjects import check_engine
from xdplab.widgets.rings.state import HOMES, Home, RingName, RingState

_PATIENCE, _LOOK_AGAIN = 10.0, 0.005  # seconds; rings are as of the last 5 ms
_SHOWN = 6  # frames of a ring
_TRANSIT: tuple[Home, ...] = ("filling", "worker", "sending")


class RingsNow(Tabled):
    """The four rings of a paced worker at one moment."""

    def __init__(self, state: RingState, mark: str) -> None:
        self._state, self._mark = state, mark

    @property
    def turns(self) -> int:
        """Turns that the worker took while it was paced."""
        return self._state.turns

    def frames(self, ring: RingName) -> list[int]:
        """Return the numbers of the frames that wait in a ring, the oldest first."""
        return self._state.rings[ring].line()

    def home(self, frame: int) -> Home | None:
        """Return where a frame is; None where its number is none of this worker's."""
        return self._state.home_of(frame)

    def _table(self) -> Table:
        rings = self._state.rings.values()
        rows = [
            (
                each.name,
                f"{each.writer} → {each.reader}",
                f"{each.waiting:,}",
                f"{each.size:,}",
                ", ".join(map(str, each.line()[:_SHOWN]))
                + (", ..." if each.waiting > _SHOWN else ""),
            )
            for each in rings
        ]
        bars = {2: [each.waiting / each.size for each in rings]}
        headings = ("ring", "written → read by", "waiting", "of", "frames, next first")
        return Table(f"after {counted(self.turns, 'turn')}{self._mark}", rows, headings, bars=bars)


@public_function
def rings(engine: Engine, rx: int = 0) -> RingsNow:
    """Read the rings of a paced engine's first worker.

    Parameters
    ----------
    engine
        Running, with a `pace` and a ring of 128 entries at most.
    rx
        Wait until so many packets are in the RX ring.

    Raises
    ------
    ConfigurationError
        When the engine is not paced, its ring is larger, or the packets do not come.
    """
    check_engine(engine)
    rx = whole("rx", rx, 0, engine.ring_size)
    return _once(engine, lambda now: len(now.frames("rx")) >= rx, f"{rx} packets in the RX ring")


@public_function
def step(engine: Engine, turns: int = 1) -> RingsNow:
    """Let a worker take turns, a batch each, and read its rings; its `pace` is infinite then.

    Parameters
    ----------
    engine
        Running, with a ring of 128 entries at most.
    turns
        How many, 1 to 1,000,000.

    Raises
    ------
    ConfigurationError
        When its ring is larger, or the turns are not taken.
    """
    check_engine(engine)
    engine.pace = math.inf
    before = rings(engine).turns
    engine.step(turns)
    return _once(engine, lambda now: now.turns >= before + turns, "its turn")


@public_function
def follow(engine: Engine, frame: int) -> list[Home]:
    """Step until a frame is in the fill ring, and return the rings that it was in, in order.

    Parameters
    ----------
    engine
        As for `step`.
    frame
        The frame's number.

    Raises
    ------
    ConfigurationError
        As `step`; and when the frame does not get there.
    """
    check_engine(engine)
    whole("frame", frame, 0, 1 << 40)
    seen = [_in_a_ring(engine, frame, None)]
    while seen[-1] != "fill":
        step(engine)
        seen.append(_in_a_ring(engine, frame, seen[-1]))
    return seen


def _in_a_ring(engine: Engine, frame: int, before: Home | None) -> Home:
    """Return the ring in which a frame waits, once that is another than before."""

    def arrived(now: RingsNow) -> bool:
        home = now.home(frame)
        return home is not None and home != before and home not in _TRANSIT

    found = _once(engine, arrived, f"frame {frame} in the next ring").home(frame)
    assert found in HOMES
    return found


def _once(engine: Engine, is_so: Callable[[RingsNow], bool], what: str) -> RingsNow:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN)
        now = _read(engine)
        if now is not None and is_so(now):
            return now
    raise ConfigurationError(
        f"waited {_PATIENCE:g} s for {what}. A paced engine shows its rings: "
        "Engine(lab.port, ring_size=16), then engine.pace = math.inf."
    )


def _read(engine: Engine) -> RingsNow | None:
    record = engine.telemetry.rings()
    if not record["ring_size"]:  # it has not run yet
        return None
    state = RingState(
        record,
        worker=0,
        frame_size=engine.configuration.frame_size,
        has_stream=engine.stream is not None,
        with_entries=engine.pace > 0,
    )
    return (
        RingsNow(state, " [simulated]" if engine.simulated else "") if state.shows_entries else None
    )
