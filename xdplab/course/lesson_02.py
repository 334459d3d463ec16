"""Checks of lesson 02, The four rings."""

from __future__ import annotations

from xdplab.course.checking import Checks, WrongAnswerError, a_number, an, called, several
from xdplab.lab.lab import Lab
from xdplab.ledger.account import Account

_DROPPED = ["fill", "rx", "fill"]
_PACKETS, _RING = 1000, 128  # as the exercise has it
_LOST = 50  # likewise


def path_of_a_dropped_frame(answer: object) -> None:
    """Check the rings that a frame is in whose packet is dropped."""
    names = [str(each).lower() for each in several(answer, "a list of names")]
    if names == _DROPPED:
        return
    if {"tx", "completion"} & {*names}:
        raise WrongAnswerError("a ring among them is only for frames that are sent.")
    if unknown := [name for name in names if name not in ("fill", "rx")]:
        raise WrongAnswerError(f"{unknown[0]!r} is no ring's name.")
    if names[:1] != ["fill"]:
        raise WrongAnswerError("before a packet can arrive, its frame has to be somewhere.")
    raise WrongAnswerError("that is not the whole round: where can the kernel take it from again?")


def lost_with_a_stopped_worker(answer: object) -> None:
    """Check how many packets are lost while nobody takes any."""
    lost = a_number(answer, "a number of packets")
    if lost == _PACKETS - _RING:
        return
    if lost == _PACKETS - 2 * _RING:
        raise WrongAnswerError("there are frames for so many, but which ring is full first?")
    if lost == _PACKETS:
        raise WrongAnswerError("some wait in a ring, and are not lost yet.")
    raise WrongAnswerError(f"{lost:g} is not it: packets that come, less those that can wait.")


def loses_fifty(function: object) -> None:
    """Check a function that loses so many packets to a full RX ring."""
    with Lab() as lab:
        account = an(Account, called(function, lab), "an account, as `ledger.read()` returns it")
    if not account.balanced:
        raise WrongAnswerError("the account was read while packets were on their way.")
    lost = account.packets("RX ring full")
    if lost != _LOST:
        raise WrongAnswerError(f"the account has {lost:,} packets on the line `RX ring full`.")


CHECKS: Checks = {"1": path_of_a_dropped_frame, "2": lost_with_a_stopped_worker, "3": loses_fifty}
