"""Checks of lesson 12, Tune it."""

from __future__ import annotations

from collections.abc import Mapping

from xdplab.course.checking import Checks, WrongAnswerError, a_number, called

_KNOBS, _VALUES, _ROUNDS, _SECONDS = 3, 5, 3, 0.5  # as the exercise has them


def seconds_of_a_grid(answer: object) -> None:
    """Check how long a grid takes."""
    seconds = a_number(answer, "a number of seconds")
    runs = _VALUES**_KNOBS
    if seconds == runs * _ROUNDS * _SECONDS:
        return
    if seconds == runs * _SECONDS:
        raise WrongAnswerError("that is one round.")
    if seconds == runs * _ROUNDS:
        raise WrongAnswerError("that is the number of runs.")
    if seconds < runs * _SECONDS:
        raise WrongAnswerError("each value of a knob is measured with each of the others.")
    raise WrongAnswerError(f"{seconds:g} is not it: how many combinations are there?")


_SPEED = (100.0, 90.0, 70.0, 50.0, 40.0)  # of the machine, round by round
_AHEAD = 1.2
_MARGIN = 0.005


def factor(function: object) -> None:
    """Check a function that compares rounds of two settings on a machine that slows down."""
    one = [_AHEAD * speed for speed in _SPEED]
    for wrong_round, wrong_rate in ((0, 10.0), (4, 400.0)):
        spoiled = list(one)
        spoiled[wrong_round] = wrong_rate
        said = a_number(called(function, spoiled, list(_SPEED)), "a factor")
        if abs(said - _AHEAD) > _MARGIN:
            raise WrongAnswerError(
                f"of {spoiled} and {list(_SPEED)} it says {said:.3g}: a round that went "
                "wrong, or the machine's slowing down, is in it."
            )
    if abs(a_number(called(function, list(_SPEED), one), "a factor") - 1 / _AHEAD) > _MARGIN:
        raise WrongAnswerError("it says the same of `one` and `other` as the other way round.")


_TRIED: Mapping[str, tuple[float, float]] = {
    "fast": (900.0, 80.0),
    "as fast, and later": (900.0, 95.0),
    "between": (700.0, 40.0),
    "early": (300.0, 10.0),
    "as early, and slower": (250.0, 10.0),
    "bad": (200.0, 60.0),
}
_FRONT = {"fast", "between", "early"}


def front(function: object) -> None:
    """Check a function that finds the settings that no other beats."""
    found = called(function, dict(_TRIED))
    if isinstance(found, str) or not hasattr(found, "__iter__"):
        raise WrongAnswerError("a set of names is wanted.")
    names = set(found)
    if unknown := names - set(_TRIED):
        raise WrongAnswerError(f"{unknown.pop()!r} is no setting that was tried.")
    for name in _TRIED:
        if name in names and name not in _FRONT:
            raise WrongAnswerError(f"it keeps {_TRIED[name]}, which another one of {_all()} beats.")
        if name not in names and name in _FRONT:
            raise WrongAnswerError(f"it forgets {_TRIED[name]}, which no other of {_all()} beats.")
    if set(called(function, {"one": (5.0, 5.0), "twin": (5.0, 5.0)})) != {"one", "twin"}:
        raise WrongAnswerError("of two that are equal, neither beats the other.")


def _all() -> str:
    return ", ".join(map(str, _TRIED.values()))


CHECKS: Checks = {"1": seconds_of_a_grid, "2": factor, "3": front}
