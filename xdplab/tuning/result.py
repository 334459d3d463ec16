"""The result of a search: the settings that it tried, the best one, and the alternatives."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from xdplab.core.checks import whole
from xdplab.core.errors import ClosedError
from xdplab.core.table import Table, Tabled
from xdplab.core.tabled_array import OfRows
from xdplab.experiments.metrics import METRICS, Figures
from xdplab.experiments.results import Results, shown
from xdplab.ledger.offered import shortfall
from xdplab.settings import settings
from xdplab.tuning.objective import Objective
from xdplab.tuning.space import Setting
from xdplab.tuning.words import sentence

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic

Trials = Results

AXES = {"pps": 1, "p99_ns": -1, "cpu_ns_per_packet": -1}
"""The figures of the front, and whether more (1) or less of each is better."""


@dataclass
class Tried:
    """A setting, and the results of its runs."""

    setting: Setting
    runs: list[Figures] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    reason: str = ""
    """Why it could not be measured."""

    @property
    def score(self) -> float:
        """The median over its runs; nan if there are none."""
        return median(self.scores) if self.scores else float("nan")

    def figure(self, name: str) -> float:
        """Return the median of a figure over its runs; nan if it was not measured."""
        known = [value for run in self.runs if (value := run[name]) is not None]
        return median(known) if known else float("nan")


class Tuning(Tabled, OfRows):
    """The result of `tune`. It does not keep the engine alive; a copy has no engine.

    Parameters
    ----------
    tried
        The settings tried, the initial one first.
    objective
        The objective of the search.
    importances
        The importance of each knob.
    engine, traffic
        The engine and generator of the search.
    interrupted
        Whether the user ended the search early.
    ended
        Why it ended by itself before its end.
    """

    def __init__(
        self,
        tried: Sequence[Tried],
        objective: Objective,
        importances: Mapping[str, float],
        engine: Engine,
        traffic: Traffic | None,
        *,
        interrupted: bool,
        ended: str = "",
    ) -> None:
        self._tried = tuple(tried)
        self._engine: weakref.ref[Engine] | None = weakref.ref(engine)
        self.simulated = engine.simulated
        """Whether the search ran on a soft NIC."""
        self._traffic = None if traffic is None else weakref.ref(traffic)
        self.objective = objective.name
        """The objective: "pps", "p99", "cpu", or the function's name."""
        self.importances = dict(importances)
        """The importance of each knob, as shares of 1, the largest first: how much its values add
        to the score by themselves. Empty after too few runs."""
        self.interrupted = interrupted
        """Whether the user ended it early."""
        self.ended = ended
        """Why it ended by itself, or why a knob could not be restored; or empty."""
        self.trials = self._rows()
        """A structured array with a row for each setting in the order of trial, the initial one
        first: its knobs by name; ``runs``, and over these the medians of the figures of
        `xdplab.METRICS` (nan: not measured) and of ``score`` (the higher the better). For a refused
        setting, ``runs`` is 0 and ``reason`` says why."""
        self._front = self._find_front()
        best, begin = self._tried[self._front[0]], self._tried[0]
        self.settings = dict(best.setting)
        """The best setting by the objective."""
        self.sentence = sentence(
            objective, best, begin, self.importances, runs=int(self.trials["runs"].sum())
        )
        if short := shortfall(best.figure("asked_pps"), best.figure("sent_pps")):
            self.sentence += f" {short}."
        if ended:
            self.sentence += f" It ended early: {ended}"
        """A sentence that compares the best setting with the initial one."""

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for another process, without the engine."""
        return {**vars(self), "_engine": None, "_traffic": None}

    def _results(self) -> Results:
        return self.trials

    def _table(self) -> Table:
        return replace(self.trials._table(), title=self._brief()[1:-1])

    def _brief(self) -> str:
        early = ", interrupted" if self.interrupted else ", ended early" if self.ended else ""
        mark = " [simulated]" if self.simulated else ""
        return f"<Tuning for {self.objective}{mark}{early}: {self.sentence}>"

    @property
    def engine(self) -> Engine | None:
        """The engine of the search, or None if it is gone."""
        return None if self._engine is None else self._engine()

    @property
    def traffic(self) -> Traffic | None:
        """Its generator, likewise."""
        return None if self._traffic is None else self._traffic()

    @property
    def places(self) -> list[int]:
        """The row of `trials` at each place of `front`."""
        return list(self._front)

    @property
    def front(self) -> Trials:
        """The rows of `trials` that no other beats in rate, p99 and CPU time at once.

        The best by the objective comes first, and the others follow in its order.
        """
        front: Trials = self.trials[self._front]
        return front

    def setting(self, place: int = 0) -> Setting:
        """Return the setting at a place in the front.

        Raises
        ------
        ConfigurationError
            When the front has no such place.
        """
        place = whole("place", place, 0, len(self._front) - 1)
        return dict(self._tried[self._front[place]].setting)

    def tried(self, row: int) -> Setting:
        """Return the setting of a row of `trials`."""
        return dict(self._tried[whole("row", row, 0, len(self._tried) - 1)].setting)

    def apply(self, place: int = 0) -> None:
        """Set the engine to a setting of the front, and its generator if that was searched.

        Parameters
        ----------
        place
            Index in `front`; 0 is the best by the objective.

        Raises
        ------
        ConfigurationError
            When the front has no such place.
        ClosedError
            When the engine was closed, or is gone.
        XdplabError
            When a knob is refused; then all knobs stay as they were.
        """
        wanted, engine = self.setting(place), self.engine
        if engine is None:
            raise ClosedError("the engine is gone: nothing held it any more. Make a new one.")
        settings.apply(engine, wanted, self.traffic)

    def _rows(self) -> Trials:
        names = list(self._tried[0].setting)
        kinds = [(n, _kind([t.setting[n] for t in self._tried])) for n in names]
        figures = [(name, "f8") for name in (*METRICS, "score")]
        reason = max(1, *(len(tried.reason) for tried in self._tried))
        rows = np.zeros(
            len(self._tried), [*kinds, ("runs", "i8"), *figures, ("reason", f"U{reason}")]
        )
        for row, tried in zip(rows, self._tried, strict=True):
            for name in names:
                row[name] = tried.setting[name]
            for name in METRICS:
                row[name] = tried.figure(name)
            row["runs"], row["score"], row["reason"] = len(tried.runs), tried.score, tried.reason
        return shown(rows)

    def _find_front(self) -> list[int]:
        judged = [row for row, tried in enumerate(self._tried) if tried.scores]
        ordered = sorted(judged, key=lambda row: -self._tried[row].score)
        # A figure that could not be measured counts as the worst.
        goods = np.array(
            [[sign * self._tried[r].figure(n) for n, sign in AXES.items()] for r in ordered]
        )
        goods = np.where(np.isnan(goods), -np.inf, goods)
        return [
            row
            for place, row in enumerate(ordered)
            if place == 0
            or not ((goods >= goods[place]).all(axis=1) & (goods > goods[place]).any(axis=1)).any()
        ]


def _kind(values: Sequence[object]) -> Any:
    for kind, dtype in ((bool, "?"), (int, "i8"), (float, "f8")):
        if all(type(value) is kind for value in values):
            return dtype
    if all(isinstance(value, str) for value in values):
        return f"U{max(len(str(value)) for value in values)}"
    return "O"
