"""Changes of knobs, stops and starts, with their times: plots show causes, users undo changes."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from xdplab.core.closing import Uncopied
from xdplab.core.locks import new_lock
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted, setting

ENGINE = "engine"
"""What was changed where an engine was started or stopped, in place of a knob."""

KEPT = 1000
"""Changes that a journal remembers."""

_ONE_MOVE_NS = 10**9
"""Changes of one knob within this time are one move: a slider that is dragged."""


class Change(NamedTuple):
    """One change of a knob."""

    time_ns: int
    """When it was changed, by CLOCK_MONOTONIC, as in telemetry."""
    knob: str
    """Its name in `xdplab.KNOBS`; or "engine", which was "started" or "stopped"."""
    before: object
    after: object
    step: int = 0
    """Changes of the same step are undone together. 0: no step for `undo`."""

    def __str__(self) -> str:
        return f"{self.knob} {self.before} → {self.after}"


class Journal(Tabled, Uncopied):
    """The last changes, oldest first. Any thread may write and read it."""

    def __init__(self) -> None:
        self._changes: deque[Change] = deque(maxlen=KEPT)
        self._lock = new_lock()  # held for no longer than it takes to write a line
        self._steps = 0
        self._undone: set[int] = set()
        self._state = "started"  # with the first start, which nothing comes before
        self._move: Change | None = None  # a change whose step the next one may join
        # Of the thread that writes: the step that all its changes belong to for now.
        self._of_thread = threading.local()

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def note(self, knob: str, before: object, after: object) -> None:
        """Record a change, unless the value is the same."""
        if before == after:
            return
        with self._lock:
            now = time.monotonic_ns()
            given: int | None = getattr(self._of_thread, "step", None)
            step = self._step(knob, now) if given is None else given
            change = Change(now, knob, before, after, step)
            self._changes.append(change)
            self._move = change if given is None else None

    def switch(self, state: str) -> None:
        """Record that the engine was "stopped", or "started" again, which is no step for `undo`.

        An engine's first start is no change.
        """
        with self.no_step():
            self.note(ENGINE, self._state, state)
        self._state = state

    @contextmanager
    def one_step(self) -> Iterator[None]:
        """Make one step of all changes by the calling thread in the block."""
        with self._lock:
            self._steps += 1
            step = self._steps
        with self._as_step(step):
            yield

    @contextmanager
    def undoing(self, step: int) -> Iterator[None]:
        """Mark a step as undone; changes by the calling thread in the block are no step."""
        self._undone.add(step)
        with self.no_step():
            yield

    @contextmanager
    def no_step(self) -> Iterator[None]:
        """Exclude changes by the calling thread in the block from `undo`."""
        with self._as_step(0):
            yield

    @property
    def changes(self) -> tuple[Change, ...]:
        """The last 1000 changes, oldest first."""
        return tuple(self._changes)

    @property
    def last(self) -> Change | None:
        """The last change."""
        return self._changes[-1] if self._changes else None

    @property
    def steps(self) -> list[tuple[Change, ...]]:
        """The steps that were not undone, newest last: of each its changes, oldest first."""
        steps: dict[int, tuple[Change, ...]] = {}
        for change in self.changes:
            if change.step and change.step not in self._undone:
                steps[change.step] = (*steps.get(change.step, ()), change)
        return list(steps.values())

    def _brief(self) -> str:
        last = f", the last {self.last}" if self.last else ""
        return f"<Journal of {counted(len(self.changes), 'change')}{last}>"

    def _table(self) -> Table:
        changes, now = self.changes, time.monotonic_ns()
        rows = [
            (
                f"{(each.time_ns - now) / 1e9:.1f}",
                each.knob,
                setting(each.before),
                setting(each.after),
                "undone" if each.step in self._undone else "",
            )
            for each in changes
        ]
        title = counted(len(changes), "change") if changes else "no knob was changed yet"
        return Table(title, rows, ("at, s", "knob", "before", "after", "") if rows else ())

    @contextmanager
    def _as_step(self, step: int) -> Iterator[None]:
        outer: int | None = getattr(self._of_thread, "step", None)
        self._of_thread.step = step if outer is None else outer
        try:
            yield
        finally:
            self._of_thread.step = outer

    def _step(self, knob: str, now: int) -> int:
        move = self._move
        if move and move.knob == knob and now - move.time_ns < _ONE_MOVE_NS:
            return move.step
        self._steps += 1
        return self._steps
