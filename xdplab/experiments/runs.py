"""Measured runs: every combination of some knobs' values, and the results of each."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from xdplab.core.checks import choice, is_a, items, whole
from xdplab.core.checks import seconds as seconds_within
from xdplab.core.checks import shown as shown_value
from xdplab.core.errors import ConfigurationError
from xdplab.core.table import Table, Tabled
from xdplab.core.tabled_array import OfRows
from xdplab.core.text import setting, spaced
from xdplab.experiments.in_turn import in_rounds
from xdplab.experiments.metrics import METRICS, Figures, Taken
from xdplab.experiments.results import Results, shown

if TYPE_CHECKING:
    import pandas

MOST_RUNS = 10_000
_MOST_ROUNDS, _MOST_SECONDS = 1000, 86_400
_LARGEST = (1 << 64) - 1

Status = Literal["planned", "measured", "refused", "failed"]
"""Refused: the engine refused the combination. Failed: the run ended early."""


@dataclass
class Run:
    """One run of one combination."""

    settings: Mapping[str, object]
    """The knobs' values."""
    round: int
    status: Status = "planned"
    reason: str = ""
    """Why it was refused or failed."""
    figures: Figures = field(default_factory=dict)
    """The figures, by the names of `metrics.METRICS`."""
    limited: str = ""
    """Why the generator sent less than it was asked for, as in `Measurement`."""

    def measured(self, taken: Taken) -> None:
        """Take over the results of a measured run."""
        self.figures, self.limited = taken.figures, taken.measurement.limited
        self.status = "measured"

    def __str__(self) -> str:
        return words(self.settings)


class Runs(Tabled, OfRows):
    """All planned runs, in their order, and the results so far.

    One thread may make them while others read.

    Parameters
    ----------
    seconds
        Length of a run, above 0.
    rounds
        Runs of each combination, 1 to 1000, every second round in reverse order, so that a machine
        that slows down affects all of them alike.
    knobs
        The values of each knob, by its name.

    Raises
    ------
    ConfigurationError
        For no knob, no list of values, or more than 10,000 runs.
    """

    def __init__(self, seconds: float, rounds: int, knobs: Mapping[str, Iterable[object]]) -> None:
        self.seconds, self.rounds = check_length(seconds, rounds)
        if not knobs:
            raise ConfigurationError("name at least one knob with its values: batch=[16, 64].")
        self.knobs = {name: values_of(name, values) for name, values in knobs.items()}
        """The values of each knob, without duplicates."""
        total = self.rounds * math.prod(map(len, self.knobs.values()))
        if total > MOST_RUNS:
            raise ConfigurationError(
                f"{total:,} runs are more than {MOST_RUNS:,}: leave out values or rounds."
            )
        self.combinations = [
            dict(zip(self.knobs, values, strict=True)) for values in product(*self.knobs.values())
        ]
        """Every combination of the values; the last knob changes fastest."""
        self._of = [
            [Run(settings, number) for number in range(self.rounds)]
            for settings in self.combinations
        ]
        self.present: Run | None = None
        """The present run."""

    def _brief(self) -> str:
        of = ", ".join(map(spaced, self.knobs))
        return f"<Runs of {of}: {self.done:,} of {self.total:,} made>"

    def _table(self) -> Table:
        return replace(self.array()._table(), title=self._brief()[1:-1])

    def _results(self) -> Results:
        return self.array()

    @property
    def in_order(self) -> list[Run]:
        """All runs, in the order in which they are made."""
        return [runs[number] for number, runs in in_rounds(self._of, self.rounds)]

    @property
    def left(self) -> list[Run]:
        """The runs to make yet, in their order."""
        return [run for run in self.in_order if run.status == "planned"]

    @property
    def total(self) -> int:
        """Number of runs."""
        return self.rounds * len(self._of)

    @property
    def done(self) -> int:
        """Number of runs made, also refused and failed ones."""
        return self.total - self.count("planned")

    def count(self, status: Status) -> int:
        """Return the number of runs with a status."""
        return sum(run.status == status for runs in self._of for run in runs)

    def forget(self) -> None:
        """Discard all results, so that all runs are made anew."""
        for run in self.in_order:
            run.status, run.reason, run.figures, run.limited = "planned", "", {}, ""

    def of(self, combination: int) -> Sequence[Run]:
        """Return the runs of a combination, one a round."""
        return self._of[combination]

    def median(self, combination: int, metric: str) -> float:
        """Return the median of a combination's measured runs; nan if there are none."""
        measured = [run.figures.get(metric) for run in self._of[combination]]
        known = [value for value in measured if value is not None and not math.isnan(value)]
        return statistics.median(known) if known else math.nan

    def status(self, combination: int) -> tuple[Status, str]:
        """Return a combination's status and reason: "measured" if any of its runs was."""
        taken = [run for run in self._of[combination] if run.status != "planned"]
        best = next(
            (run for run in taken if run.status == "measured"), taken[-1] if taken else None
        )
        return ("planned", "") if best is None else (best.status, best.reason)

    def limited(self, combination: int) -> str:
        """Return why the generator sent less than asked in one of its runs, the last such."""
        return next((run.limited for run in reversed(self._of[combination]) if run.limited), "")

    def array(self) -> Results:
        """Return the results so far, as documented with `Grid.results`."""
        states = [self.status(number) for number in range(len(self.combinations))]
        columns: dict[str, npt.NDArray[Any]] = {
            name: _column([settings[name] for settings in self.combinations], values)
            for name, values in self.knobs.items()
        }
        for metric in METRICS:
            columns[metric] = np.array([self.median(n, metric) for n in range(len(states))])
        columns["runs"] = np.array(
            [sum(run.status == "measured" for run in runs) for runs in self._of], np.int64
        )
        columns["status"] = np.array([status for status, _ in states], "U8")
        columns["reason"] = np.array([reason for _, reason in states], np.str_)
        columns["limited"] = np.array([self.limited(n) for n in range(len(states))], np.str_)
        table = np.empty(len(states), [(name, column.dtype) for name, column in columns.items()])
        for name, column in columns.items():
            table[name] = column
        return shown(table)

    def frame(self) -> pandas.DataFrame:
        """Return `array` as a pandas frame.

        Raises
        ------
        ConfigurationError
            When pandas is missing.
        """
        return self.array().frame()

    def best(self, metric: str) -> int:
        """Return the combination with the best median.

        Raises
        ------
        ConfigurationError
            For an unknown metric, or one that was not measured yet.
        """
        metric = choice("metric", metric, METRICS)
        medians = np.array([self.median(n, metric) for n in range(len(self.combinations))])
        if np.isnan(medians).all():
            raise ConfigurationError(f"{metric} was not measured yet: run the sweep first.")
        return int((np.nanargmax if METRICS[metric].more_is_better else np.nanargmin)(medians))


def check_length(seconds: float, rounds: int) -> tuple[float, int]:
    """Return the length of a run and the rounds, or raise `ConfigurationError`."""
    length = seconds_within("seconds", seconds, 0.001, _MOST_SECONDS)
    return length, whole("rounds", rounds, 1, _MOST_ROUNDS)


def words(settings: Mapping[str, object]) -> str:
    """Return settings in words: "batch 64, wait spin"."""
    return ", ".join(f"{spaced(name)} {value_words(settings[name])}" for name in settings)


def value_words(value: object) -> str:
    """Return a knob's value in words."""
    try:
        return setting(value)
    except Exception:  # raised by the value's own method
        return shown_value(value)


def values_of(name: str, values: Iterable[object]) -> list[object]:
    """Return a knob's values without duplicates; ConfigurationError if it is no list."""
    wanted = f"the values to try, such as {name}=[...]"
    each: list[object] = []
    for value in items(name, values, wanted, MOST_RUNS):
        plain = plain_value(name, value)
        if plain not in each:
            each.append(plain)
    if not each:
        raise ConfigurationError(f"{name}={shown_value(values)} must be a list of {wanted}.")
    return each


def plain_value(name: str, value: object) -> object:
    """Return a value as a plain Python type: numpy's integers print differently."""
    if is_a(value, np.generic):
        value = value.item()
    if value is None or is_a(value, bool):
        return value
    if is_a(value, list) or is_a(value, tuple):
        return [whole(name, each, 0, _LARGEST) for each in items(name, value, "whole numbers")]
    if is_a(value, int) and -_LARGEST <= int.__index__(value) <= _LARGEST:
        return int.__index__(value)
    if is_a(value, float):
        return float.__float__(value)
    if is_a(value, str):
        return str.__str__(value)
    raise ConfigurationError(
        f"{name}=[..., {shown_value(value)}, ...] has a value that nothing takes."
    )


def _column(values: Sequence[object], distinct: Sequence[object]) -> npt.NDArray[Any]:
    """Return a knob's values as booleans, integers or floats if all are such; else as text."""
    kinds = {type(value) for value in distinct}
    for allowed in ({bool}, {int}, {int, float}):
        if kinds <= allowed:
            return np.array(values, float if float in kinds else None)
    return np.array([str(value) for value in values])
