"""Rounds: all entries take turns, every second round in reverse order; and their results."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xdplab.bench import machine
from xdplab.core.errors import XdplabError
from xdplab.experiments.in_turn import in_rounds, in_turn
from xdplab.experiments.progress import terminal_bar
from xdplab.experiments.runs import check_length
from xdplab.lab.lab import Lab

Figures = Mapping[str, Any]
"""The figures of one run by name; None: could not be measured."""


@dataclass
class Entry:
    """One of the compared programs or settings, with its results so far.

    Parameters
    ----------
    name
        Its name, for the progress bar and the table.
    measure
        Measures once and cleans up. An `XdplabError` ends this entry, not the others.
    labels
        Fields of the result besides its figures. They may be completed after the runs.
    missing
        What to do if the program is missing; None if it is installed.
    """

    name: str
    measure: Callable[[], Figures]
    labels: dict[str, Any] = field(default_factory=dict)
    missing: str | None = None
    failure: str | None = None
    runs: list[Figures] = field(default_factory=list)

    def take(self) -> None:
        """Run it once, unless it failed before."""
        if not self.failure:
            self.runs.append(self.measure())

    def fail(self, error: XdplabError) -> None:
        """Note that it failed: it takes no further run."""
        self.failure = str(error)

    @property
    def status(self) -> str:
        """One of "measured", "missing" and "failed"."""
        return "missing" if self.missing else "failed" if self.failure else "measured"

    def as_dict(self, figures: Sequence[str]) -> dict[str, Any]:
        """Return it for JSON, with the spread of these figures over its runs."""
        return {
            "name": self.name,
            **self.labels,
            "status": self.status,
            "reason": self.missing or self.failure,
            "ineffective": self.runs[-1].get("ineffective") if self.runs else None,
            **{figure: self._spread(figure) for figure in figures},
            "runs": [dict(run) for run in self.runs],
        }

    def median(self, figure: str) -> float | None:
        """Return the median of a figure over the runs; None if there is none."""
        values = [run[figure] for run in self.runs if run[figure] is not None]
        return statistics.median(values) if values else None

    def _spread(self, figure: str) -> dict[str, float] | None:
        values = [run[figure] for run in self.runs if run[figure] is not None]
        if not values:
            return None
        return {
            "median": round(statistics.median(values), 4),
            "least": min(values),
            "most": max(values),
        }


class Rounds:
    """The rounds of a benchmark.

    Parameters
    ----------
    benchmark
        Its name.
    rounds
        Runs of each entry, 1 to 1000.
    seconds
        Length of a run.
    quiet
        Whether to do without the progress bar, which is drawn on a terminal only.

    Raises
    ------
    ConfigurationError
        For values out of range.
    """

    def __init__(self, benchmark: str, rounds: int, seconds: float, quiet: bool) -> None:
        self.benchmark, self.quiet = benchmark, quiet
        self.seconds, self.rounds = check_length(seconds, rounds)
        self.date = time.strftime("%Y-%m-%dT%H:%M:%S%z")

    def take(self, entries: Sequence[Entry]) -> None:
        """Run each entry once in each round, until it fails."""
        present = [entry for entry in entries if not entry.missing]
        total = self.rounds * len(present)
        with terminal_bar(total, self.benchmark, wanted=not self.quiet) as progress:
            in_turn(
                (entry for _, entry in in_rounds(present, self.rounds)),
                Entry.take,
                label=lambda entry: entry.name,
                progress=progress,
                failed=Entry.fail,
            )

    def result(
        self, lab: Lab, entries: Sequence[Entry], figures: Sequence[str], traffic: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the common part of all benchmarks' results, for JSON.

        Parameters
        ----------
        lab
            The lab in which they ran, still open.
        entries
            The entries.
        figures
            Figures of their runs to give with the spread.
        traffic
            Description of the traffic.
        """
        return {
            "benchmark": self.benchmark,
            "date": self.date,
            "simulated": lab.simulated,
            "rounds": self.rounds,
            "seconds": self.seconds,
            "traffic": dict(traffic),
            "machine": machine.describe(lab.port.interface),
            "entries": [entry.as_dict(figures) for entry in entries],
        }


def fastest(entries: Iterable[Entry], figure: str = "rx_pps") -> Entry | None:
    """Return the measured entry with the highest median of a rate; None if there is none."""
    measured = [entry for entry in entries if entry.status == "measured"]
    return max(measured, key=lambda entry: entry.median(figure) or 0, default=None)


def ratio(one: Entry, other: Entry, figure: str) -> float | None:
    """Return the ratio of two entries' medians; None if one is missing."""
    above, below = one.median(figure), other.median(figure)
    if above is None or not below or not _are_measured(one, other):
        return None
    return round(above / below, 3)


def paired_ratio(one: Entry, other: Entry, figure: str) -> float | None:
    """Return the median of the rounds' ratios: changes of the machine's speed affect it less."""
    if not _are_measured(one, other):
        return None
    pairs = zip(one.runs, other.runs, strict=True)
    ratios = [first[figure] / second[figure] for first, second in pairs if second[figure]]
    return round(statistics.median(ratios), 3) if ratios else None


def against(best: Entry | None, reference: Entry | None, figure: str) -> dict[str, Any]:
    """Compare two entries, for the result; None if one is missing."""
    return {
        "best": best and best.name,
        "reference": reference and reference.name,
        "ratio": best and reference and ratio(best, reference, figure),
    }


def _are_measured(*entries: Entry) -> bool:
    return all(entry.status == "measured" for entry in entries)
