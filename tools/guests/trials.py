"""Tries modes, actions and wait strategies on a guest's cards, in the guest: JSON, a line each.

Every frame that is sent must be received, and with an action that sends it back, be back at the
sender.
"""

from __future__ import annotations

import json
import os
import socket
import time
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from support.cards import MODES, PORT, Cards, cards_up, opened, received, send
from support.frames import raw_socket
from support.waiting import eventually

from xdplab import WAIT_STRATEGIES, Engine, Steering, XdplabError

ACTIONS = ("drop", "reflect", "echo")
WORKS, NO_EFFECT, REFUSED, LOST = "works", "no effect", "refused", "lost"
_COUNT = 50  # frames a trial: emulated, they take tenths of a second
_PATIENCE = 20.0  # seconds for the last of them
_PORTS = slice(34, 38)  # of UDP in IPv4; echo swaps them
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h
_ROOM = 16 << 20  # bytes: a card's frame counts with the whole page that it lies in


class Trial(NamedTuple):
    """What came of a combination."""

    mode: str
    action: str
    wait: str
    outcome: str
    words: str
    """Why, if it is not `WORKS`."""


def trials(cards: Cards) -> Iterator[Trial]:
    """Try all combinations, on all queues."""
    queues = cards.first.interface.queues
    with Steering(cards.first) as steering:
        if cards.card.queues > 1:  # whose driver uses more as soon as it has an XDP program
            queues = steering.channels = cards.card.queues
        yield from _trials(cards, [*range(queues)])


def _trials(cards: Cards, queues: list[int]) -> Iterator[Trial]:
    for mode in MODES:
        for action in ACTIONS:
            try:
                engine = opened(cards, mode, action=action, queue=queues)
            except XdplabError as refusal:
                for wait in WAIT_STRATEGIES:
                    yield Trial(mode, action, wait, REFUSED, str(refusal))
                continue
            with engine, raw_socket(cards.second) as far:
                far.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
                far.setblocking(False)
                for wait in WAIT_STRATEGIES:
                    yield Trial(mode, action, wait, *_tried(cards, engine, far, wait))


def _tried(cards: Cards, engine: Engine, far: socket.socket, wait: str) -> tuple[str, str]:
    try:
        engine.wait = wait
    except XdplabError as refusal:
        return REFUSED, str(refusal)
    before = received(engine)
    ledger = engine.ledger()
    send(cards, _COUNT)
    arrived = eventually(lambda: received(engine) - before == _COUNT, _PATIENCE)
    back = _COUNT if engine.action == "drop" else _came_back(far)
    if not arrived or back < _COUNT:
        account = ledger.settle(1)
        return LOST, (
            f"{received(engine) - before} of {_COUNT} received, {back} back. {account.explain()}"
        )
    why = engine.wait_ineffective.get(wait)
    return (NO_EFFECT, why) if why else (WORKS, "")


def _came_back(far: socket.socket) -> int:
    """Count the frames that come back to the sender, until all have."""
    end = time.monotonic() + _PATIENCE
    back = 0
    while back < _COUNT and time.monotonic() < end:
        try:
            frame, (_name, _protocol, kind, *_) = far.recvfrom(2048)
        except BlockingIOError:
            time.sleep(0.01)
            continue
        back += kind != socket.PACKET_OUTGOING and PORT.to_bytes(2) in frame[_PORTS]
    return back


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "wait=.* is ineffective here")
    print(json.dumps({"release": os.uname().release}), flush=True)
    with cards_up() as both:
        for trial in trials(both):
            print(json.dumps(trial._asdict()), flush=True)
