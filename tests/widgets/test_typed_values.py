"""Values that are typed beside a slider, or given as text: taken, held in bounds, or refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from support.capture_files import pcap
from support.found_controls import box, control, word

from xdplab import KNOBS, ConfigurationError, Engine, Lab, Traffic
from xdplab.widgets import Controls

# Of each knob with a slider: what is typed, what the knob then has, and what its box shows.
TYPED: dict[str, list[tuple[str, object, str]]] = {
    "batch": [("100", 100, "100"), ("1k", 1000, "1,000"), ("max", 2048, "2,048"), ("min", 1, "1")],
    "spin_microseconds": [("150", 150, "150 µs"), ("1.5 ms", 1500, "1.5 ms"), ("0", 0, "0")],
    "spin_share": [("0.35", 0.35, "0.35"), ("1", 1, "1")],
    "busy_poll_microseconds": [("30us", 30, "30 µs"), ("max", 10_000, "10 ms")],
    "busy_poll_budget": [("100 packets", 100, "100")],
    "timer_microseconds": [("1 ms", 1000, "1 ms")],
    "burst": [("5k", 5000, "5,000"), ("1_000", 1000, "1,000")],
    "sample_every": [
        ("1 in 500", 500, "1 in 500"),
        ("none", 0, "none"),
        ("2k", 2000, "1 in 2,000"),
    ],
    "pace": [
        ("20 ms", 0.02, "every 20 ms"),
        ("every 5 ms", 0.005, "every 5 ms"),
        ("0.25", 0.25, "every 250 ms"),
        ("by steps", math.inf, "by steps"),
        ("Free", 0, "free"),
    ],
    "rate": [
        ("200k", 200_000, "200 kpps"),
        ("1.5M", 1_500_000, "1.5 Mpps"),
        (" 20 kpps ", 20_000, "20 kpps"),
        ("max", "max", "max"),
    ],
    "size": [("100", 100, "100 bytes"), ("1,000 bytes", 1000, "1,000 bytes")],
}
TYPED_OF_NAPI = {
    "defer_hard_irqs": [("7", 7, "7")],
    "gro_flush_timeout": [
        ("30 us", 30_000, "30 µs"),
        ("off", 0, "off"),
        ("25000", 25_000, "25 µs"),
    ],
    "irq_suspend_timeout": [("3 ms", 3_000_000, "3 ms")],
}


def value_of(name: str, engine: Engine, traffic: Traffic) -> object:
    homes = {"engine": engine, "traffic": traffic, "napi": engine.napi}
    return getattr(homes[KNOBS[name].home], name)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        *TYPED.items(),
        *(pytest.param(*knob, marks=pytest.mark.kernel) for knob in TYPED_OF_NAPI.items()),
    ],
)
def test_a_value_is_typed_beside_the_slider_or_given_as_text(
    lab: Lab, name: str, typed: list[tuple[str, object, str]]
) -> None:
    engine, traffic = Engine(lab.port), Traffic(lab.peer, lab.port, rate=10)
    controls = Controls(engine, traffic)
    for text, value, shown in typed:
        before = box(controls, name).value
        box(controls, name).value = text
        assert value_of(name, engine, traffic) == getattr(controls, name) == value
        assert control(controls, name).value == value
        assert box(controls, name).value == control(controls, name).label == shown
        assert word(controls, name) == ""
        for again in (text, shown):  # what the box shows can be typed, and given in Python
            setattr(controls, name, before)
            setattr(controls, name, again)
            assert value_of(name, engine, traffic) == value


def test_every_slider_takes_typed_values_and_none_is_forgotten_here() -> None:
    elsewhere = ("sockets", "steering")  # a lab has no card
    sliders = {n for n, k in KNOBS.items() if k.stops and not k.menu and k.home not in elsewhere}
    assert sliders - {"stream_rate"} == {*TYPED, *TYPED_OF_NAPI}


@pytest.mark.parametrize(
    ("name", "text", "value", "said"),
    [
        ("batch", "5000", 2048, "5000 is above the most, 2,048."),
        ("batch", "-3", 1, "-3 is below the least, 1."),
        ("burst", "1G", 1 << 20, "1G is above the most, 1,048,576."),
        ("spin_microseconds", "2 s", 1_000_000, "2 s is above the most, 1 s."),
        ("pace", "10 us", 0.0001, "10 us is below the least, every 100 µs."),
        ("rate", "1e12", 1_000_000_000, "1e12 is above the most, 1 Gpps."),
        ("rate", "0", 0.001, "0 is below the least, 0.001 pps."),
        ("size", "9k", 1514, "9k is above the most, 1,514 bytes."),
    ],
)
def test_a_typed_value_beyond_the_bounds_is_held_there_with_a_word(
    lab: Lab, name: str, text: str, value: float, said: str
) -> None:
    engine, traffic = Engine(lab.port), Traffic(lab.peer, lab.port, rate=10)
    controls = Controls(engine, traffic)
    box(controls, name).value = text
    assert value_of(name, engine, traffic) == getattr(controls, name) == value
    assert word(controls, name) == said
    controls.refresh()
    assert word(controls, name) == said
    control(controls, name).index = 3
    assert word(controls, name) == ""
    with pytest.raises(ConfigurationError, match=f"{name}="):
        setattr(controls, name, text)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("batch", "abc", "'abc' is no number, such as 200, 200k or 1.5M."),
        ("batch", "", "'' is no number"),
        ("batch", "1.5", "batch=1.5 must be a whole number, 1 to 2048."),
        ("batch", "3 bytes of it", "is no number"),
        ("spin_microseconds", "5 minutes", "is no time, such as 20 µs or 1.5 ms."),
        ("pace", "slow", "'slow' is no time, such as 20 µs or 1.5 ms. Or type free or by steps."),
        ("sample_every", "never", "'never' is no number, such as 200, 200k or 1.5M. Or type none."),
        ("rate", "fast", "rate='fast' must be 'max', or 0.001 to 1,000,000,000 frames a second"),
    ],
)
def test_what_is_no_value_is_refused_with_a_word_and_the_box_goes_back(
    lab: Lab, name: str, text: str, said: str
) -> None:
    engine, traffic = Engine(lab.port), Traffic(lab.peer, lab.port, rate=10)
    controls = Controls(engine, traffic)
    before, shown = getattr(controls, name), box(controls, name).value
    box(controls, name).value = text
    assert said in word(controls, name)
    assert value_of(name, engine, traffic) == getattr(controls, name) == before
    assert box(controls, name).value == shown
    controls.refresh()
    assert said in word(controls, name)
    box(controls, name).value = f" {shown} "  # the same value, typed anew
    assert word(controls, name) == ""
    with pytest.raises(ConfigurationError):
        setattr(controls, name, text)
    assert value_of(name, engine, traffic) == before


def test_a_word_goes_when_its_knob_is_set_from_python(lab: Lab) -> None:
    engine = Engine(lab.port)
    controls = Controls(engine)
    box(controls, "batch").value = "many"
    box(controls, "pace").value = "slow"
    assert word(controls, "batch")
    engine.batch = 8
    controls.refresh()
    assert word(controls, "batch") == ""
    assert word(controls, "pace")


def test_a_replay_goes_back_to_its_own_times_by_a_word(tmp_path: Path) -> None:
    file = tmp_path / "some.pcap"
    file.write_bytes(pcap())
    with Lab(backend="soft") as lab:
        engine, traffic = Engine(lab.port), Traffic(lab.peer, lab.port, replay=file)
        controls = Controls(engine, traffic)
        box(controls, "rate").value = "20k"
        assert traffic.rate == 20_000
        box(controls, "rate").value = "recorded"
        assert traffic.rate == "recorded"
        box(controls, "size").value = "100"
        assert "can't be set" in word(controls, "size")


def test_what_is_typed_after_the_engine_was_closed_is_answered(lab: Lab) -> None:
    engine = Engine(lab.port)
    controls = Controls(engine)
    engine.close()
    box(controls, "batch").value = "8"  # before the next beat disables it
    assert "engine was closed" in word(controls, "batch")
