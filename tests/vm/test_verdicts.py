"""Which wait strategies have no effect on a card is said once it is known, and not taken back."""

from __future__ import annotations

import pytest
from support.cards import COUNT, MODES, Cards, has, opened, received, send
from support.waiting import eventually


@pytest.mark.parametrize("mode", MODES)
def test_a_strategy_called_ineffective_stays_so(
    cards: Cards, release: tuple[int, int], mode: str
) -> None:
    if not has(mode, cards, release):
        return  # test_cards sees that it is refused
    with opened(cards, mode) as engine:
        before = engine.wait_ineffective
        send(cards)
        assert eventually(lambda: received(engine) == COUNT), received(engine)
        after = engine.wait_ineffective
        print(f"ineffective with {mode}: {', '.join(after) or 'none'}")
        assert before.keys() <= after.keys()
