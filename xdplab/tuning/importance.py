"""By how much each knob mattered, from what was tried.

Not by Optuna's PED-ANOVA, which asks what tells the best settings from those that the search went
on with: the wrong value that it left at once, and that cost nine tenths, hardly counts there. Its
fANOVA takes scikit-learn, and passes over knobs that are not in every setting. So a model in which
each value of a knob adds its part to the score is fitted, with a ridge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

_RIDGE = 1.0
"""How much each value's part is drawn to none: as much as one setting of none would."""

_FEWEST = 6


def importances(
    settings: Sequence[Mapping[str, object]], scores: Sequence[float]
) -> dict[str, float]:
    """Share out the score's differences among the knobs.

    Parameters
    ----------
    settings
        What was tried, each without the knobs that did nothing beside the rest.
    scores
        How each was judged. Where all have one sign, factors count, and not differences.

    Returns
    -------
    dict
        By knob, shares of 1, the largest first; empty with fewer than 6 settings, or where all
        scored alike.
    """
    if len(settings) < _FEWEST:
        return {}
    values = np.array(scores, float)
    if (values > 0).all() or (values < 0).all():
        values = np.log(np.abs(values))
    columns = list(dict.fromkeys((n, repr(v)) for each in settings for n, v in each.items()))
    is_set = np.array(
        [[float(repr(each.get(name)) == value) for name, value in columns] for each in settings]
    )
    is_set -= is_set.mean(axis=0)
    squares = is_set.T @ is_set + _RIDGE * np.eye(len(columns))
    parts = np.linalg.solve(squares, is_set.T @ (values - values.mean()))
    names = dict.fromkeys(name for name, _ in columns)
    spread = {
        name: float(
            np.var([part for part, column in zip(parts, columns, strict=True) if column[0] == name])
        )
        for name in names
    }
    total = sum(spread.values())
    if not total:
        return {}
    return {n: spread[n] / total for n in sorted(spread, key=lambda name: -spread[name])}
