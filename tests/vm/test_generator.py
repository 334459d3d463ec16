"""A generator sends by a card that has an XDP program, and is refused on one that has none."""

from __future__ import annotations

import pytest
from support.cards import COUNT, Cards, has, opened, received
from support.waiting import eventually

from xdplab import GALLERY, ConfigurationError, Program, Traffic

RATE = 500  # a second


def test_a_generator_takes_a_card_with_a_program(cards: Cards, release: tuple[int, int]) -> None:
    is_native = has("native", cards, release)
    traffic = Traffic(cards.second, cards.first, rate=RATE, count=COUNT)
    try:
        with pytest.raises(ConfigurationError, match=r"XDP program|sends no frame"):
            traffic.start()
        if is_native:
            with (
                Program(GALLERY["pass"], traffic.sender) as program,
                program.attach(),
                opened(cards, "native", match="") as engine,
            ):
                ledger = engine.ledger(traffic)
                traffic.start()
                assert eventually(lambda: received(engine) == COUNT), ledger.explain()
    finally:
        traffic.close()
