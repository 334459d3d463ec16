"""The importance of each knob, computed from the settings that were tried.

The model is linear, fitted by ridge regression: each value of a knob adds a part to the score.
Optuna's PED-ANOVA does not fit: it compares the best settings with the others that the search went
on with, so a wrong value that the search left at once, and that cost nine tenths, hardly counts.
Optuna's fANOVA needs scikit-learn, and ignores knobs that are not in every setting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

_RIDGE = 1.0
"""Weight of the ridge: it pulls each part to 0 as one setting with an average score would."""

_FEWEST = 6


def importances(
    settings: Sequence[Mapping[str, object]], scores: Sequence[float]
) -> dict[str, float]:
    """Attribute the differences of the score to the knobs.

    Parameters
    ----------
    settings
        The settings tried, each without the knobs that had no effect in it.
    scores
        The score of each. If all have the same sign, factors count instead of differences.

    Returns
    -------
    dict
        Shares of 1 by knob, the largest first; empty with fewer than 6 settings, or if all scores
        are equal.
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
