"""How often a worker asks a zero-copy driver to send: its NAPI sends by itself after that."""

from __future__ import annotations

import time

import pytest
from support.cards import COUNT, Cards, has, opened, received, send
from support.waiting import eventually

RECORDS = 100  # a second: what the driver has not taken by the next record is asked for again


@pytest.mark.parametrize("wait", ["spin", "poll", "uring-multishot", "busy-poll"])
def test_a_frame_takes_one_kick(cards: Cards, release: tuple[int, int], wait: str) -> None:
    if not has("zero-copy", cards, release):
        return  # test_cards sees that it is refused
    begun = time.monotonic()
    with opened(cards, "zero-copy", wait=wait, action="reflect") as engine:
        send(cards)
        assert eventually(lambda: received(engine) == COUNT), received(engine)
        assert eventually(lambda: engine.telemetry.total()["tx_consumer"] == COUNT)
        assert 0 < engine.telemetry.total()["kicks"] <= COUNT + RECORDS * (time.monotonic() - begun)
