"""Measured runs: every combination of some knobs' values, and what was measured with each."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from xdplab.core.checks import choice, is_a, items, shown, whole
from xdplab.core.checks import seconds as seconds_within
from xdplab.core.errors import ConfigurationError
from xdplab.experiments.metrics import METRICS, Figures

if TYPE_CHECKING:
    import pandas

MOST_RUNS = 10_000
_MOST_ROUNDS, _MOST_SECONDS = 1000, 86_400
_LARGEST = (1 << 64) - 1

Status = Literal["planned", "measured", "refused", "failed"]
"""A combination that the engine refused was not measured; a run that failed ended early."""


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
    """What was measured, by the names of `metrics.METRICS`."""

    def __str__(self) -> str:
        return words(self.settings)


class Runs:
    """All runs that are to be taken, in their order, and what they showed so far.

    One thread may take them while others read.

    Parameters
    ----------
    seconds
        Length of a run, above 0.
    rounds
        How often each combination is measured, 1 to 1000: there and back again, so that a machine
        that slows down slows all of them alike.
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
            raise ConfigurationError("a sweep takes at least one knob: batch=[16, 64, 256].")
        self.knobs = {name: values_of(name, values) for name, values in knobs.items()}
        """The values of each knob, each once."""
        total = self.rounds * math.prod(map(len, self.knobs.values()))
        if total > MOST_RUNS:
            raise ConfigurationError(
                f"{total:,} runs are more than {MOST_RUNS:,}: leave out values or rounds."
            )
        self.combinations = [
            dict(zip(self.knobs, values, strict=True)) for values in product(*self.knobs.values())
        ]
        """Every combination of the values, those of the last knob changing fastest."""
        self._of = [
            [Run(settings, number) for number in range(self.rounds)]
            for settings in self.combinations
        ]
        self.present: Run | None = None
        """The run that is under way."""

    @property
    def in_order(self) -> list[Run]:
        """All runs, in the order in which they are taken."""
        return [
            runs[number]
            for number in range(self.rounds)
            for runs in (self._of if number % 2 == 0 else reversed(self._of))
        ]

    @property
    def total(self) -> int:
        """How many runs there are."""
        return self.rounds * len(self._of)

    @property
    def done(self) -> int:
        """How many of them were taken, whatever became of them."""
        return sum(run.status != "planned" for runs in self._of for run in runs)

    def forget(self) -> None:
        """Forget what was measured: all runs are still to be taken."""
        for run in self.in_order:
            run.status, run.reason, run.figures = "planned", "", {}

    def of(self, combination: int) -> Sequence[Run]:
        """Return the runs of a combination, one a round."""
        return self._of[combination]

    def median(self, combination: int, metric: str) -> float:
        """Return the median of a combination's measured runs; nan where there is none."""
        measured = [run.figures.get(metric) for run in self._of[combination]]
        known = [value for value in measured if value is not None and not math.isnan(value)]
        return statistics.median(known) if known else math.nan

    def status(self, combination: int) -> tuple[Status, str]:
        """Say what became of a combination: "measured" if any of its runs was; and if not, why."""
        taken = [run for run in self._of[combination] if run.status != "planned"]
        best = next(
            (run for run in taken if run.status == "measured"), taken[-1] if taken else None
        )
        return ("planned", "") if best is None else (best.status, best.reason)

    def array(self) -> npt.NDArray[np.void]:
        """Return what was measured so far, as documented with `Grid.results`."""
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
        table = np.empty(len(states), [(name, column.dtype) for name, column in columns.items()])
        for name, column in columns.items():
            table[name] = column
        return table

    def frame(self) -> pandas.DataFrame:
        """Return `array` as a pandas frame.

        Raises
        ------
        ConfigurationError
            Where pandas is missing.
        """
        try:
            import pandas  # noqa: PLC0415 - slow to import, and not needed otherwise
        except ImportError:
            raise ConfigurationError(
                "a frame takes pandas, which is not installed: `pip install pandas`. The same is "
                "in `results`, a numpy structured array."
            ) from None
        return pandas.DataFrame(self.array())

    def best(self, metric: str) -> int:
        """Return the combination whose median is the best.

        Raises
        ------
        ConfigurationError
            When there is no such metric, or it was not measured yet.
        """
        metric = choice("metric", metric, METRICS)
        medians = np.array([self.median(n, metric) for n in range(len(self.combinations))])
        if np.isnan(medians).all():
            raise ConfigurationError(f"{metric} was not measured yet: run the sweep first.")
        return int((np.nanargmax if METRICS[metric].more_is_better else np.nanargmin)(medians))


def check_length(seconds: float, rounds: int) -> tuple[float, int]:
    """Return the length of a run and how often each is taken, or raise `ConfigurationError`."""
    length = seconds_within("seconds", seconds, 0.001, _MOST_SECONDS)
    return length, whole("rounds", rounds, 1, _MOST_ROUNDS)


def words(settings: Mapping[str, object]) -> str:
    """Name settings: "batch 64, wait spin"."""
    return ", ".join(f"{name.replace('_', ' ')} {value_words(settings[name])}" for name in settings)


def value_words(value: object) -> str:
    """Write a knob's value for people."""
    if isinstance(value, bool):
        return "on" if value else "off"
    try:
        return f"{value:,}" if is_a(value, int) or is_a(value, float) else str(value)
    except Exception:  # the value's own
        return shown(value)


def values_of(name: str, values: Iterable[object]) -> list[object]:
    """Return the values to try of a knob, each once; ConfigurationError where that is no list."""
    wanted = f"the values to try, such as {name}=[...]"
    each: list[object] = []
    for value in items(name, values, wanted, MOST_RUNS):
        plain = plain_value(name, value)
        if plain not in each:
            each.append(plain)
    if not each:
        raise ConfigurationError(f"{name}={shown(values)} must be a list of {wanted}.")
    return each


def plain_value(name: str, value: object) -> object:
    """Return a value without classes of others: numpy's whole numbers print otherwise."""
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
    raise ConfigurationError(f"{name}=[..., {shown(value)}, ...] has a value that nothing takes.")


def _column(values: Sequence[object], distinct: Sequence[object]) -> npt.NDArray[Any]:
    """Return a knob's values as booleans, whole numbers or numbers where all are; else as text."""
    kinds = {type(value) for value in distinct}
    for allowed in ({bool}, {int}, {int, float}):
        if kinds <= allowed:
            return np.array(values, float if float in kinds else None)
    return np.array([str(value) for value in values])
