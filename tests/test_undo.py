"""Changes are taken back as people made them: a slider's drag and a preset are one step."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace

import pytest
from support.no_io_uring import forbid_io_uring

from xdplab import ConfigurationError, Engine, Lab, Traffic
from xdplab.knobs.journal import Journal
from xdplab.settings import presets
from xdplab.settings.presets import PRESETS, Preset, apply_preset
from xdplab.settings.settings import current
from xdplab.settings.undo import next_undo, undo


def knobs(engine: Engine) -> dict[str, object]:
    named = {name for preset in PRESETS.values() for name in preset.knobs}
    return current(engine, named)


def test_changes_are_taken_back_last_first(lab: Lab) -> None:
    engine = Engine(lab.port, batch=64)
    engine.batch = 8
    engine.wait = "spin"
    engine.burst = 100
    assert [change.knob for change in undo(engine)] == ["burst"]
    assert (engine.wait, engine.batch) == ("spin", 8)
    undo(engine)
    assert (engine.wait, engine.batch) == ("poll", 8)
    undo(engine)
    assert engine.batch == 64
    assert undo(engine) == ()


def test_a_slider_that_is_dragged_is_one_step_and_one_that_is_moved_later_another(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [10**12]
    clock = SimpleNamespace(monotonic_ns=lambda: now[0])
    monkeypatch.setattr("xdplab.knobs.journal.time", clock)
    engine = Engine(lab.port, batch=64)
    for batch in (32, 16, 8):
        now[0] += 900_000_000
        engine.batch = batch
    now[0] += 1_100_000_000
    engine.batch = 4
    undo(engine)
    assert engine.batch == 8
    undo(engine)
    assert engine.batch == 64


def test_what_was_undone_is_written_down_and_is_itself_no_step(lab: Lab) -> None:
    engine = Engine(lab.port, batch=64)
    engine.batch = 8
    undo(engine)
    assert [(change.before, change.after) for change in engine.journal.changes] == [
        (64, 8),
        (8, 64),
    ]
    assert next_undo(engine) == ()


def test_traffic_is_undone_with_the_engine_in_the_order_in_which_both_were_changed(
    lab: Lab,
) -> None:
    engine = Engine(lab.port, batch=64)
    traffic = Traffic(lab.peer, lab.port, rate=1000, size=64)
    traffic.rate = 2000
    engine.batch = 8
    traffic.size = 128
    assert [undo(engine, traffic)[0].knob for _ in range(3)] == ["size", "batch", "rate"]
    assert (traffic.rate, traffic.size, engine.batch) == (1000, 64, 64)


def test_what_took_new_sockets_is_left_alone(lab: Lab) -> None:
    engine = Engine(lab.port, batch=64, ring_size=2048)
    engine.batch = 8
    engine.reconfigure(ring_size=1024)
    assert [change.knob for change in undo(engine)] == ["batch"]
    assert (engine.batch, engine.ring_size) == (64, 1024)


def test_a_value_that_is_refused_by_now_is_an_error_and_does_not_stand_in_the_way(
    lab: Lab,
) -> None:
    engine = Engine(lab.port, batch=2000, wait="spin", ring_size=2048)
    engine.wait = "poll"
    engine.batch = 8
    engine.reconfigure(ring_size=1024)
    with pytest.raises(ConfigurationError, match="batch"):
        undo(engine)
    undo(engine)
    assert engine.wait == "spin"


@pytest.mark.kernel  # whose NAPI has some of them
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_sets_all_its_knobs_and_is_undone_in_one_step(lab: Lab, preset: str) -> None:
    with Engine(lab.port, batch=32, wait="epoll") as engine:
        engine.napi.threaded = True
        before = knobs(engine)
        apply_preset(engine, preset)
        assert knobs(engine) == {**before, **PRESETS[preset].knobs}
        undo(engine)
        assert knobs(engine) == before


def test_a_preset_that_is_refused_leaves_all_as_it_was(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(lab.port, batch=8)
    before = knobs(engine)
    half_wrong = Preset(knobs={"batch": 16, "wait": "spin", "burst": 0}, why="to be refused")
    monkeypatch.setattr(presets, "PRESETS", {"half wrong": half_wrong})
    with pytest.raises(ConfigurationError, match="burst=0"):
        apply_preset(engine, "half wrong")
    monkeypatch.undo()
    assert knobs(engine) == before


def test_a_preset_that_there_is_not_is_refused_with_those_that_there_are(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match="none of: throughput, latency, low CPU"):
        apply_preset(Engine(lab.port), "speed")


def test_a_preset_does_without_io_uring_where_that_is_forbidden(lab: Lab) -> None:
    with (
        ThreadPoolExecutor(1, initializer=forbid_io_uring) as container,
        closing(Engine(lab.port)) as engine,
    ):
        container.submit(engine.start).result()
        assert "uring-multishot" in engine.wait_refused
        for preset, wait in (("low CPU", "poll"), ("throughput", "adaptive")):
            container.submit(apply_preset, engine, preset).result()
            assert engine.wait == wait
            assert engine.burst == PRESETS[preset].knobs["burst"]


def test_a_presets_batch_is_no_larger_than_the_ring(lab: Lab) -> None:
    engine = Engine(lab.port, batch=8, ring_size=64)
    apply_preset(engine, "throughput")
    assert engine.batch == 64


def test_a_journal_forgets_the_oldest_changes_and_their_steps() -> None:
    journal = Journal()
    for number in range(1500):
        journal.note(f"knob{number}", 0, 1)
    assert len(journal.changes) == len(journal.steps) == 1000
    assert journal.last is journal.changes[-1]
    assert journal.last is not None
    assert journal.last.knob == "knob1499"
