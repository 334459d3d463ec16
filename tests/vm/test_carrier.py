"""A driver may set its link up anew for an XDP program: no frame is lost to that without a word."""

from __future__ import annotations

import pytest
from support.cards import COUNT, Cards, has, opened, received, send
from support.waiting import eventually


@pytest.mark.parametrize("mode", ["native", "zero-copy"])
def test_what_is_sent_as_soon_as_the_engine_is_made_arrives(
    cards: Cards, release: tuple[int, int], mode: str
) -> None:
    if not has(mode, cards, release):
        return  # test_cards sees that it is refused
    for _ in range(3):  # the second finds a link that the end of the first may have set up anew
        with opened(cards, mode) as engine:
            send(cards)
            assert eventually(lambda: received(engine) == COUNT), received(engine)


def test_a_ledger_tells_that_the_link_was_without_carrier(
    cards: Cards, release: tuple[int, int]
) -> None:
    if not has("native", cards, release):
        return
    with opened(cards, "skb") as engine:
        losses = cards.first.interface.look().state.carrier_losses
        ledger = engine.ledger()
        engine.reconfigure(attach="native")
        send(cards)
        assert eventually(lambda: received(engine) == COUNT), received(engine)
        lost = cards.first.interface.look().state.carrier_losses - losses
        told = f"{cards.first.interface.name} was without carrier" in ledger.explain()
        assert told == (lost > 0)
