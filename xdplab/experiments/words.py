"""The figures of `METRICS` as text."""

from __future__ import annotations

from math import isnan

from xdplab.core.text import duration, short
from xdplab.experiments.metrics import METRICS


def figure_words(metric: str, value: float) -> str:
    """Return a metric's value with three digits: "1.52 M", "4.61 µs"; a dash for nan."""
    unit = METRICS[metric].unit
    if isnan(value):
        return "-"
    if unit.startswith("ns"):
        return duration(value)
    return f"{short(value)} %" if unit == "%" else short(value)


def metric_words(metric: str) -> str:
    """Return a metric's name, its unit, and whether high or low is good."""
    about = METRICS[metric]
    unit = "" if about.unit.startswith("ns") else about.unit
    per_packet = ", a packet" if about.unit == "ns/packet" else ""
    good = "more" if about.more_is_better else "less"
    return f"{about.label}{f' ({unit})' if unit else ''}{per_packet}: {good} is better"


def with_unit(metric: str, value: float) -> str:
    """Return a metric's value with its unit: "1.52 M packets/s", "4.61 µs", "0.02 /packet"."""
    unit = METRICS[metric].unit
    if isnan(value) or unit == "%":
        return figure_words(metric, value)
    if unit.startswith("ns"):
        return figure_words(metric, value) + unit[2:]
    return f"{figure_words(metric, value)} {unit.removeprefix('1')}"
