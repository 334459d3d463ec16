"""Checks of lesson 06, Forwarding."""

from __future__ import annotations

import time
from math import ceil

from xdplab.course.checking import (
    Checks,
    WrongAnswerError,
    a_number,
    a_whole_number,
    an,
    called,
    several,
)
from xdplab.engine.engine import Engine
from xdplab.engine.traffic import Traffic
from xdplab.lab.lab import Lab

_SIDES, _RINGS = ("left", "right"), ("fill", "rx", "tx", "completion")
_FRAMES, _ROOM = 128, 256  # as the exercise has them
_WAITING = 600  # packets, likewise
_BUDGETS = (32, 256)  # packets a kick in copy mode: xsk_generic_xmit, XDP_MAX_TX_SKB_BUDGET (6.17)
_SENT, _RATE = 50, 500
_PATIENCE, _LOOK_AGAIN = 10.0, 0.01  # seconds

_DOES = (
    ("right", "by which interface does the packet come in?"),
    ("right", "by which interface does the packet come in?"),
    ("left", "by which interface does it go out?"),
    ("left", "who tells us that it was sent?"),
    ("right", "where does the next packet need it?"),
)
"""The side of each ring on that way, and what to ask oneself about it."""


def way_to_the_left(answer: object) -> None:
    """Check in which rings a frame is whose packet goes from right to left."""
    path = []
    for pair in several(answer, "a list of pairs, of a side and a ring,"):
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise WrongAnswerError(f"{pair!r} is no pair of a side and a ring.")
        side, ring = pair
        if side not in _SIDES or ring not in _RINGS:
            raise WrongAnswerError(f"{pair!r} is no ring of these: {_SIDES} have {_RINGS}.")
        path.append((side, ring))
    if [ring for _, ring in path] != [*_RINGS, "fill"]:
        raise WrongAnswerError("a frame does not go through the rings in that order.")
    for (side, ring), does in zip(path, _DOES, strict=True):
        if side != does[0]:
            raise WrongAnswerError(f"the {side} {ring} ring is not the one: {does[1]}")


def until_the_fill_ring_is_dry(answer: object) -> None:
    """Check how many packets a forwarder carries that gives frames to the wrong side."""
    packets = a_number(answer, "a number of packets")
    if packets == _FRAMES:
        return
    if packets in (_ROOM, 2 * _FRAMES):
        raise WrongAnswerError("so many frames there are, or places. How many of them are left's?")
    if packets == 0:
        raise WrongAnswerError("the first packet does find a frame.")
    raise WrongAnswerError(
        f"{packets:g} is not it. How many frames does each packet take out of the left fill ring, "
        "and how many come back into it?"
    )


def kicks_by_budget(answer: object) -> None:
    """Check how many kicks so many packets take, by what one kick sends at most."""
    pair = several(answer, "a pair of numbers", len(_BUDGETS))
    for budget, given in zip(_BUDGETS, pair, strict=True):
        kicks = a_whole_number(given, "a number of kicks")
        if kicks < ceil(_WAITING / budget):
            raise WrongAnswerError(f"at {budget} a kick, {kicks:,} kicks leave some in the ring.")
        if kicks > ceil(_WAITING / budget):
            raise WrongAnswerError(f"at {budget} a kick, fewer kicks than {kicks:,} would do.")


def joins(function: object) -> None:
    """Check a function that joins two labs, so that their far ends reach each other."""
    with Lab() as left, Lab(number=1) as right:
        engine = an(Engine, called(function, left, right), "the engine")
        if not engine.running:
            raise WrongAnswerError("the engine that it returns does not run.")
        with engine:
            for one, other, way in (
                (left, right, "from `left.peer` to `right.peer`"),
                (right, left, "from `right.peer` to `left.peer`"),
            ):
                if not one.peer.ping(other.peer.ipv4, timeout=_PATIENCE).received:
                    raise WrongAnswerError(f"a ping {way} was not answered.")
                arrived = _arrived(one, other)
                if arrived < _SENT:
                    raise WrongAnswerError(f"of {_SENT} packets {way} {arrived} arrived.")


def _arrived(one: Lab, other: Lab) -> int:
    """Send numbered packets from the far end of a lab to that of another; return how many came."""
    with (
        Engine(other.peer, inspect=True) as end,
        Traffic(one.peer, other.peer, rate=_RATE, count=_SENT) as traffic,
    ):
        traffic.wait()
        deadline = time.monotonic() + _PATIENCE
        # Some may wait still for the engine that is to forward them.
        while (came := int(end.telemetry.total()["stream_frames"])) < _SENT:
            if time.monotonic() > deadline:
                break
            time.sleep(_LOOK_AGAIN)
        return came


CHECKS: Checks = {
    "1": way_to_the_left,
    "2": until_the_fill_ring_is_dry,
    "3": kicks_by_budget,
    "4": joins,
}
