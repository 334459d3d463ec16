"""Puts the results, and the progress of the present run, into the comparison's plots."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from xdplab.experiments.runs import Runs
from xdplab.experiments.words import figure_words
from xdplab.widgets.base.feed import SnapshotFeed
from xdplab.widgets.compare.figure import (
    BAR_NUMBERS,
    BAR_ROOM,
    BAR_TEXTS,
    LINE_NUMBERS,
    PANELS,
    SPREAD_NUMBERS,
    SPREAD_TEXTS,
    WORDS_NUMBERS,
    WORDS_TEXTS,
    look,
)
from xdplab.widgets.compare.path_runs import Course
from xdplab.widgets.parts.results import cell_html

_WHOLE, _SO_FAR = 0.7, 0.3  # opacity of a bar: a bar that still grows is fainter

Properties = dict[str, dict[str, object]]
"""Properties to set, by the name of the figure's model."""


class _Bar(NamedTuple):
    """A candidate's bar, in panels' widths from the left."""

    candidate: int
    start: float
    end: float
    least: float
    """Least and greatest value of its runs."""
    most: float
    is_done: bool
    words: str


class CompareFeeds:
    """The rows of the figure's sources.

    Parameters
    ----------
    names
        The candidates' names.
    """

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self.feeds: dict[str, SnapshotFeed] = {}
        for number in range(len(PANELS)):
            self.feeds[f"bars {number}"] = SnapshotFeed(BAR_NUMBERS, BAR_TEXTS)
            self.feeds[f"spread {number}"] = SnapshotFeed(SPREAD_NUMBERS, SPREAD_TEXTS)
            self.feeds[f"words {number}"] = SnapshotFeed(WORDS_NUMBERS, WORDS_TEXTS)
            self.feeds[f"heads {number}"] = SnapshotFeed(WORDS_NUMBERS, WORDS_TEXTS)
        for number in range(len(names)):
            self.feeds[f"line {number}"] = SnapshotFeed(LINE_NUMBERS)

    def draw(self, runs: Runs, courses: Mapping[str, Course]) -> Properties:
        """Fill the sources.

        Parameters
        ----------
        runs
            The runs of the candidates, in their order.
        courses
            The last run of each, by name.

        Returns
        -------
        dict
            Properties to set in the figure.
        """
        said = [cell_html(runs, candidate) for candidate in range(len(self._names))]
        for number, metrics in enumerate(PANELS):
            bars = [
                bar
                for place, metric in enumerate(metrics)
                for bar in self._bars(place, metric, runs, courses)
            ]
            self._draw_bars(number, bars, said)
        longest, fastest = runs.seconds, 1.0
        for number, name in enumerate(self._names):
            course = courses.get(name) or Course()
            # A reader may read after one list has grown and before the other has.
            known = min(len(course.seconds), len(course.pps))
            seconds, pps = course.seconds[:known], course.pps[:known]
            # The first rate is that since the start, so that even one reading makes a line.
            line = {"seconds": np.array([0.0][:known] + seconds), "pps": np.array(pps[:1] + pps)}
            self.feeds[f"line {number}"].show(line)
            longest = max(longest, *seconds, 0.0)
            fastest = max(fastest, *pps, 0.0)
        return {"run": {"end": float(longest)}, "rate": {"end": 1.05 * float(fastest)}}

    def _draw_bars(self, number: int, bars: Sequence[_Bar], said: Sequence[str]) -> None:
        spread = [bar for bar in bars if bar.most > bar.least]
        y = np.array([len(self._names) - bar.candidate - 0.5 for bar in bars])
        self.feeds[f"bars {number}"].show(
            {
                "left": np.array([bar.start for bar in bars]),
                "right": np.array([bar.end for bar in bars]),
                "y": y,
                "alpha": np.array([_WHOLE if bar.is_done else _SO_FAR for bar in bars]),
                "color": [look(bar.candidate)[0] for bar in bars],
                "said": [said[bar.candidate] for bar in bars],
            }
        )
        self.feeds[f"spread {number}"].show(
            {
                "left": np.array([bar.least for bar in spread]),
                "right": np.array([bar.most for bar in spread]),
                "y": np.array([len(self._names) - bar.candidate - 0.5 for bar in spread]),
                "color": [look(bar.candidate)[0] for bar in spread],
            }
        )
        self.feeds[f"words {number}"].show(
            {
                "x": np.array([max(bar.end, bar.most) for bar in bars]),
                "y": y,
                "text": [bar.words for bar in bars],
            }
        )
        heads = list(PANELS[number].values())
        self.feeds[f"heads {number}"].show(
            {
                "x": np.arange(len(heads), dtype=float),
                "y": np.full(len(heads), len(self._names) + 0.5),
                "text": heads,
            }
        )

    def _bars(
        self, place: int, metric: str, runs: Runs, courses: Mapping[str, Course]
    ) -> list[_Bar]:
        """Return a metric's bars, one a candidate, their lengths in proportion."""
        numbers = range(len(self._names))
        values = [self._value(runs, courses, number, metric) for number in numbers]
        each = [_measured(runs, number, metric) for number in numbers]
        shown = [value for value, _ in values if not math.isnan(value)]
        most = max([*shown, *chain.from_iterable(each)], default=0.0)
        scale = BAR_ROOM / most if most else 0.0
        return [
            _Bar(
                candidate,
                start=float(place),
                end=place + (0.0 if math.isnan(value) else value * scale),
                least=place + min(known, default=0.0) * scale,
                most=place + max(known, default=0.0) * scale,
                is_done=is_done,
                words=_words(runs, candidate, place, metric, value),
            )
            for candidate, ((value, is_done), known) in enumerate(zip(values, each, strict=True))
        ]

    def _value(
        self, runs: Runs, courses: Mapping[str, Course], candidate: int, metric: str
    ) -> tuple[float, bool]:
        """Return a bar's value, and whether it is of complete runs."""
        median = runs.median(candidate, metric)
        course = courses.get(self._names[candidate])
        if not math.isnan(median) or course is None or not course.is_running:
            return median, True
        so_far = course.figures.get(metric)
        return (math.nan if so_far is None else so_far), False


def _words(runs: Runs, candidate: int, place: int, metric: str, value: float) -> str:
    if not math.isnan(value):
        return figure_words(metric, value)
    status, _reason = runs.status(candidate)
    if status in ("refused", "failed"):
        return status if place == 0 else ""
    return "-"


def _measured(runs: Runs, candidate: int, metric: str) -> list[float]:
    values = [run.figures.get(metric) for run in runs.of(candidate)]
    return [value for value in values if value is not None and not math.isnan(value)]


def reasons_html(runs: Runs) -> str:
    """Return why candidates could not be measured, or were sent less than was asked for."""
    told = []
    for number, settings in enumerate(runs.combinations):
        status, reason = runs.status(number)
        name = html.escape(str(next(iter(settings.values()))))
        if reason:
            told.append(f"<div><b>{name}</b> {status}: {html.escape(reason)}</div>")
        if limited := runs.limited(number):
            told.append(f"<div><b>{name}</b>: {html.escape(limited)}</div>")
    return f'<div style="line-height: 1.4; padding: 2px 4px">{"".join(told)}</div>' if told else ""
