"""The knobs of an engine that are words of its control block: plain attributes.

Setting one is a store that each worker sees on its next turn.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from xdplab.core.checks import whole
from xdplab.knobs.journal import Journal
from xdplab.knobs.row import Knob
from xdplab.knobs.table import WorkerKnobs


class Knobs(WorkerKnobs):
    """Reads and writes words of the control block. `Engine` has the rest."""

    journal: Journal
    """Every change of a knob, with its time."""

    @property
    @abstractmethod
    def ring_size(self) -> int:
        """The largest batch."""

    @abstractmethod
    def _load(self, name: str) -> int:
        """Read a word of the first worker's control block."""

    @abstractmethod
    def _store(self, name: str, value: int) -> None:
        """Write a word of every worker's control block."""

    def _read(self, knob: Knob[Any]) -> Any:
        return knob.kind.value(self._load(knob.word))

    def _turn(self, knob: Knob[Any], value: object) -> None:
        word = self._word(knob, value)
        before = self._read(knob)
        self._store(knob.word, word)
        self.journal.note(knob.name, before, self._read(knob))

    def _word(self, knob: Knob[Any], value: object) -> int:
        """Check a value, and return its word."""
        return knob.kind.word(knob.kind.check(knob.name, value, self))

    def step(self, turns: int = 1) -> None:
        """Make the paced workers take turns now, a batch each.

        Parameters
        ----------
        turns
            How many, 1 to 1,000,000. A worker that is stopped, or runs freely, takes none of them
            later.
        """
        self._store("steps", self._load("steps") + whole("turns", turns, 1, 1_000_000))

    def reset_latency(self) -> None:
        """Empty the latency histograms, on the workers' next turn."""
        self._store("latency_resets", self._load("latency_resets") + 1)
