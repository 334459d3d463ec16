"""The result of a search, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from xdplab.core.text import counted
from xdplab.experiments.metrics import METRICS
from xdplab.experiments.words import with_unit
from xdplab.tuning.space import relevant

if TYPE_CHECKING:
    from xdplab.tuning.objective import Objective
    from xdplab.tuning.result import Tried

_KNOBS_NAMED = 3


def sentence(
    objective: Objective,
    best: Tried,
    begin: Tried,
    importances: Mapping[str, float],
    *,
    runs: int,
) -> str:
    """Return a sentence that compares the best setting with the initial one."""
    number = counted(runs, "run")
    label = "score" if objective.metric is None else METRICS[objective.metric].label
    found = f"{label[0].upper()}{label[1:]} {figure_words(objective, best)}"
    if objective.metric == "pps" and not best.figure("pps"):
        return (
            f"No packet arrived in any of {number}, so no setting is better than another. Is "
            "anything sending to the interface? engine.ledger() says where packets go."
        )
    if best is begin:
        return f"None of {number} did better than the setting that it began with: {found}."
    now, before = (
        setting_words({n: v for n, v in relevant(one.setting).items() if v != other.setting[n]})
        for one, other in ((best, begin), (begin, best))
    )
    if begin.scores:
        began = f"{_ratio(objective, best, begin)}the {figure_words(objective, begin)}"
        began = f"{began} that it began with ({before})"
    else:
        began = f"where the setting that it began with ({before}) gave nothing to judge"
    said = f"{found} with {now}, {began}, after {number}"
    if not importances:
        return f"{said}."
    shares = [f"{name} {share:.0%}" for name, share in list(importances.items())[:_KNOBS_NAMED]]
    return f"{said}; what mattered: {', '.join(shares)}."


def setting_words(setting: Mapping[str, object]) -> str:
    """Return knobs and values: "wait='spin', batch=64"."""
    return ", ".join(f"{name}={value!r}" for name, value in setting.items())


def figure_words(objective: Objective, tried: Tried) -> str:
    """Return the figure by which a setting was scored, with its unit."""
    if objective.metric is None:
        return f"{tried.score:.4g}"
    return with_unit(objective.metric, tried.figure(objective.metric))


def _ratio(objective: Objective, best: Tried, begin: Tried) -> str:
    if objective.metric is None:
        return "against "
    after, before = best.figure(objective.metric), begin.figure(objective.metric)
    return f"{after / before:.3g} times " if before > 0 else "against "
