"""The objective of a search: a figure of a run, or a function of its figures."""

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
    """The function that scores a run."""

    name: str
    metric: str | None
    """None if a function scores the run."""
    function: Function | None = None

    @classmethod
    def of(cls, objective: str | Function) -> Self:
        """Return the objective of a name or a function.

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
        """Return the score of a run, the higher the better; None if a figure is missing.

        A latency or a cost is divided by the share of the packets that arrived, so that losing
        packets does not improve the score.
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
