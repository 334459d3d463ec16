"""Undo: take back the last change of an engine's knobs, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdplab.core.calls import public_function
from xdplab.core.errors import XdplabError
from xdplab.knobs.journal import Change, Journal
from xdplab.knobs.row import Home
from xdplab.knobs.table import KNOBS
from xdplab.ledger.subjects import check_engine, check_traffic

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic


def next_undo(engine: Engine, traffic: Traffic | None = None) -> tuple[Change, ...]:
    """Return the changes that `undo` would take back, oldest first; none where there are none.

    A step is one knob changed, by widget or by code (a dragged slider counts once), or a preset.
    Changes by `Engine.reconfigure` are not undone.
    """
    check_engine(engine)
    check_traffic(traffic)
    steps = [step for _journal, step in _steps(engine, traffic)]
    return max(steps, key=lambda step: step[-1].time_ns, default=())


@public_function
def undo(engine: Engine, traffic: Traffic | None = None) -> tuple[Change, ...]:
    """Take back the last step that stands, and return its changes; nothing where there is none.

    Parameters
    ----------
    engine
        The engine whose knobs are undone.
    traffic
        Its generator, to undo its rate and size too.

    Raises
    ------
    XdplabError
        When a knob refuses the value that it had. The step's others are put back all the same.
    """
    step = next_undo(engine, traffic)
    for journal, candidate in _steps(engine, traffic):
        if candidate == step:
            with journal.undoing(step[0].step):
                _put_back(step, engine, traffic)
    return step


def _steps(engine: Engine, traffic: Traffic | None) -> list[tuple[Journal, tuple[Change, ...]]]:
    journals = [engine.journal] if traffic is None else [engine.journal, traffic.journal]
    return [
        (journal, step)
        for journal in journals
        for step in journal.steps
        if all(_home(change.knob, engine, traffic) is not None for change in step)
    ]


def _put_back(step: tuple[Change, ...], engine: Engine, traffic: Traffic | None) -> None:
    refusal: XdplabError | None = None
    # A knob that changed several times gets its first value.
    for knob, value in {change.knob: change.before for change in reversed(step)}.items():
        home = _home(knob, engine, traffic)
        try:
            if home is not None:
                setattr(home, knob, value)
        except XdplabError as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal


def _home(knob: str, engine: Engine, traffic: Traffic | None) -> object | None:
    """Find the object that has a knob as an attribute that can be set."""
    if knob not in KNOBS:
        return None
    open_traffic = None if traffic is None or traffic.closed else traffic
    homes: dict[Home, object] = {
        "engine": engine,
        "steering": engine.steering,
        "napi": engine.napi,
        "traffic": open_traffic,
    }
    return homes.get(KNOBS[knob].home)
