"""Every way to receive gives frames of all sizes whole, in order, but for those counted as lost.

``scripts/soak --frames 10_000_000`` is the long one.
"""

from __future__ import annotations

import numpy as np
import pytest
from soak.numbered import Follower, Numbered, WrongFrameError
from soak.patterns import PATTERNS, Draw, run

from xdplab import Lab
from xdplab.capture.area import stacked
from xdplab.capture.batch import Batch
from xdplab.capture.loan import FrameLoan

COUNT = 2000


def batch_of(packets: list[bytes]) -> Batch:
    return Batch(FrameLoan(*stacked(packets), None), 0, 0)


@pytest.mark.parametrize(
    ("name", "waits"), [*((name, True) for name in PATTERNS), ("for", False), ("send", False)]
)
def test_what_is_missing_is_exactly_what_the_ledgers_count(
    privileged: None, name: str, waits: bool
) -> None:
    settings = {"wait": "poll", "batch": 64, "ring_size": 2048 if waits else 128}
    draw = Draw(queues=2, capture=settings, waits=waits, holds=64, naps=0.05, seed=7)
    with Lab(queues=2) as lab:
        outcome = run(lab, PATTERNS[name], draw, COUNT)
    assert outcome.sent > COUNT
    assert outcome.found == COUNT if waits else outcome.found <= COUNT
    if PATTERNS[name].answers is not None and waits:
        assert outcome.answered == COUNT


@pytest.mark.parametrize(
    ("numbers", "words"),
    [([0, 1, 1], "came after"), ([0, 2, 1], "came after"), ([3, 0], "came after")],
)
def test_a_frame_that_comes_twice_or_late_is_found(numbers: list[int], words: str) -> None:
    stream = Numbered(1)
    frames = [bytes(stream.batch(number, 1)[0]) for number in numbers]
    together, apart = Follower(stream), Follower(stream)
    with pytest.raises(WrongFrameError, match=words):
        together.take(batch_of(frames))
    with pytest.raises(WrongFrameError, match=words):
        for each in frames:
            apart.take(batch_of([each]))


@pytest.mark.parametrize("place", [0, 13, 22, -1])
def test_a_byte_that_changed_is_found(place: int) -> None:
    stream = Numbered(1)
    frames = [bytearray(packet) for packet in stream.batch(5, 3)]
    assert np.array_equal(stream.numbers(batch_of([bytes(each) for each in frames])), [5, 6, 7])
    frames[1][place] ^= 1
    with pytest.raises(WrongFrameError, match="frame 6 "):
        stream.numbers(batch_of([bytes(each) for each in frames]))


def test_a_frame_that_was_cut_is_found() -> None:
    stream = Numbered(1)
    with pytest.raises(WrongFrameError, match="frame 0 "):
        stream.numbers(batch_of([bytes(stream.batch(0, 1)[0])[:-1]]))
