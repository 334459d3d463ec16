"""The ledger counts what a card's driver took in, under that driver's own names."""

from __future__ import annotations

from contextlib import closing

import pytest
from support.cards import (
    COUNT,
    MODES,
    PORT,
    Cards,
    has,
    opened,
    received,
    send,
    wait_for_carrier,
)
from support.waiting import eventually

from xdplab import Engine, Traffic


@pytest.mark.parametrize("mode", MODES)
def test_the_device_saw_what_the_program_counted(
    cards: Cards, release: tuple[int, int], mode: str
) -> None:
    if not has(mode, cards, release):
        return  # test_cards.py sees that it is refused
    with opened(cards, mode) as engine:
        wait_for_carrier(cards)
        ledger = engine.ledger()
        send(cards)
        assert eventually(lambda: received(engine) == COUNT)
        account = ledger.settle(10)
        # Others may have sent as well: neighbour discovery of both stacks.
        others = account.packets("left to the stack")
        if "not taken by match" in {line.stage for line in account}:
            others += account.packets("not taken by match")
        assert account.balanced, account
        assert account.packets("seen by the device") == COUNT + others, account


def test_a_generators_frames_are_counted_from_card_to_card(
    cards: Cards, release: tuple[int, int]
) -> None:
    if not has("native", cards, release):
        return
    # The kernel sends frames of its generator out of a card that has an XDP program itself.
    with (
        opened(cards, "native", match="udp port 9") as engine,
        Engine(cards.second, attach="native", bind="copy", match=f"udp port {PORT}"),
    ):
        wait_for_carrier(cards)
        with closing(Traffic(cards.second, cards.first, rate=500, count=COUNT)) as traffic:
            ledger = engine.ledger(traffic)
            traffic.start()
            assert traffic.wait(60)
            assert eventually(lambda: received(engine) == COUNT)
            account = ledger.settle(10)
    assert account.balanced, account
    assert account.packets("sent by the generator") == COUNT
    assert account.packets("seen by the device") >= COUNT
