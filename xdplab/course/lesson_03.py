"""Checks of lesson 03, on how a thread should wait."""

from __future__ import annotations

from collections.abc import Mapping

from xdplab.course.checking import (
    Checks,
    WrongAnswerError,
    a_whole_number,
    an,
    called,
    several,
)
from xdplab.experiments.each import Measurements

_COME = 300  # packets, in a sleep of the exercise
_SPINNING = ("spin", "busy-poll", "uring-sqpoll")


def never_sleep(answer: object, each: object) -> None:
    """Check which strategies of the reader's own table were never woken."""
    named = {an(str, name, "the name of a strategy") for name in several(answer, "a list of names")}
    measured = an(Measurements, each, "the table `each` of this lesson").measured
    for name in sorted(named):
        if name not in measured:
            raise WrongAnswerError(f"{name!r} is no strategy that was measured in your table.")
    awake = {name for name in measured if name in _SPINNING}
    if sleeper := next(iter(sorted(named - awake)), None):
        raise WrongAnswerError(f"{sleeper} does sleep: what does it do while its ring is empty?")
    if len(named) < len(awake):
        raise WrongAnswerError(f"there are {len(awake)} of them, and you have {len(named)}.")


def ring_for_a_sleep(answer: object) -> None:
    """Check the smallest ring that holds what comes while a worker sleeps."""
    entries = a_whole_number(answer, "a number of entries")
    if entries <= 0 or entries & entries - 1:
        raise WrongAnswerError(f"{entries:,} is no power of two, as a ring's size has to be.")
    if entries < _COME:
        raise WrongAnswerError(f"more than {entries:,} packets come in that time.")
    if entries >= 2 * _COME:
        raise WrongAnswerError("a ring of half the size would do.")


_QUICK, _MEDIUM, _SLOW = 10_000.0, 50_000.0, 400_000.0  # ns
_NAMES = ("latency p50", "latency p99", "core: busy", "core: empty polls", "CPU a packet")
_FIGURES: Mapping[str, Mapping[str, float]] = {
    name: dict(zip(_NAMES, figures, strict=False))
    for name, figures in {
        "spin": (2_000.0, _QUICK, 0.01, 0.98, 50.0),
        "refused": (),
        "adaptive": (3_000.0, _MEDIUM, 0.05, 0.25, 900.0),
        "busy": (4_000.0, _MEDIUM, 0.40, 0.0, 800.0),
        "poll": (5_000.0, _SLOW, 0.10, 0.0, 700.0),
    }.items()
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
