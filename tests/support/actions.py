"""Waiting until the workers of a running engine do what was chosen."""

from __future__ import annotations

from support.waiting import eventually
from xdplab import ACTIONS, Engine


def act(engine: Engine, action: str) -> None:
    """Set an engine's action, and wait until its workers run it."""
    engine.action = action
    await_action(engine)


def await_action(engine: Engine) -> None:
    """Wait until an engine's workers run its action.

    A worker that lost its core amid a turn runs the action before on what has come meanwhile.
    """
    action, workers = ACTIONS.index(engine.action), range(engine.telemetry.workers)
    assert eventually(
        lambda: all(engine.telemetry.counters(n)["control_action"] == action for n in workers)
    )
