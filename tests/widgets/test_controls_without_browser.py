"""What of the controls needs no browser: knobs, traits and sliders follow each other."""

from __future__ import annotations

import gc
import math
import warnings
import weakref
from collections.abc import Iterator

import ipywidgets
import pytest
from support.found_controls import box, control, is_shown, word
from support.seen import parts, text_of
from support.waiting import eventually

from xdplab import KNOBS, ClosedError, ConfigurationError, Engine, Lab, Stream, Traffic
from xdplab.knobs.table import names_of_home
from xdplab.settings.presets import PRESETS
from xdplab.widgets import Controls
from xdplab.widgets.parts.control import Control

# The kernel's alone: what sets NAPI, or says of veth what it can't do.


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "wait=.* is ineffective here")
        yield


def button(controls: Controls, text: str) -> ipywidgets.Button:
    (found,) = (
        widget
        for widget in parts(controls)
        if isinstance(widget, ipywidgets.Button) and widget.description == text
    )
    return found


def words(controls: Controls) -> str:
    """Return what is said below the knobs."""
    return str(controls.children[-1].value)


OTHER_VALUES = {
    "batch": 8,
    "wait": "epoll",
    "spin_microseconds": 200,
    "spin_share": 0.5,
    "busy_poll_microseconds": 100,
    "busy_poll_budget": 16,
    "timer_microseconds": 50,
    "action": "reflect",
    "burst": 512,
    "sample_every": 10,
    "inspect": True,
    "checksum": "none",
    "pace": 0.01,
    "rate": 1000,
    "size": 512,
}
OF_NAPI = {
    "threaded": True,
    "defer_hard_irqs": 5,
    "gro_flush_timeout": 20_000,
    "irq_suspend_timeout": 10_000_000,
}
OF_CARD = names_of_home("steering")  # of which a lab has none


def value_of(name: str, engine: Engine, traffic: Traffic) -> object:
    homes = {"engine": engine, "traffic": traffic, "napi": engine.napi}
    return getattr(homes[KNOBS[name].home], name)


def test_every_knob_is_a_trait_and_every_trait_of_ours_a_knob() -> None:
    own = set(Controls.class_trait_names()) - set(ipywidgets.VBox.class_trait_names())
    assert own == {name for name, knob in KNOBS.items() if knob.home != "sockets"}
    assert {*OTHER_VALUES, *OF_NAPI, *OF_CARD} == own - {"stream_rate"}


def test_what_the_card_does_not_have_has_no_control_and_can_not_be_set(lab: Lab) -> None:
    engine = Engine(lab.port)
    controls = Controls(engine)
    shown = {part.control.tooltip for part in parts(controls) if isinstance(part, Control)}
    assert KNOBS["batch"].help in shown
    for name in OF_CARD:
        assert getattr(controls, name) is None
        assert KNOBS[name].help not in shown
        with pytest.raises(ConfigurationError, match=f"{name} can't be set"):
            setattr(controls, name, KNOBS[name].kind.type == "bool" or 64)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *OTHER_VALUES.items(),
        *(pytest.param(*knob, marks=pytest.mark.kernel) for knob in OF_NAPI.items()),
    ],
)
def test_trait_control_and_knob_follow_each_other_whichever_is_changed(
    lab: Lab, name: str, value: object
) -> None:
    engine = Engine(lab.port)
    traffic = Traffic(lab.peer, lab.port)
    controls = Controls(engine, traffic)
    before = value_of(name, engine, traffic)

    def all_are(wanted: object) -> bool:
        return (
            value_of(name, engine, traffic)
            == getattr(controls, name)
            == control(controls, name).value
            == wanted
        )

    assert all_are(before)
    setattr(controls, name, value)
    assert all_are(value)
    control(controls, name).value = before
    assert all_are(before)
    knob = KNOBS[name]
    homes = {"engine": engine, "traffic": traffic, "napi": engine.napi}
    setattr(homes[knob.home], name, value)
    controls.refresh()
    assert all_are(value)


def test_several_controls_on_one_engine_agree(lab: Lab) -> None:
    engine = Engine(lab.port)
    first, second = Controls(engine), Controls(engine)
    control(first, "batch").value = 128
    second.refresh()
    assert control(second, "batch").value == second.batch == 128
    second.apply("latency")
    first.refresh()
    assert (first.wait, first.batch) == ("spin", PRESETS["latency"].knobs["batch"])
    first.undo()
    second.refresh()
    assert (second.wait, second.batch) == ("poll", 128)


def test_what_the_engine_refuses_is_an_error_in_python_and_nothing_moves(lab: Lab) -> None:
    engine = Engine(lab.port, batch=64, ring_size=2048)
    controls = Controls(engine)
    with pytest.raises(ConfigurationError, match="batch=5000"):
        controls.batch = 5000
    assert controls.batch == control(controls, "batch").value == engine.batch == 64


def test_what_the_engine_refuses_a_slider_is_said_and_the_slider_goes_back(lab: Lab) -> None:
    engine = Engine(lab.port, batch=64, ring_size=2048)
    controls = Controls(engine)
    engine.reconfigure(ring_size=128)  # which the slider does not know yet
    control(controls, "batch").value = 1024
    controls.refresh()
    assert word(controls, "batch") == "batch=1024 must be a whole number, 1 to 128."
    assert controls.batch == control(controls, "batch").value == engine.batch == 64
    assert box(controls, "batch").value == "64"
    control(controls, "batch").value = 128
    controls.refresh()
    assert word(controls, "batch") == ""
    assert box(controls, "batch").value == "128"


def test_a_word_stays_though_the_value_was_changed_elsewhere_just_before(lab: Lab) -> None:
    engine = Engine(lab.port, batch=64, ring_size=2048)
    controls = Controls(engine)
    engine.reconfigure(ring_size=128)
    engine.batch = 32  # which is not shown yet
    control(controls, "batch").value = 1024
    for _beat in range(3):
        controls.refresh()
        assert word(controls, "batch") == "batch=1024 must be a whole number, 1 to 128."
    engine.batch = 16
    box(controls, "batch").value = "no number"
    for _beat in range(3):
        controls.refresh()
        assert "no number" in word(controls, "batch")
    engine.batch = 8
    controls.refresh()
    assert word(controls, "batch") == ""


def test_a_batch_goes_as_far_as_the_ring_and_a_new_ring_moves_the_end(lab: Lab) -> None:
    engine = Engine(lab.port, ring_size=1024)
    controls = Controls(engine)
    assert [value for _text, value in control(controls, "batch").options][-1] == 1024
    engine.reconfigure(ring_size=256)
    controls.refresh()
    assert [value for _text, value in control(controls, "batch").options][-1] == 256


def test_a_value_between_the_stops_gets_a_place_of_its_own(lab: Lab) -> None:
    engine = Engine(lab.port)
    controls = Controls(engine)
    engine.batch = 100
    controls.refresh()
    values = [value for _text, value in control(controls, "batch").options]
    assert values == sorted(values)
    assert control(controls, "batch").value == 100 in values
    engine.batch = 128
    controls.refresh()
    assert 100 not in [value for _text, value in control(controls, "batch").options]


@pytest.mark.parametrize(
    ("wait", "shown"),
    [
        ("poll", set()),
        ("adaptive", {"spin_microseconds", "spin_share"}),
        ("uring-napi", {"busy_poll_microseconds"}),
        ("busy-poll", {"busy_poll_microseconds", "busy_poll_budget"}),
        ("epoll-napi", {"busy_poll_microseconds", "busy_poll_budget"}),
        ("irq-suspend", {"busy_poll_budget"}),
        ("timer", {"timer_microseconds"}),
    ],
)
def test_a_strategys_parameters_are_shown_with_it_alone(
    lab: Lab, wait: str, shown: set[str]
) -> None:
    engine = Engine(lab.port, wait="spin")
    controls = Controls(engine)
    controls.wait = wait
    parameters = {
        *("spin_microseconds", "spin_share", "timer_microseconds"),
        *("busy_poll_microseconds", "busy_poll_budget"),
    }
    assert {name for name in parameters if is_shown(controls, name)} == shown
    assert engine.wait == wait


@pytest.mark.kernel
def test_an_ineffective_strategy_is_marked_and_why_is_said_when_it_is_chosen(lab: Lab) -> None:
    engine = Engine(lab.port)
    controls = Controls(engine)
    texts = {value: text for text, value in control(controls, "wait").options}
    assert texts["busy-poll"] == "busy-poll (ineffective here)"
    assert texts["spin"] == "spin"
    assert "does not tell" not in words(controls)
    control(controls, "wait").value = "busy-poll"
    assert "the driver does not tell an AF_XDP socket its NAPI" in words(controls)
    control(controls, "wait").value = "spin"
    assert "does not tell" not in words(controls)


def test_a_rate_ends_in_as_fast_as_it_can(lab: Lab) -> None:
    engine, traffic = Engine(lab.port), Traffic(lab.peer, lab.port, rate=1000)
    controls = Controls(engine, traffic)
    slider = control(controls, "rate")
    slider.index = len(slider.options) - 1
    assert traffic.rate == controls.rate == slider.value == "max"


def test_a_generating_engine_has_its_streams_rate_and_no_traffic(lab: Lab) -> None:
    engine = Engine(lab.peer, stream=Stream(lab.port, rate=1000))
    controls = Controls(engine)
    assert control(controls, "stream_rate").value == controls.stream_rate == 1000
    control(controls, "stream_rate").value = "max"
    assert engine.stream_rate == "max"
    assert controls.rate is None
    with pytest.raises(ConfigurationError, match="rate can't be set: there is no traffic"):
        controls.rate = 5


def test_only_actions_that_the_engine_can_do_are_offered(privileged: None) -> None:
    with (
        Lab(number=0) as one,
        Lab(number=1) as other,
        Engine(one.port, forward_to=other.port) as engine,
    ):
        controls = Controls(engine)
        assert [value for _text, value in control(controls, "action").options] == [
            "drop",
            "forward",
        ]


def test_a_pace_ends_in_single_steps(lab: Lab) -> None:
    engine = Engine(lab.port)
    controls = Controls(engine)
    slider = control(controls, "pace")
    slider.index = len(slider.options) - 1
    assert engine.pace == math.inf
    assert slider.label == "by steps"


@pytest.mark.kernel
def test_a_preset_says_why_and_is_undone_in_one_step(lab: Lab) -> None:
    engine = Engine(lab.port, batch=32, wait="epoll")
    controls = Controls(engine)
    assert button(controls, "Undo").disabled
    for name in PRESETS:
        button(controls, name[0].upper() + name[1:]).click()
        assert PRESETS[name].why in words(controls)
        assert controls.wait == engine.wait == PRESETS[name].knobs["wait"]
    assert controls.gro_flush_timeout == PRESETS["low CPU"].knobs["gro_flush_timeout"]
    assert "wait spin → uring-multishot" in button(controls, "Undo").tooltip
    for _ in PRESETS:
        button(controls, "Undo").click()
    assert "undone: batch 32 → 256, wait epoll → adaptive" in words(controls)
    assert (engine.batch, engine.wait, engine.napi.gro_flush_timeout) == (32, "epoll", 0)
    assert (controls.batch, controls.wait, controls.gro_flush_timeout) == (32, "epoll", 0)
    assert button(controls, "Undo").disabled


def test_the_generator_is_started_and_stopped(lab: Lab) -> None:
    engine, traffic = Engine(lab.port), Traffic(lab.peer, lab.port, rate=10)
    controls = Controls(engine, traffic)
    button(controls, "Start").click()
    assert traffic.running
    button(controls, "Stop").click()
    assert not traffic.running
    traffic.close()
    controls.refresh()
    assert button(controls, "Start").disabled
    assert control(controls, "rate").disabled
    with pytest.raises(ClosedError, match="traffic was closed"):
        controls.rate = 5


def test_a_generator_that_makes_less_than_asked_is_said_beside_its_knobs(lab: Lab) -> None:
    engine = Engine(lab.port)
    traffic = Traffic(lab.peer, lab.port, rate=100_000_000)
    controls = Controls(engine, traffic)

    def said() -> bool:
        controls.refresh()
        return "of the 100 Mpps asked." in text_of(controls)

    assert not said()
    with traffic:
        assert eventually(said)
    assert not said()
    controls.close()
    traffic.close()
    engine.close()


def test_a_closed_engine_greys_the_controls_out_and_is_said(lab: Lab) -> None:
    engine = Engine(lab.port)
    controls = Controls(engine)
    engine.close()
    controls.refresh()
    shown = [*OTHER_VALUES, *OF_NAPI]
    assert all(control(controls, n).disabled for n in shown if KNOBS[n].home != "traffic")
    assert button(controls, "Latency").disabled
    assert "engine is closed" in words(controls)
    assert "engine is closed" in repr(controls)
    with pytest.raises(ClosedError, match="engine was closed"):
        controls.batch = 8


def test_neither_engine_nor_traffic_is_kept_alive(lab: Lab) -> None:
    engine, traffic = Engine(lab.port), Traffic(lab.peer, lab.port)
    controls = Controls(engine, traffic)
    closed = []
    for held in (engine, traffic):
        weakref.finalize(held, closed.append, True)
    del engine, traffic, held
    gc.collect()
    assert closed == [True, True]
    controls.refresh()
    assert "nothing held it any more" in repr(controls)


def test_plain_text_says_what_is_shown(lab: Lab) -> None:
    engine, traffic = Engine(lab.port, batch=32), Traffic(lab.peer, lab.port, rate=20_000)
    controls = Controls(engine, traffic)
    said = controls._repr_mimebundle_()["text/plain"]
    assert said.replace(" [simulated]", "") == (
        "<Controls: port0 queue 0, stopped, batch 32, wait poll, action drop, "
        "traffic 20 kpps of 64 bytes>"
    )


def test_an_attribute_that_nothing_reads_is_refused_with_the_knob_that_was_meant(lab: Lab) -> None:
    with Engine(lab.port) as engine, Traffic(lab.peer, lab.port, rate=10) as traffic:
        controls = Controls(engine, traffic)
        for wrong, meant in (
            ("bacth", "batch"),
            ("traffic_rate", "rate"),
            ("napi_threaded", "thr"),
        ):
            with pytest.raises(ConfigurationError, match=f"no '{wrong}'.*Did you mean '{meant}"):
                setattr(controls, wrong, 5)
        with pytest.raises(ConfigurationError, match=r"Set one of: .*batch.*rate"):
            controls.zzz = 5
        controls.batch, controls.rate = 8, 20
        controls.layout.width = "50%"
        controls.layout = {"width": "60%"}
        assert (engine.batch, traffic.rate) == (8, 20)
