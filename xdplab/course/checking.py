"""Checks of exercises: each says what is wrong with an answer, and never gives the right one.

The checks of lesson NN are in `xdplab/course/lesson_NN.py`, in its table ``CHECKS``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import EllipsisType
from typing import Any, TypeVar

from xdplab.core.calls import public_function
from xdplab.core.checks import items, number, shown
from xdplab.core.errors import ConfigurationError, XdplabError
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted
from xdplab.course import progress

Check = Callable[..., None]
"""Gets what `check` was given after the exercise's name. Raises `WrongAnswerError`, or returns."""

Checks = Mapping[str, Check]
"""The checks of a lesson by the number of the exercise: "1", "2"."""

Thing = TypeVar("Thing")

_NAME = re.compile(r"(\d\d)\.(\d+)")


class WrongAnswerError(Exception):
    """Says in a sentence what is wrong with an answer."""


class UnfilledError(Exception):
    """Says in a sentence what the reader has not filled in yet."""


@dataclass(frozen=True, repr=False)
class Verdict(Tabled):
    """What a check says of an answer. It is true if the answer is right."""

    exercise: str
    right: bool
    words: str

    def __bool__(self) -> bool:
        return self.right

    def _table(self) -> Table:
        return Table(f"{'✓' if self.right else '✗'} {self.exercise}: {self.words}")


@public_function
def check(exercise: str, *answer: object) -> Verdict:
    """Check the answer to an exercise of the course.

    ::

        check("01.1", answer)

    An exercise that was solved counts as progress, which ``xdplab course`` shows, if the notebook
    is one of the reader's copies.

    Parameters
    ----------
    exercise
        Its name: the lesson's number and its own, "01.1".
    answer
        What the exercise asks for. While `...` is among it, the check only says so.

    Returns
    -------
    Verdict
        Whether it is right, and what is wrong if it is not.

    Raises
    ------
    ConfigurationError
        For an exercise that there is not.
    """
    looks_at = _check_of(exercise)
    try:
        if any(isinstance(part, EllipsisType) for part in answer):
            raise UnfilledError("put your answer in place of `...`.")
        looks_at(*answer)
    except UnfilledError as unfilled:
        return Verdict(exercise, False, f"not filled in yet: {unfilled}")
    except WrongAnswerError as wrong:
        return Verdict(exercise, False, str(wrong))
    progress.note(exercise)
    return Verdict(exercise, True, "right.")


def checks_of(lesson: str) -> Checks:
    """Return the checks of a lesson by its number, "01"; none where it has no exercises."""
    try:
        found: Checks = import_module(f"xdplab.course.lesson_{lesson}").CHECKS
    except ModuleNotFoundError:
        return {}
    return found


def _check_of(exercise: object) -> Check:
    name = _NAME.fullmatch(exercise) if isinstance(exercise, str) else None
    found = checks_of(name[1]).get(name[2]) if name else None
    if found is None:
        raise ConfigurationError(
            f"exercise={shown(exercise)} is none of the course's: they are called as the lesson's "
            'headings call them, "01.1".'
        )
    return found


def an(kind: type[Thing], answer: object, wanted: str) -> Thing:
    """Return an answer if it is of a kind; `WrongAnswerError` says what was wanted if not."""
    if isinstance(answer, kind):
        return answer
    raise WrongAnswerError(f"{shown(answer)} is no answer: {wanted} is wanted.")


def a_number(answer: object, wanted: str) -> float:
    """Return an answer if it is a finite number, numpy's included."""
    found = number(answer)
    if math.isfinite(found):
        return found
    raise WrongAnswerError(f"{shown(answer)} is no answer: {wanted} is wanted.")


def a_whole_number(answer: object, wanted: str) -> int:
    """Return an answer if it is a whole number; 3.0 is one."""
    found = a_number(answer, wanted)
    if found % 1:
        raise WrongAnswerError(f"{shown(answer)} is no whole number, and {wanted} is one.")
    return int(found)


def several(answer: object, wanted: str, count: int | None = None) -> list[Any]:
    """Return the parts of an answer; with a count, of one that has an order and so many parts."""
    try:
        parts = items("answer", answer, wanted)
    except ConfigurationError:
        parts = None
    if parts is None or (count is not None and isinstance(answer, Set)):
        raise WrongAnswerError(f"{shown(answer)} is no answer: {wanted} is wanted.")
    if count is not None and len(parts) != count:
        raise WrongAnswerError(f"{wanted} is wanted, and this has {counted(len(parts), 'part')}.")
    return parts


def letters(answer: object, known: Collection[str]) -> frozenset[str]:
    """Return an answer if it is letters of a list of sentences, each a known one."""
    parts = several(answer, 'a set of letters, such as {"a"},')
    named = frozenset(str(part).lower() for part in parts)
    if unknown := sorted(named - set(known)):
        raise WrongAnswerError(f"{unknown[0]!r} is none of the letters.")
    return named


_SHARE_MARGIN = 0.006  # an answer may be rounded to two digits


def is_share(answer: object, right: float) -> bool:
    """Tell whether an answer is a share; one in percent is a `WrongAnswerError`."""
    share = a_number(answer, "a share, 0 to 1,")
    if abs(share - 100 * right) < 100 * _SHARE_MARGIN:
        raise WrongAnswerError("a share is wanted, not percent.")
    return abs(share - right) < _SHARE_MARGIN


@contextmanager
def running_theirs() -> Iterator[None]:
    """Run code of the reader's: what it raises is a `WrongAnswerError`, in words."""
    try:
        yield
    except XdplabError as error:
        raise WrongAnswerError(f"your function was refused: {error}") from error
    except Exception as error:
        raise WrongAnswerError(f"your function failed: {type(error).__name__}: {error}") from error


def called(function: object, *arguments: object, may_return_none: bool = False) -> Any:
    """Call a function of the reader's, which returns something.

    Raises
    ------
    UnfilledError
        When it returns nothing.
    WrongAnswerError
        When it is no function, or failed.
    """
    if not callable(function):
        raise WrongAnswerError(f"{shown(function)} is no answer: a function is wanted.")
    with running_theirs():
        returned = function(*arguments)
    return filled(returned, may_be_none=may_return_none)


def filled(returned: Any, *, may_be_none: bool = False) -> Any:
    """Return what a function of the reader's returned; `UnfilledError` where that is nothing."""
    if isinstance(returned, EllipsisType) or (returned is None and not may_be_none):
        raise UnfilledError("your function returns nothing.")
    return returned
