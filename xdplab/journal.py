"""What was changed, and when, so that cause can be seen above effect."""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

KEPT = 1000
"""Changes that a journal remembers."""


class Change(NamedTuple):
    """One knob turned."""

    time_ns: int
    """When, by CLOCK_MONOTONIC, as in telemetry."""
    knob: str
    """The attribute's name, such as ``"batch"``."""
    before: object
    after: object

    def __str__(self) -> str:
        return f"{self.knob} {self.before} → {self.after}"


class Journal:
    """The last changes, oldest first. Any thread may write and read it."""

    def __init__(self) -> None:
        self._changes: deque[Change] = deque(maxlen=KEPT)

    def note(self, knob: str, before: object, after: object) -> None:
        """Write a change down, unless nothing did change."""
        if before != after:
            self._changes.append(Change(time.monotonic_ns(), knob, before, after))

    @property
    def changes(self) -> tuple[Change, ...]:
        """The last 1000 changes, oldest first."""
        return tuple(self._changes)
