"""Stops, starts and ends of an engine: what the journal tells of them, and what is refused then."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest
from support.waiting import eventually

from xdplab import Engine, KernelError, Lab, Traffic, XdplabError, apply_preset, undo
from xdplab.settings.settings import kept
from xdplab.widgets import Timeline
from xdplab.widgets.history.marks import Marks


def test_a_stop_and_the_start_after_it_are_changes_and_no_steps(lab: Lab) -> None:
    engine = Engine(lab.port)
    engine.stop()
    engine.start()
    engine.start()
    assert engine.journal.changes == ()
    engine.batch = 16
    engine.stop()
    engine.stop()
    assert str(engine.journal.last) == "engine started → stopped"
    engine.start()
    assert [str(change) for change in engine.journal.changes] == [
        "batch 64 → 16",
        "engine started → stopped",
        "engine stopped → started",
    ]
    assert [change.knob for change in undo(engine)] == ["batch"]
    assert undo(engine) == ()
    assert engine.running
    engine.close()
    engine.stop()


def test_each_has_a_mark_of_its_own_and_a_row_of_the_timeline(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        timeline = Timeline(engine)
        engine.stop()
        engine.start()
        marks = Marks([("", engine.journal)]).recent()
        assert [mark.label for mark in marks] == ["engine stopped", "engine started"]
        assert "2 changes, the last engine stopped → started" in repr(timeline)
        assert "stopped" in str(engine.journal)


def test_new_sockets_are_neither_a_stop_nor_a_start(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        engine.reconfigure(ring_size=1024)
        assert [change.knob for change in engine.journal.changes] == ["ring_size"]


@pytest.mark.parametrize(
    "turn",
    [
        lambda engine: setattr(engine, "batch", 3),
        lambda engine: setattr(engine, "wait", "spin"),
        lambda engine: engine.step(),
        lambda engine: engine.reset_latency(),
        lambda engine: apply_preset(engine, "low CPU"),
        undo,
    ],
)
def test_an_engine_that_ended_refuses_its_knobs_with_the_reason(
    privileged: None, turn: Callable[[Engine], object]
) -> None:
    with Lab() as lab:
        engine = Engine(lab.port).start()
        engine.batch = 16
    assert eventually(lambda: engine.state == "ended")
    with pytest.raises(XdplabError, match=r"interface is gone|namespace was closed"):
        turn(engine)
    assert engine.batch == 16


def test_counters_of_an_engine_that_ended_say_so(privileged: None) -> None:
    with Lab() as lab:
        engine = Engine(lab.port).start()
    assert eventually(lambda: engine.state == "ended")
    assert "ended by itself" in str(engine.telemetry.total())
    assert "ended by itself" in str(engine.telemetry)


def test_knobs_of_an_engine_that_ended_meanwhile_are_not_put_back(privileged: None) -> None:
    lab = Lab()
    engine = Engine(lab.port).start()
    with kept(engine, ["batch"]):
        engine.batch = 16
        lab.close()
        assert eventually(lambda: engine.state == "ended")
    assert engine.batch == 16


@pytest.mark.parametrize("made", [Engine, Traffic])
def test_what_can_not_start_is_closed(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, made: type[Engine] | type[Traffic]
) -> None:
    def refuse(_self: object) -> None:
        raise KernelError("start", errno.EOPNOTSUPP)

    ends = (lab.port,) if made is Engine else (lab.peer, lab.port)
    with monkeypatch.context() as patched:
        patched.setattr(made, "start", refuse)
        with pytest.raises(KernelError) as error, made(*ends):
            pass
    # While the error is held, with all variables of the call.
    with made(*ends) as another:
        assert another.running, error
