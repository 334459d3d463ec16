"""What lesson 13 has a reader type about a card does there what the lesson says."""

from __future__ import annotations

import json
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from support.cards import Cards, has, received, send
from support.waiting import eventually

from xdplab import Engine, Steering

_LESSON = Path(__file__).parents[2] / "notebooks" / "13-your-own-nic.ipynb"


def lines_for(cards: Cards) -> list[str]:
    """Return the blocks of Python in the lesson's text that name a card."""
    cells = json.loads(_LESSON.read_text())["cells"]
    text = "".join("".join(each["source"]) for each in cells if each["cell_type"] == "markdown")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    name = cards.first.interface.name
    return [each for each in blocks if f'"{name}"' in each]


def test_the_lines_of_lesson_13_do_on_a_card_what_it_says(
    cards: Cards, release: tuple[int, int]
) -> None:
    if cards.card.driver != "igb" or not has("zero-copy", cards, release):
        pytest.skip("the lesson is about igb with zero-copy")
    card = cards.first.interface
    names: dict[str, Any] = {"Engine": Engine, "Steering": Steering}
    busy, look = lines_for(cards)

    card.namespace.run(exec, busy, names)
    engine = names["engine"]
    with Steering(card) as steering, engine:
        steering.table = [0]  # the engine's queue
        assert engine.zero_copy
        assert "busy-poll" not in engine.wait_ineffective

        def comes() -> bool:
            send(cards, 1)
            return received(engine) > 0

        assert eventually(comes)

    with redirect_stdout(StringIO()) as said:
        card.namespace.run(exec, look, names)
    assert "zero-copy" in said.getvalue()
    assert "busy-poll" not in said.getvalue().splitlines()[-1]
