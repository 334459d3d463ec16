"""A short soak, always the same: ``make soak`` runs longer ones."""

from __future__ import annotations

import os
import pickle

import pytest
from soak import memory
from soak.recipe import draw
from soak.rounds import run

from xdplab.backends import VARIABLE

SEED = 11
ROUNDS = 15


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_round_drawn_at_random_adds_up(privileged: None, number: int) -> None:
    recipe = draw(SEED, number, [os.environ[VARIABLE]])
    assert run(recipe).packets > 0


def test_a_round_can_be_drawn_again() -> None:
    again = [draw(SEED, number, ["kernel", "soft"]) for number in range(50)]
    assert again == [draw(SEED, number, ["kernel", "soft"]) for number in range(50)]
    assert {recipe.kind for recipe in again} == {"capture", "sending", "joined", "stream", "path"}
    assert any(step.name == "reconfigure" for recipe in again for step in recipe.steps)
    assert pickle.loads(pickle.dumps(again)) == again


def test_a_program_that_receives_takes_no_more_memory_over_time(privileged: None) -> None:
    looks = memory.run(seconds=2, looks=4)
    assert looks.packets > 1000
    assert looks.growth < 4096  # KiB; the place of a batch takes 4
