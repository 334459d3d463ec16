"""A call or an attribute with a slip in it is answered in its user's words, at each public door."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from support.public_calls import Door, of_names, public_names

from xdplab import (
    ConfigurationError,
    Engine,
    Grid,
    Interface,
    Lab,
    Ledger,
    Traffic,
    XdplabError,
    tune,
)
from xdplab.errors import WrongCallError
from xdplab.widgets import Compare, Dashboard, Frames, LedgerView, Rings, Sweep, Timeline

RESULTS = {"Account", "Taken", "Measurement", "Verdicts", "Metric", "Preset", "Finding", "Field"}
"""Classes of results and of tables, which no user makes."""


def doors() -> list[Door]:
    public = {
        name: made
        for name, made in public_names().items()
        if name.rpartition(".")[2] not in RESULTS and getattr(made, "__name__", "") not in PLAIN
    }
    return list(of_names(public))


PLAIN = {
    "check",
    "kept",
    "next_undo",
    "metrics",
    "measure_whole",
    "chosen",
    "as_json",
    "can_capture",
    "report",
}
"""Functions for programs, not for people."""


@pytest.fixture
def soft_lab() -> Iterator[Lab]:
    with Lab(backend="soft") as lab:
        yield lab


@pytest.mark.parametrize("door", doors(), ids=lambda door: door.name)
def test_each_public_door_refuses_a_wrong_call(door: Door) -> None:
    needed = dict.fromkeys(door.needed({}))
    takes_any = any(each.kind is each.VAR_KEYWORD for each in door.parameters)
    if not takes_any:
        with pytest.raises(WrongCallError, match=r"zzz=5|come from"):
            door.call(**needed, zzz=5)
    if not any(each.kind is each.VAR_POSITIONAL for each in door.parameters):
        with pytest.raises(WrongCallError, match=r"without a name; 1 is too many|come from"):
            door.call(*[1] * (1 + len(door.parameters)))
    if needed:
        with pytest.raises(WrongCallError, match=f"needs .*{next(iter(needed))}.*: |come from"):
            door.call()
    assert inspect.signature(door.call).parameters, "completion shows its arguments"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda lab: Lab(mut=9000), "Lab takes no mut=9000. Did you mean 'mtu'?"),  # type: ignore[call-arg]
        (lambda lab: Traffic(lab.peer, lab.port, raet=5), "no raet=5. Did you mean 'rate'"),  # type: ignore[call-arg]
        (Traffic, r"needs receiver: Traffic\(lab\.peer, lab\.port\)"),
        (lambda lab: Traffic("a", "b"), "sender='a' must be a side of a lab"),
        (lambda lab: Interface("eth1"), r"come from Interface\.find\(NAME\)"),  # type: ignore[call-arg]
        (Dashboard, r"engines=<Lab .* must be .*Engine\(lab\.port\)"),
        (lambda lab: Dashboard("port0"), r"engines='port0' must be .*Engine\(lab\.port\)"),
        (lambda lab: Dashboard([lab.port]), r"engines=<Host .* must be an Engine"),
        (
            lambda lab: Dashboard(Engine(lab.port), second=30),
            r"dashboard\.seconds|'seconds'|takes:",
        ),
        (lambda lab: Dashboard(Engine(lab.port), seconds=30), r"dashboard\.seconds = 30"),
        (lambda lab: Compare(lab, rat=5), "Compare takes no rat=5. Did you mean 'rate'"),
        (lambda lab: Grid(Engine(lab.port), secnds=5), "takes no secnds=5. Did you mean 'seconds'"),
        (lambda lab: Sweep(Engine(lab.port), metrc=5), "takes no metrc=5. Did you mean 'metric'"),
        (lambda lab: Grid(Engine(lab.port), bacth=[5]), "Did you mean 'batch'"),
        (lambda lab: tune(Engine(lab.port), None, buget=5), "Did you mean 'budget'"),  # type: ignore[call-arg]
        (lambda lab: Engine(lab.port, queues=[0]), "Did you mean 'queue'"),  # type: ignore[call-arg]
    ],
)
def test_what_was_meant_is_named(soft_lab: Lab, make: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        make(soft_lab)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch": 3}, r"no batch=3: batch is a knob, engine\.batch = 3"),
        ({"threaded": True}, r"engine\.napi\.threaded = True"),
        ({"rate": 5}, r"traffic\.rate = 5"),
        ({"path": "xdp"}, r"Engine\(\.\.\., path=\.\.\.\)"),
        ({"metadata": True}, r"Engine\(\.\.\., sampling=Sampling\(metadata=\.\.\.\)\)"),
        ({"bacth": 3}, r"Did you mean 'engine\.batch = 3'"),
        ({"rings_size": 64}, "Did you mean 'ring_size'"),
        ({"zzz": 1}, "It takes: queue, cpu"),
    ],
)
def test_reconfigure_says_where_a_setting_is_changed(
    soft_lab: Lab, changes: dict[str, Any], words: str
) -> None:
    with Engine(soft_lab.port) as engine, pytest.raises(ConfigurationError, match=words):
        engine.reconfigure(**changes)


def test_no_widget_takes_an_attribute_that_nothing_reads(soft_lab: Lab) -> None:
    with Engine(soft_lab.port) as engine:
        made: list[Any] = [
            *(Dashboard(engine), Frames(engine), LedgerView(engine), Rings(engine)),
            *(Timeline(engine), Sweep(engine, batch=[16]), Compare(soft_lab)),
            *(Grid(engine, batch=[16]), Ledger(engine), engine.telemetry),
        ]
        for each in made:
            with pytest.raises(ConfigurationError, match=f"{type(each).__name__} has no 'zzz'"):
                each.zzz = 3
        with pytest.raises(ConfigurationError, match=r"no 'secnods'\. Did you mean 'seconds'"):
            made[0].secnods = 3
        with pytest.raises(ConfigurationError, match=r"Set one of: .*paused.*seconds"):
            made[0].zzz = 3


def test_a_class_of_ones_own_takes_what_it_likes(soft_lab: Lab) -> None:
    class Named(Traffic):
        def __init__(self, lab: Lab, label: str) -> None:
            super().__init__(lab.peer, lab.port)
            self.label = label

    assert Named(soft_lab, label="mine").label == "mine"


def test_an_error_within_a_call_stays_what_it_is(soft_lab: Lab) -> None:
    def judge(_figures: object) -> float:
        raise TypeError("of the user's own")

    with pytest.raises(TypeError, match="own") as raised, Engine(soft_lab.port) as engine:
        tune(engine, None, judge, budget=1, seconds=0.01, progress=False)
    assert not isinstance(raised.value, XdplabError)
