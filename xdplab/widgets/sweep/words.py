"""The sweep widget's texts: in a cell, on hover, and beside the colour scale."""

from __future__ import annotations

import html
import math

from xdplab.experiments.metrics import METRICS
from xdplab.experiments.runs import Runs, words
from xdplab.widgets.latency.words import duration
from xdplab.widgets.palette import si
from xdplab.widgets.sweep.colors import RAMP

_STOPS = 16


def figure_words(metric: str, value: float) -> str:
    """Return a metric's value with three digits: "1.52 M", "4.61 µs"; a dash for nan."""
    unit = METRICS[metric].unit
    if math.isnan(value):
        return "-"
    if unit.startswith("ns"):
        return duration(value)
    return f"{si(value).strip()} %" if unit == "%" else si(value).strip()


def metric_words(metric: str) -> str:
    """Return a metric's name, its unit, and whether high or low is good."""
    about = METRICS[metric]
    unit = "" if about.unit.startswith("ns") else about.unit
    per_packet = ", a packet" if about.unit == "ns/packet" else ""
    good = "more" if about.more_is_better else "less"
    return f"{about.label}{f' ({unit})' if unit else ''}{per_packet}: {good} is better"


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
        '<div style="display: flex; align-items: center; gap: 8px; padding: 2px 4px;'
        ' flex-wrap: wrap; line-height: 1.4; font-variant-numeric: tabular-nums">'
        f"<span>{html.escape(metric_words(metric))}</span>"
        f'<span style="margin-left: 16px">{figure_words(metric, worst)}</span>'
        '<span style="display: inline-block; width: 160px; height: 12px;'
        f' background: linear-gradient(to right, {colors})"></span>'
        f"<span>{figure_words(metric, best)}</span></div>"
    )


def with_unit(metric: str, value: float) -> str:
    """Return a metric's value with its unit: "1.52 M packets/s", "4.61 µs", "0.02 /packet"."""
    unit = METRICS[metric].unit
    if math.isnan(value) or unit == "%":
        return figure_words(metric, value)
    if unit.startswith("ns"):
        return figure_words(metric, value) + unit[2:]
    return f"{figure_words(metric, value)} {unit.removeprefix('1')}"
