"""Checks of lesson 03, on how a thread should wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from xdplab.course.checking import Checks, WrongAnswerError, a_number, an, called
from xdplab.experiments.each import Measurements

_COME = 300  # packets, in a sleep of the exercise
_SPINNING = ("spin", "busy-poll", "uring-sqpoll")


def never_sleep(answer: object, each: object) -> None:
    """Check which strategies of the reader's own table were never woken."""
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        raise WrongAnswerError(f"{answer!r} is no answer: a list of names is wanted.")
    measured = an(Measurements, each, "the table `each` of this lesson").measured
    named = set(answer)
    for name in named:
        if name not in measured:
            raise WrongAnswerError(f"{name!r} is no strategy that was measured in your table.")
    awake = {name for name in measured if name in _SPINNING}
    if sleeper := next((name for name in named if name not in awake), None):
        raise WrongAnswerError(f"{sleeper} does sleep: what does it do while its ring is empty?")
    if len(named) < len(awake):
        raise WrongAnswerError(f"there are {len(awake)} of them, and you have {len(named)}.")


def ring_for_a_sleep(answer: object) -> None:
    """Check the smallest ring that holds what comes while a worker sleeps."""
    entries = a_number(answer, "a number of entries")
    if entries != int(entries) or entries <= 0 or int(entries) & int(entries) - 1:
        raise WrongAnswerError(f"{entries:g} is no power of two, as a ring's size has to be.")
    if entries < _COME:
        raise WrongAnswerError(f"more than {entries:g} packets come in that time.")
    if entries >= 2 * _COME:
        raise WrongAnswerError("a ring of half the size would do.")


_QUICK, _MEDIUM, _SLOW = 10_000.0, 50_000.0, 400_000.0  # ns
_FIGURES: Mapping[str, Mapping[str, float]] = {
    "spin": {"latency p99": _QUICK, "core: busy": 0.01, "core: empty polls": 0.98},
    "refused": {},
    "adaptive": {"latency p99": _MEDIUM, "core: busy": 0.05, "core: empty polls": 0.25},
    "busy": {"latency p99": _MEDIUM, "core: busy": 0.40, "core: empty polls": 0.0},
    "poll": {"latency p99": _SLOW, "core: busy": 0.10, "core: empty polls": 0.0},
}
"""Figures of no machine, by which each slip shows."""

_CASES = (
    (_SLOW, "poll", "every strategy is quick enough"),
    (2 * _QUICK, "spin", "only `spin` is quick enough"),
    (_MEDIUM, "adaptive", "a percentile is exactly the limit, and another strategy idles less"),
    (_QUICK / 2, None, "none is quick enough"),
)


def chooses(function: object) -> None:
    """Check a function that chooses a strategy by latency and CPU time."""
    for limit, wanted, case in _CASES:
        given = {name: dict(figures) for name, figures in _FIGURES.items()}
        chosen = called(function, given, limit, may_return_none=wanted is None)
        if chosen != wanted:
            raise WrongAnswerError(f"where {case}, it chooses {chosen!r}.")


CHECKS: Checks = {"1": never_sleep, "2": ring_for_a_sleep, "3": chooses}
