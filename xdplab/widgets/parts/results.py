"""Texts of measured results: of a combination of settings, and beside the colour scale."""

from __future__ import annotations

import html
import math

from xdplab.experiments.metrics import METRICS
from xdplab.experiments.runs import Runs, words
from xdplab.experiments.words import figure_words, metric_words, with_unit
from xdplab.widgets.style.ramp import RAMP

_STOPS = 16


def cell_html(runs: Runs, combination: int) -> str:
    """Return the text on a combination and its results."""
    status, reason = runs.status(combination)
    head = f"<b>{html.escape(words(runs.combinations[combination]))}</b>"
    if status == "planned":
        return f"{head}<br>not measured yet"
    if status != "measured":
        return f'{head}<br>{status}<div style="max-width: 320px">{html.escape(reason)}</div>'
    measured = sum(run.status == "measured" for run in runs.of(combination))
    rows = "".join(
        f'<tr><td>{html.escape(about.label)}</td><td style="text-align: right; padding-left: 10px">'
        f"<b>{with_unit(metric, runs.median(combination, metric))}</b></td></tr>"
        for metric, about in METRICS.items()
    )
    rounds = f"median of {measured} runs" if measured > 1 else "1 run"
    return f"{head}<br>{rounds} of {runs.seconds:g} s<table>{rows}</table>"


def scale_html(metric: str, worst: float, best: float) -> str:
    """Return the colour scale from the worst to the best value, with its labels."""
    if math.isnan(worst):
        return f'<div style="padding: 2px 4px">{html.escape(metric_words(metric))}</div>'
    colors = ", ".join(RAMP[round(at * (len(RAMP) - 1) / _STOPS)] for at in range(_STOPS + 1))
    return (
        '<div style="display: flex; align-items: center; gap: 0 24px; padding: 2px 4px;'
        ' flex-wrap: wrap; line-height: 1.4; font-variant-numeric: tabular-nums">'
        f"<span>{html.escape(metric_words(metric))}</span>"
        # One thing, which goes to the next line as a whole.
        '<span style="display: inline-flex; align-items: center; gap: 8px; white-space: nowrap">'
        f"<span>{figure_words(metric, worst)}</span>"
        '<span style="display: inline-block; width: 160px; height: 12px;'
        f' background: linear-gradient(to right, {colors})"></span>'
        f"<span>{figure_words(metric, best)}</span></span></div>"
    )
