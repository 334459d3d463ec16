"""Checks of lesson 01, First packets."""

from __future__ import annotations

from xdplab.core.errors import XdplabError
from xdplab.course.checking import Checks, WrongAnswerError, a_number, an, called
from xdplab.engine.engine import Engine
from xdplab.engine.traffic import Traffic
from xdplab.lab.lab import Lab
from xdplab.ledger.account import Account

_RING = 2048  # entries, as an engine's has them unless told otherwise
_RATE = 10_000  # as the exercise has it
_PACKETS = 300  # likewise
_SOME = 20
_PATIENCE = 10


def time_until_full(answer: object) -> None:
    """Check how long the RX ring lasts, while nobody empties it."""
    seconds = a_number(answer, "a time in seconds")
    right = _RING / _RATE
    if abs(seconds - right) <= 0.01 * right:
        return
    for wrong, hint in (
        (2 * right, "that is the room of the fill ring, which has twice as many entries."),
        (1 / right, "packets a second divided by packets are not seconds."),
        (1000 * right, "seconds are wanted, not milliseconds."),
    ):
        if abs(seconds - wrong) <= 0.01 * wrong:
            raise WrongAnswerError(hint)
    if abs(seconds - right) <= 0.1 * right:
        raise WrongAnswerError(f"{seconds:g} s is near: count all entries, and do not round.")
    raise WrongAnswerError(
        f"{seconds:g} s is not it. One entry holds one packet, whatever its size: which ring holds "
        "packets that have arrived, and how many entries has it?"
    )


def three_hundred(function: object) -> None:
    """Check a function that captures so many packets in a lab, and accounts for them."""
    with Lab() as lab:
        account = an(Account, called(function, lab), "what `ledger.settle()` returned")
    sent = account.packets("sent by the generator")
    if sent != _PACKETS:
        raise WrongAnswerError(f"the account is of {sent:,} packets, and not of {_PACKETS}.")
    received = account.packets("received by the worker")
    if received != sent:
        raise WrongAnswerError(f"of {sent} packets the worker received {received}.")


def leaves_pings(match: object) -> None:
    """Check a filter that takes UDP, and leaves pings to the stack."""
    words = an(str, match, "a filter in the syntax of tcpdump")
    with Lab() as lab:
        try:
            engine = Engine(lab.port, match=words).start()
        except XdplabError as refusal:
            raise WrongAnswerError(f"the engine refused it: {refusal}") from refusal
        traffic = Traffic(lab.peer, lab.port, rate=1000, count=_SOME)
        ledger = engine.ledger(traffic)
        traffic.start().wait()
        taken = ledger.settle(_PATIENCE).packets("received by the worker")
        is_answered = bool(lab.peer.ping(lab.port.ipv4, timeout=2).received)
        traffic.close()
        engine.close()
    if taken < _SOME:
        raise WrongAnswerError(f"of {_SOME} UDP datagrams the engine took {taken}.")
    if not is_answered:
        raise WrongAnswerError("a ping from `lab.peer` to `lab.port` was not answered.")


CHECKS: Checks = {"1": time_until_full, "2": three_hundred, "3": leaves_pings}
