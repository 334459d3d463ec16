"""A driver may have more queues with an XDP program: what a ledger advises then captures on all."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest
from support.cards import PORT, Cards, has, received, send
from support.waiting import eventually

from xdplab import Engine, Host

FLOWS = 50
A_FLOW = 4  # packets


def flows(cards: Cards) -> int:
    """Send packets of several flows, each by a port of its own, and return their number."""
    for _ in range(FLOWS):
        send(cards, A_FLOW)
    return FLOWS * A_FLOW


@pytest.fixture
def first(cards: Cards) -> Iterator[Host]:
    """Have the first card, with the queues that it has at first also at the end."""
    interface = cards.first.interface
    yield cards.first
    set_queues(cards, f"ethtool -L {interface.name} combined {interface.queues}")


def set_queues(cards: Cards, command: str) -> None:
    where = cards.first.interface.namespace
    where.run(subprocess.run, command.split(), check=False, timeout=60, capture_output=True)


def test_what_a_ledger_advises_against_packets_without_a_socket_captures_all(
    cards: Cards, first: Host, release: tuple[int, int]
) -> None:
    if not has("native", cards, release):
        return  # test_cards sees that it is refused
    queues = [*range(first.interface.queues)]
    match = f"udp port {PORT}"
    with Engine(first, bind="copy", queue=queues, match=match) as engine:
        ledger = engine.ledger()
        sent = flows(cards)
        account = ledger.settle(10)
        words = account.explain()
        assert account.balanced
        missed = account.packets("no socket on the queue")
        assert eventually(lambda: received(engine) == sent - missed), words
    if not missed:
        return
    print(words)
    advised = re.search(r"`(ethtool -L[^`]*)`.*Engine\(queue=(\[[^]]*\])\)", words)
    assert advised is not None, words
    set_queues(cards, advised[1])
    numbers = [int(number) for number in re.findall(r"\d+", advised[2])]
    with Engine(first, bind="copy", queue=numbers, match=match) as engine:
        sent = flows(cards)
        assert eventually(lambda: received(engine) == sent), engine.ledger().explain()
