"""Checks of lesson 04, Batches and budgets."""

from __future__ import annotations

from xdplab.course.checking import Checks, WrongAnswerError, a_number, called, several

_WAITING, _BATCH = 10, 32  # as the exercise has it
_TURN, _PACKET = 200, 50  # ns, likewise
_BATCHES = (1, 32)
_CLOSE = 0.01


def taken_now(answer: object) -> None:
    """Check how many packets a worker takes of fewer than its batch."""
    taken = a_number(answer, "a number of packets")
    if taken == _WAITING:
        return
    if taken == _BATCH:
        raise WrongAnswerError("there are not so many in the ring.")
    if taken == 0:
        raise WrongAnswerError("then it would wait until a batch is full. Does it?")
    raise WrongAnswerError(f"{taken:g} is neither what waits nor what it may take at most.")


def rates_of_batches(answer: object) -> None:
    """Check the rates of two batches, given what a turn and a packet take."""
    given_rates = several(answer, "a pair of numbers", len(_BATCHES))
    for batch, given in zip(_BATCHES, given_rates, strict=True):
        rate = a_number(given, "a rate")
        right = 1e9 / (_TURN / batch + _PACKET)
        if abs(rate * 1e9 - right) < _CLOSE * right or rate < 1000:
            raise WrongAnswerError("packets a second are wanted: a second has 1e9 nanoseconds.")
        if abs(rate - right) > _CLOSE * right:
            raise WrongAnswerError(
                f"{rate:,.0f} a second with a batch of {batch} is not it: how long does one packet "
                "take, with its part of the turn?"
            )


_RUNS = (
    ([(100, 0), (200, 0), (400, 3), (800, 90)], 200, "loss begins in the middle"),
    ([(400, 0), (100, 0), (200, 5)], 100, "a run above the first loss lost nothing, by luck"),
    ([(100, 1), (200, 7)], 0, "even the smallest rate lost some"),
    ([(100, 0), (300, 0)], 300, "nothing was lost at all"),
)


def finds_the_knee(function: object) -> None:
    """Check a function that finds the largest rate without loss."""
    for runs, right, case in _RUNS:
        found = a_number(called(function, list(runs)), "a rate of those given, or 0,")
        if found != right:
            raise WrongAnswerError(f"where {case}, it returns {found:g}.")


CHECKS: Checks = {"1": taken_now, "2": rates_of_batches, "3": finds_the_knee}
