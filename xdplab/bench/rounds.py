"""Rounds: all that is compared takes turns, there and back, and what the turns showed together."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from xdplab.bench import machine
from xdplab.core.errors import XdplabError
from xdplab.experiments.runs import check_length
from xdplab.lab.lab import Lab

Run = Mapping[str, Any]
"""What one turn showed: figures by name, None for what could not be measured."""


@dataclass
class Entry:
    """One of those that are compared, and what it did so far.

    Parameters
    ----------
    name
        For the progress bar and the table.
    measure
        Measures once, with nothing left behind. An `XdplabError` ends this entry, not the others.
    labels
        What the result says of it before its figures.
    missing
        What to do where it is not there; None where it is.
    """

    name: str
    measure: Callable[[], Run]
    labels: Mapping[str, Any] = field(default_factory=dict)
    missing: str | None = None
    failure: str | None = None
    runs: list[Run] = field(default_factory=list)

    @property
    def status(self) -> str:
        """One of "measured", "missing" and "failed"."""
        return "missing" if self.missing else "failed" if self.failure else "measured"

    def as_dict(self, figures: Sequence[str]) -> dict[str, Any]:
        """Return it for JSON, with the spread over its runs of these figures."""
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
        """Return the median of a figure over the runs; None where there is none."""
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
    """So many rounds of so many seconds a run.

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
        """Let each entry have its turn in each round, as far as it goes."""
        present = [entry for entry in entries if not entry.missing]
        with self._progress(self.rounds * len(present)) as advance:
            for number in range(self.rounds):
                # There and back again, so that a machine that slows down slows all of them alike.
                for entry in present if number % 2 == 0 else reversed(present):
                    advance(entry.name)
                    if not entry.failure:
                        try:
                            entry.runs.append(entry.measure())
                        except XdplabError as error:
                            entry.failure = str(error)

    def result(
        self, lab: Lab, entries: Sequence[Entry], figures: Sequence[str], traffic: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what all benchmarks' results have in common, for JSON.

        Parameters
        ----------
        lab
            In which they ran, and which is not closed yet.
        entries
            Those that took turns.
        figures
            Of their runs, for the spread.
        traffic
            What was sent.
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

    @contextmanager
    def _progress(self, total: int) -> Iterator[Callable[[str], None]]:
        """Draw a progress bar; what is given back names what is begun."""
        if self.quiet or not sys.stderr.isatty():
            yield lambda _name: None
            return
        from rich.console import Console  # noqa: PLC0415 - slow to import
        from rich.progress import Progress  # noqa: PLC0415

        # Drawn between runs only: during one it would take time from the cores that are measured.
        with Progress(console=Console(stderr=True), auto_refresh=False, transient=True) as progress:
            task = progress.add_task(self.benchmark, total=total)
            begun = 0

            def advance(name: str) -> None:
                nonlocal begun
                told = f"{self.benchmark}: {name}"
                progress.update(task, description=told, completed=begun, refresh=True)
                begun += 1

            yield advance


def fastest(entries: Iterable[Entry], figure: str = "rx_pps") -> Entry | None:
    """Choose the measured one with the highest median of a rate; None where there is none."""
    measured = [entry for entry in entries if entry.status == "measured"]
    return max(measured, key=lambda entry: entry.median(figure) or 0, default=None)


def ratio(one: Entry, other: Entry, figure: str) -> float | None:
    """Divide the median of one by the median of the other; None where there is no such thing."""
    above, below = one.median(figure), other.median(figure)
    if above is None or not below or not _are_measured(one, other):
        return None
    return round(above / below, 3)


def paired_ratio(one: Entry, other: Entry, figure: str) -> float | None:
    """Divide the two in each round, and take the median: the machine's moods move it less."""
    if not _are_measured(one, other):
        return None
    pairs = zip(one.runs, other.runs, strict=True)
    ratios = [first[figure] / second[figure] for first, second in pairs if second[figure]]
    return round(statistics.median(ratios), 3) if ratios else None


def _are_measured(*entries: Entry) -> bool:
    return all(entry.status == "measured" for entry in entries)
