"""The cells of the heat map: place, colour and text of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from xdplab.experiments.metrics import METRICS
from xdplab.experiments.runs import Runs, value_words
from xdplab.experiments.words import figure_words
from xdplab.widgets.base.feed import Columns
from xdplab.widgets.parts.results import cell_html
from xdplab.widgets.style import ramp
from xdplab.widgets.style.palette import GREY, VERMILLION

NUMBERS: Mapping[str, Sequence[str]] = {"cells": ("x", "y", "alpha"), "marks": ("x", "y")}
TEXTS: Mapping[str, Sequence[str]] = {
    "cells": ("color", "ink", "text", "said", "combination"),
    "marks": ("color",),
}
"""The text columns of each source, in addition to its `NUMBERS`."""

MOST_WRITTEN = (14, 24)
"""Most columns and rows for which the cells have room for text."""

_BEST = "★ "
_PLANNED, _NOT_MEASURED = 0.12, 0.3  # opacity


class Choice(NamedTuple):
    """The part of a sweep that the map shows."""

    metric: str
    x: str
    """The knob along the map."""
    y: str | None
    """The knob upwards; None if the sweep has only one."""
    others: Mapping[str, object]
    """The values of the other knobs."""


class Cells(NamedTuple):
    """The drawn cells, with the names of columns and rows."""

    columns: list[str]
    """The names along the map."""
    rows: list[str]
    worst: float
    """Values at the ends of the colour scale; nan if nothing was measured."""
    best: float
    sources: Mapping[str, Columns]


def cells(runs: Runs, choice: Choice) -> Cells:
    """Compute the cells.

    Colours and the best cell are those of the whole sweep, not of the part shown, so that two parts
    can be compared.
    """
    medians = [runs.median(number, choice.metric) for number in range(len(runs.combinations))]
    known = sorted(value for value in medians if not math.isnan(value)) or [math.nan]
    worst, best = known[0], known[-1]
    if not METRICS[choice.metric].more_is_better:
        worst, best = best, worst
    columns = names(runs.knobs[choice.x])
    rows = names(runs.knobs[choice.y]) if choice.y else [""]
    written = len(columns) <= MOST_WRITTEN[0] and len(rows) <= MOST_WRITTEN[1]
    shown = _shown(runs, choice)
    drawn: dict[str, list[str]] = {name: [] for name in TEXTS["cells"]}
    alphas: list[float] = []
    for combination, _, _ in shown:
        value, (status, _reason) = medians[combination], runs.status(combination)
        if math.isnan(value):
            alphas.append(_PLANNED if status == "planned" else _NOT_MEASURED)
            drawn["color"].append(GREY)
            drawn["ink"].append(VERMILLION)
        else:
            at = ramp.share(value, worst, best)
            alphas.append(1)
            drawn["color"].append(ramp.color(at))
            drawn["ink"].append(ramp.ink(at))
        drawn["text"].append(
            _text(status, choice.metric, value, value == best and len(known) > 1) if written else ""
        )
        drawn["said"].append(cell_html(runs, combination))
        drawn["combination"].append(str(combination))
    present = runs.present
    marked = [
        (x, y)
        for combination, x, y in shown
        if present is not None and runs.combinations[combination] is present.settings
    ]
    return Cells(
        columns,
        rows,
        worst,
        best,
        {
            "cells": {
                "x": np.array([x + 0.5 for _, x, _ in shown]),
                "y": np.array([y + 0.5 for _, _, y in shown]),
                "alpha": np.array(alphas, dtype=float),
                **drawn,
            },
            "marks": {
                "x": np.array([x + 0.5 for x, _ in marked]),
                "y": np.array([y + 0.5 for _, y in marked]),
                "color": [VERMILLION for _ in marked],
            },
        },
    )


def names(values: Sequence[object]) -> list[str]:
    """Return unique names of the values, for an axis or a menu."""
    plain = [value_words(value) for value in values]
    return plain if len(set(plain)) == len(plain) else [repr(value) for value in values]


def _shown(runs: Runs, choice: Choice) -> list[tuple[int, int, int]]:
    """Return the combinations shown, each with its column and row."""
    found = []
    for number, settings in enumerate(runs.combinations):
        if all(settings[name] == value for name, value in choice.others.items()):
            x = runs.knobs[choice.x].index(settings[choice.x])
            y = runs.knobs[choice.y].index(settings[choice.y]) if choice.y else 0
            found.append((number, x, y))
    return found


def _text(status: str, metric: str, value: float, is_best: bool) -> str:
    if status in ("refused", "failed"):
        return status
    if status == "planned":
        return ""
    return f"{_BEST if is_best else ''}{figure_words(metric, value)}"
