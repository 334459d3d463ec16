"""An attribute that nothing would read can't be set: a slip of the pen is named, not lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from xdplab import ConfigurationError, Engine, Lab, Traffic


@pytest.fixture
def soft_lab() -> Iterator[Lab]:
    with Lab(backend="soft") as lab:
        yield lab


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("bacth", "Did you mean 'batch'"),
        ("zzz", "Set one of: .*batch"),
        ("cpu", r"reconfigure\(cpu=...\)"),
        ("headroom", r"reconfigure\(headroom=...\)"),
        ("metadata", r"Engine\(..., sampling=Sampling\(metadata=...\)\)"),
        ("napi", "can be read only"),
        ("telemetry", "can be read only"),
        ("error", "can be read only"),
    ],
)
def test_an_engine_says_which_knob_was_meant(soft_lab: Lab, name: str, remedy: str) -> None:
    with Engine(soft_lab.port) as engine:
        before = set(vars(engine))
        with pytest.raises(ConfigurationError, match=f"'{name}'.*{remedy}"):
            setattr(engine, name, 3)
        assert set(vars(engine)) == before
        engine.batch = 3
        engine.reconfigure(cpu=engine.cpu)


def test_so_do_its_napi_settings_a_generator_and_a_lab(soft_lab: Lab) -> None:
    engine = Engine(soft_lab.port)
    traffic = Traffic(soft_lab.peer, soft_lab.port, rate=100)
    with pytest.raises(ConfigurationError, match=r"no 'threded'.*'threaded'"):
        engine.napi.threded = True  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match=r"no 'raet'.*'rate'"):
        traffic.raet = 5  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match=r"Traffic\(..., cpu=...\)"):
        traffic.cpu = 0
    with pytest.raises(ConfigurationError, match=r"Lab\(..., mtu=...\)"):
        soft_lab.mtu = 9000
    traffic.rate = 5


def test_a_class_of_ones_own_adds_what_it_likes(soft_lab: Lab) -> None:
    class Named(Engine):
        label = "mine"

    with Named(soft_lab.port) as engine:
        engine.color = "red"  # type: ignore[attr-defined]
        engine.label = "yours"
        assert (engine.color, engine.label) == ("red", "yours")  # type: ignore[attr-defined]
        assert Named.label == "mine"


def test_a_warning_of_a_knob_names_the_line_that_turned_it(soft_lab: Lab) -> None:
    with Engine(soft_lab.port) as engine, pytest.warns(UserWarning, match="ineffective") as warned:
        engine.wait = "busy-poll"
    # A collector of garbage may warn in between.
    ours = [warning for warning in warned if warning.category is UserWarning]
    assert [warning.filename for warning in ours] == [__file__]
