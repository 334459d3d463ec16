"""What a search is for: a figure of a run, or a function of its figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite, isnan
from typing import Self

from xdplab.core.checks import choice, is_a, real
from xdplab.experiments.metrics import METRICS, Figures

Function = Callable[[Figures], float | None]

FIGURES = {"pps": "pps", "p99": "p99_ns", "cpu": "cpu_ns_per_packet"}
"""The metric behind each name."""


@dataclass(frozen=True)
class Objective:
    """How a run is judged."""

    name: str
    metric: str | None
    """None where a function judges."""
    function: Function | None = None

    @classmethod
    def of(cls, objective: str | Function) -> Self:
        """Find out what is meant.

        Raises
        ------
        ConfigurationError
            For a name that is not in `FIGURES`.
        """
        if callable(objective):
            return cls(str(getattr(objective, "__name__", "function")), None, objective)
        name = choice("objective", objective, FIGURES)
        return cls(name, FIGURES[name])

    def score(self, figures: Figures) -> float | None:
        """Judge a run: the more the better; None where what it takes was not measured.

        What loses packets to be quick with the others is no better for it: a latency or a cost is
        divided by the share of the packets that arrived.
        """
        if self.metric is None:
            judged = None if self.function is None else self.function(figures)
            if judged is None or (is_a(judged, float) and isnan(judged)):
                return None
            score = real(f"objective: {self.name}(...)", judged, -inf, inf)
            return score if isfinite(score) else None
        value = figures[self.metric]
        if value is None or METRICS[self.metric].more_is_better:
            return value
        arrived = 1 - (figures["lost_percent"] or 0) / 100
        return -value / arrived if arrived > 0 else None
