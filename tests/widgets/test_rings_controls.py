"""The controls of Rings: pace, steps, and the frame that is followed."""

from __future__ import annotations

import math

import pytest
from support.seen import box, control, press, word
from support.shown_rings import send, state_of, step
from support.waiting import eventually

from xdplab import Engine, Lab
from xdplab.widgets import Rings


def test_pace_and_controls_agree_whoever_sets_it(lab: Lab) -> None:
    with Engine(lab.port, ring_size=16, batch=1) as engine:
        rings, others = Rings(engine), Rings(engine)
        press(rings, "Pause")
        assert engine.pace == math.inf
        others.refresh()
        assert control(others, "Pause").button_style == "primary"
        control(rings, "A batch every").value = 0.5
        assert engine.pace == 0.5
        engine.pace = 0.3  # a place of its own on the slider
        rings.refresh()
        assert control(rings, "A batch every").value == 0.3
        assert control(rings, "Slow").button_style == "primary"
        assert ("300 ms", 0.3) in control(rings, "A batch every").options
        press(rings, "Run")
        assert engine.pace == 0
        press(rings, "Slow")
        assert engine.pace == 0.3
        for text, pace, shown, said in (
            ("40 ms", 0.04, "40 ms", ""),
            ("2 h", 0.04, "40 ms", "'2 h' is no time, such as 20 µs or 1.5 ms."),
            ("5000 s", 3600, "3600 s", "5000 s is above the most, every 3600 s."),
        ):
            box(rings, "A batch every").value = text
            rings.refresh()
            assert engine.pace == control(rings, "A batch every").value == pace
            assert box(rings, "A batch every").value == shown
            assert said in word(rings, "A batch every")


def test_step_pauses_and_takes_one_batch_or_ten(lab: Lab) -> None:
    with Engine(lab.port, ring_size=16, batch=1) as engine:
        rings = Rings(engine)
        press(rings, "Step")
        assert engine.pace == math.inf
        assert eventually(lambda: engine.telemetry.rings()["turns"] == 1)
        send(lab, 12)
        assert eventually(lambda: state_of(engine).rings["rx"].waiting == 12)
        press(rings, "Step")
        assert eventually(lambda: state_of(engine).rings["rx"].waiting == 11)
        press(rings, "10 steps")
        assert eventually(lambda: state_of(engine).rings["rx"].waiting == 1)
        assert eventually(lambda: engine.telemetry.rings()["turns"] == 12)


@pytest.mark.parametrize(
    ("written", "followed"), [("7", 7), (" 12 ", 12), ("", None), ("x", 3), ("-1", 3), ("1.5", 3)]
)
def test_what_is_no_number_of_a_frame_is_refused_with_a_word(
    lab: Lab, written: str, followed: int | None
) -> None:
    with Engine(lab.port, ring_size=16, batch=1) as engine:
        rings = Rings(engine)
        rings.frame = 3
        rings.refresh()
        control(rings, "Follow frame").value = written
        assert rings.frame == followed
        is_refused = followed == 3
        assert is_refused == bool(word(rings, "Follow frame"))
        rings.refresh()
        assert control(rings, "Follow frame").value == ("" if followed is None else str(followed))


def test_next_is_what_the_worker_receives_next_or_the_kernel_fills_next(lab: Lab) -> None:
    engine = Engine(lab.port, ring_size=16, batch=1)
    engine.pace = math.inf
    with engine:
        rings = Rings(engine)
        press(rings, "Next")
        assert rings.frame is None or rings.frame == 0  # nothing was to be seen yet, or the first
        send(lab, 5)
        assert eventually(lambda: state_of(engine).rings["rx"].waiting == 5)
        step(engine, 2)
        rings.refresh()
        press(rings, "Next")
        assert rings.frame == 2
        step(engine, 3)
        rings.refresh()
        press(rings, "Next")
        assert rings.frame == 5
        press(rings, "None")
        assert rings.frame is None
