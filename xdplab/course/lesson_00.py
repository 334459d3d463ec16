"""Checks of lesson 00, Start here."""

from __future__ import annotations

from xdplab.course.checking import Checks, WrongAnswerError, an, called, letters
from xdplab.lab.lab import Lab
from xdplab.ledger.account import Account

_OF_A_STACK, _OF_A_SPEED = "d", "b"
_BELIEVABLE = {"a", "c"}
_PACKETS, _ONE_IN = 1000, 5  # as the exercise has it
_LOSSES = ("RX ring full", "no fill descriptor")


def believable(answer: object) -> None:
    """Check which sentences hold of a simulated lab."""
    named = letters(answer, _BELIEVABLE | {_OF_A_STACK, _OF_A_SPEED})
    if _OF_A_SPEED in named:
        raise WrongAnswerError("one of them is about how quick a kernel is.")
    if _OF_A_STACK in named:
        raise WrongAnswerError("one of them needs a network stack.")
    if named != _BELIEVABLE:
        raise WrongAnswerError("there are more that hold.")


def one_in_five(function: object) -> None:
    """Check a function that loses one packet in five."""
    with Lab(backend="soft") as lab:
        account = an(Account, called(function, lab), "an account, as `settle()` returns it")
    sent = account.packets("sent by the generator")
    if sent != _PACKETS:
        raise WrongAnswerError(f"the account is of {sent:,} packets, and not of {_PACKETS:,}.")
    if not account.balanced:
        raise WrongAnswerError("the account was read while packets were on their way.")
    lost = sum(map(account.packets, _LOSSES))
    if lost * _ONE_IN != _PACKETS:
        raise WrongAnswerError(f"{lost:,} of {sent:,} packets were lost.")


CHECKS: Checks = {"1": believable, "2": one_in_five}
