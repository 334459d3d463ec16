"""The drawing of a packet's way, and a worker that is moved by single steps."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from xdplab import ConfigurationError, Engine, Lab, Traffic
from xdplab.course import follow, rings, step, way


@pytest.fixture
def paced(lab: Lab) -> Iterator[Engine]:
    with Engine(lab.port, ring_size=16, batch=1, action="reflect") as engine:
        engine.pace = math.inf
        yield engine


def test_a_way_is_drawn_from_the_engine_as_it_is(lab: Lab) -> None:
    with Engine(lab.port, match="less 100", ring_size=512) as engine:
        engine.wait = "spin"
        drawn = way(engine)
        words = "".join(ET.fromstring(drawn._repr_html_()).itertext())
        for part in ("takes: less 100", "RX ring: 512", "fill ring: 1,024", "wait=spin"):
            assert part in words
            assert part in repr(drawn)
        assert ("[simulated]" in words) == ("[simulated]" in repr(drawn)) == engine.simulated


def test_a_frame_that_is_sent_back_goes_through_all_four_rings(lab: Lab, paced: Engine) -> None:
    assert len(rings(paced).frames("fill")) == 32
    with Traffic(lab.peer, lab.port, rate=1000, count=2) as traffic:
        traffic.wait()
    first, second = rings(paced, rx=2).frames("rx")
    assert follow(paced, first) == ["rx", "tx", "completion", "fill"]
    assert follow(paced, second)[-1] == "fill"


def test_a_step_takes_one_batch(lab: Lab, paced: Engine) -> None:
    with Traffic(lab.peer, lab.port, rate=1000, count=3) as traffic:
        traffic.wait()
    before = rings(paced, rx=3)
    after = step(paced)
    assert after.turns == before.turns + 1
    assert after.frames("rx") == before.frames("rx")[1:]
    assert after.home(before.frames("rx")[0]) in ("tx", "sending", "completion")
    assert "rx          kernel → worker" in str(after)


def test_what_is_not_paced_or_too_large_shows_no_rings(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xdplab.course.stepping._PATIENCE", 0.2)
    with Engine(lab.port, ring_size=16) as engine:
        with pytest.raises(ConfigurationError, match=r"engine\.pace = math\.inf"):
            rings(engine)
        engine.reconfigure(ring_size=1024)
        with pytest.raises(ConfigurationError, match="ring_size=16"):
            step(engine)
