"""Plausible wrong answers to the exercises of the course, one file a lesson."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

WrongAnswers = Mapping[str, Sequence[str]]
"""By the number of the exercise, what a reader might put before the last line of its cell."""


def wrong_answers(exercise: str) -> Sequence[str]:
    """Return the wrong answers to an exercise: "01.1"."""
    lesson, number = exercise.split(".")
    found: WrongAnswers = import_module(f"{__name__}.lesson_{lesson}").WRONG
    return found[number]
