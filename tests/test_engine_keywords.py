"""What `Engine` takes: some keywords, and groups of the others, each setting with one flat name."""

from __future__ import annotations

import inspect
import pickle
import re
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

import xdplab
from xdplab import KNOBS, ConfigurationError, Engine, Lab, Memory, Sampling, Worker
from xdplab.configuration.keywords import PLACES, grouped, groups

GROUPS = (Memory, Sampling, Worker)

SETTINGS: dict[str, Any] = {
    "headroom": 64,
    "unaligned": True,
    "huge_pages": "auto",
    "multi_buffer": False,
    "socket_buffer": 8 << 20,
    "sample_every": 7,
    "sample_bytes": 128,
    "metadata": True,
    "publish_interval": 0.05,
    "burst": 100,
    "checksum": "none",
    "realtime": 0,
}
"""A value for each setting of a group, by its flat name."""


@pytest.fixture
def soft_lab() -> Iterator[Lab]:
    with Lab(backend="soft") as lab:
        yield lab


def typed_in(words: str, lab: Lab) -> Engine:
    """Type what a refusal says: the import, and the call with one's own arguments in its gap."""
    (call,) = re.findall(r"Engine\(.*\)(?=,? after)", words)
    (names,) = re.findall(r"from xdplab import [\w, ]+", words)
    room: dict[str, Any] = {"Engine": Engine, "lab": lab}
    exec(names, room)
    exec(f"made = {call.replace('...', 'lab.port', 1)}", room)
    made: Engine = room["made"]
    return made


def test_each_group_is_documented_setting_by_setting() -> None:
    assert set(SETTINGS) == set(PLACES)
    assert tuple(groups().values()) == GROUPS
    for kind in GROUPS:
        assert getattr(xdplab, kind.__name__) is kind
        for each in fields(kind):
            assert f"\n    {each.name}\n        " in (kind.__doc__ or "")


def test_no_setting_is_told_twice() -> None:
    own = list(inspect.signature(Engine).parameters)
    assert not set(own) & set(PLACES)
    documented = re.findall(r"^    (\w+)$", Engine.__doc__ or "", re.M)
    assert [name for name in documented if name in own] == own
    assert not set(documented) & set(PLACES)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_moved_is_refused_with_what_can_be_typed(soft_lab: Lab, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} is typed Engine") as refused:
        Engine(soft_lab.port, **{name: SETTINGS[name]})
    with typed_in(str(refused.value), soft_lab) as engine:
        assert engine.configuration.setting(name) == SETTINGS[name]


def test_several_that_moved_are_typed_at_once(soft_lab: Lab) -> None:
    moved: dict[str, Any] = {"headroom": 64, "sample_every": 7, "unaligned": True}
    with pytest.raises(ConfigurationError, match="are typed") as refused:
        Engine(soft_lab.port, **moved)
    with typed_in(str(refused.value), soft_lab) as engine:
        assert {name: engine.configuration.setting(name) for name in moved} == moved


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Engine("port0", inspct=True), "Engine takes no inspct=True. Did you mean"),  # type: ignore[call-arg]
        (lambda: Engine("port0", sample_evry=1), r"mean 'sampling=Sampling\(every=...\)'"),  # type: ignore[call-arg]
        (lambda: Engine("port0", zzz=1), "It takes: interface, path, .*, worker"),  # type: ignore[call-arg]
        (lambda: Engine("port0", pace=0.1), r"engine\.pace = 0\.1"),  # type: ignore[call-arg]
        (lambda: Memory(headrom=8), "Memory takes no headrom=8. Did you mean 'headroom'"),  # type: ignore[call-arg]
        (lambda: Memory(frame_size=8), "It takes: headroom, .*, socket_buffer"),  # type: ignore[call-arg]
        (lambda: Sampling(sample_every=3), r"typed Engine\(..., sampling=Sampling\(every=3\)\)"),  # type: ignore[call-arg]
    ],
)
def test_a_mistyped_keyword_is_answered_with_the_one_that_was_meant(make: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        make()


@pytest.mark.parametrize(
    ("kind", "wrong", "words"),
    [
        (Memory, {"headroom": -8}, "headroom=-8 must be"),
        (Memory, {"headroom": 4}, "headroom=4 must be a multiple of 8"),
        (Memory, {"unaligned": 1}, "unaligned=1 must be True or False"),
        (Memory, {"huge_pages": "yes"}, "huge_pages='yes' must be True, False or 'auto'"),
        (Memory, {"socket_buffer": 1}, "socket_buffer=1 must be"),
        (Sampling, {"every": -1}, "Sampling: every=-1 must be"),
        (Sampling, {"bytes": 63}, "Sampling: bytes=63 must be"),
        (Sampling, {"publish_interval": 0}, "publish_interval=0 must be"),
        (Worker, {"burst": 0}, "burst=0 must be"),
        (Worker, {"checksum": "sofware"}, "Did you mean 'software'"),
        (Worker, {"realtime": 100}, "realtime=100 must be"),
    ],
)
def test_a_group_checks_its_own_values(kind: type, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        kind(**wrong)


def test_groups_are_plain_data_that_stay_as_they_are(soft_lab: Lab) -> None:
    for kind in GROUPS:
        assert pickle.loads(pickle.dumps(kind())) == kind()
    with pytest.raises(FrozenInstanceError):
        Memory().headroom = 8  # type: ignore[misc]
    with Engine(soft_lab.port, **grouped(SETTINGS)) as engine:
        assert (engine.sample_every, engine.burst, engine.checksum) == (7, 100, "none")


def test_what_is_no_group_is_told_what_a_group_is(soft_lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match=r"memory=64 must be a Memory: Memory\(\)"):
        Engine(soft_lab.port, memory=64)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"worker=Memory.* must be a Worker"):
        Engine(soft_lab.port, worker=Memory())  # type: ignore[arg-type]


def test_reconfigure_changes_one_setting_of_a_group_and_leaves_the_others(soft_lab: Lab) -> None:
    with Engine(soft_lab.port, memory=Memory(headroom=64, huge_pages="auto")) as engine:
        engine.reconfigure(headroom=128)
        assert engine.configuration.memory == Memory(headroom=128, huge_pages="auto")
        with pytest.raises(ConfigurationError, match=r"one by one.*headroom=8, unaligned=False"):
            engine.reconfigure(memory=Memory(headroom=8))
        with pytest.raises(ConfigurationError, match=r"one by one.*Sampling these: none"):
            engine.reconfigure(sampling=Sampling())


def test_a_knob_of_a_group_has_its_flat_name() -> None:
    knobs = {name for name in PLACES if name in KNOBS}
    assert knobs == set(PLACES) - {"socket_buffer", "sample_bytes", "metadata", "publish_interval"}
