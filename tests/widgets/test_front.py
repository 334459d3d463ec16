"""The front shows what was tried where it stands, and sets the engine to what is picked."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest
from support.seen import click, figure, rows, text_of
from support.waiting import eventually

from xdplab import ClosedError, ConfigurationError, Engine, Lab
from xdplab.experiments.metrics import METRICS
from xdplab.settings.undo import undo
from xdplab.tuning.objective import Objective
from xdplab.tuning.result import Tried, Tuning
from xdplab.widgets import Front
from xdplab.widgets.front.points import points
from xdplab.widgets.front.words import importances_html

SEEN: list[dict[str, float | None]] = [
    {"pps": 1e5, "p99_ns": 9e5, "cpu_ns_per_packet": 900},
    {"pps": 3e6, "p99_ns": 8e5, "cpu_ns_per_packet": 300},
    {"pps": 1e6, "p99_ns": 7e3, "cpu_ns_per_packet": 700},
    {"pps": 9e5, "p99_ns": None, "cpu_ns_per_packet": 100},
    {},
]
SETTINGS: list[dict[str, object]] = [
    {"wait": "poll", "batch": 64, "inspect": True},
    {"wait": "adaptive", "batch": 256, "inspect": False},
    {"wait": "spin", "batch": 16, "inspect": False},
    {"wait": "epoll", "batch": 64, "inspect": False},
    {"wait": "spin", "batch": 9999, "inspect": False},
]


def tuning_of(engine: Engine) -> Tuning:
    """Make up what a search saw, so that what is drawn is known."""
    tried = [
        Tried(setting, [{**dict.fromkeys(METRICS), **seen}], [seen["pps"] or 0]) if seen
        else Tried(setting, reason="batch=9999 must be <less>")
        for setting, seen in zip(SETTINGS, SEEN, strict=True)
    ]  # fmt: skip
    importances = {"inspect": 0.7, "wait": 0.3}
    return Tuning(tried, Objective.of("pps"), importances, engine, None, interrupted=False)


@pytest.fixture
def engine(lab: Lab) -> Iterator[Engine]:
    with Engine(lab.port) as engine:
        engine.inspect = True
        yield engine


def labels(engine: Engine, seen: list[dict[str, float | None]]) -> dict[str, tuple[float, float]]:
    """Return the places of labels, in pixels from their points, by their text."""
    tried = [
        Tried({"batch": 1 << place}, [{**dict.fromkeys(METRICS), **each}], [each["pps"] or 0])
        for place, each in enumerate(seen)
    ]
    tuning = Tuning(tried, Objective.of("pps"), {}, engine, None, interrupted=False)
    sources = points(tuning).sources
    return {
        text: (float(right), float(down))
        for source in (sources["places"], sources["begin"])
        for text, right, down in zip(source["text"], source["right"], source["down"], strict=True)
        if text
    }


def test_labels_of_points_side_by_side_go_to_different_sides(engine: Engine) -> None:
    begin: dict[str, float | None] = {"pps": 2.0e6, "p99_ns": 8e4, "cpu_ns_per_packet": 300}
    far: dict[str, float | None] = {"pps": 2.5e6, "p99_ns": 9e5, "cpu_ns_per_packet": 400}
    close = {**begin, "pps": 2.01e6, "p99_ns": 8.1e4}
    assert labels(engine, [begin, far]).keys() == {"0", "1", "began here"}
    placed = labels(engine, [begin, close, far])
    assert placed.keys() == {"0", "1", "2", "began here"}
    assert placed["1"] != placed["2"]


def test_a_label_without_room_on_any_side_is_left_out_and_that_of_the_best_is_not(
    engine: Engine,
) -> None:
    heap: list[dict[str, float | None]] = [
        {"pps": 2e6 + number, "p99_ns": 8e4 + number, "cpu_ns_per_packet": 300}
        for number in range(12)
    ]
    placed = labels(engine, heap)
    assert "0" in placed
    assert len(placed) < len(heap)
    assert len(set(placed.values())) == len(placed)


def test_began_here_keeps_off_a_point_above_its_own(engine: Engine) -> None:
    begin: dict[str, float | None] = {"pps": 1.0e6, "p99_ns": 9e4, "cpu_ns_per_packet": 900}
    best: dict[str, float | None] = {"pps": 2.5e6, "p99_ns": 8e4, "cpu_ns_per_packet": 100}
    above = {**begin, "pps": 1.25e6, "p99_ns": 9.1e4}
    right, down = labels(engine, [begin, best, above])["began here"]
    assert abs(right) > 20 or down > -5


def test_each_measured_setting_stands_at_its_figures_and_the_front_stands_out(
    engine: Engine,
) -> None:
    tuning = tuning_of(engine)
    drawn = points(tuning)
    shown = drawn.sources["points"]
    rows = [int(row) for row in shown["row"]]
    assert sorted(rows) == [0, 1, 2, 3]  # and not what was refused
    assert tuning.places == [1, 2, 3]
    for place, row in enumerate(rows):
        assert shown["y"][place] == SEEN[row]["pps"]
        if SEEN[row]["p99_ns"] is None:  # no better than any
            assert 9e5 < float(shown["x"][place]) < drawn.latency.end
        else:
            assert shown["x"][place] == SEEN[row]["p99_ns"]
    sizes = dict(zip(rows, shown["size"], strict=True))
    assert sizes[1] == sizes[2] == sizes[3] > sizes[0]
    assert list(drawn.sources["places"]["text"]) == ["2", "1", "0"]
    assert list(drawn.sources["begin"]["y"]) == [1e5]
    assert (drawn.dearest, drawn.cheapest) == (900, 100)
    assert len(set(shown["color"])) == 4
    assert "batch 256" in shown["said"][rows.index(1)]
    assert "3 M packets/s" in shown["said"][rows.index(1)]


def said_by(front: Front) -> str:
    front.refresh()
    return text_of(front)


def test_what_the_engine_is_set_to_is_ringed(engine: Engine) -> None:
    front = Front(tuning_of(engine))
    assert list(rows(front, "present")["y"]) == [1e5]
    front.apply(1)
    front.refresh()
    assert list(rows(front, "present")["y"]) == [1e6]
    assert "The ring is around the engine's present settings" in text_of(front)
    engine.batch = 7
    front.refresh()
    assert list(rows(front, "present")["y"]) == []
    assert "No point has the engine's present settings" in text_of(front)


def test_a_click_sets_the_engine_and_is_undone_in_one_step(engine: Engine) -> None:
    front = Front(tuning_of(engine), engine)
    click(front, "2 1234567")
    assert eventually(lambda: (engine.wait, engine.batch) == ("spin", 16))
    assert eventually(lambda: engine.inspect is False)
    assert eventually(lambda: "Applied: wait spin, batch 16" in said_by(front))
    undo(engine)
    assert (engine.wait, engine.batch, engine.inspect) == ("poll", 64, True)


def test_what_is_refused_is_said_and_nonsense_is_ignored(engine: Engine) -> None:
    front = Front(tuning_of(engine))
    click(front, "4 1")
    assert eventually(lambda: "batch=9999" in said_by(front))
    for nonsense in ("", "99 1", "-1 2", "row"):
        click(front, nonsense)
    assert engine.batch == 64
    with pytest.raises(ConfigurationError, match="place=3"):
        front.apply(3)


def test_it_says_what_was_found_and_draws_what_mattered(engine: Engine) -> None:
    tuning = tuning_of(engine)
    front = Front(tuning)
    said = repr(front)
    assert tuning.sentence in said
    assert "0: wait adaptive, batch 256" in said
    bars = importances_html(tuning.importances)
    assert "inspect" in bars
    assert "70%" in bars
    assert "Too few runs" in importances_html({})
    assert "&lt;less&gt;" not in said  # the refused is not among what there is to pick


def test_a_static_picture_is_drawn(engine: Engine) -> None:
    draw = figure(Front(tuning_of(engine))).static_picture()
    assert draw is not None
    assert draw()


def test_it_does_not_keep_the_engine_and_says_when_it_is_gone(lab: Lab) -> None:
    engine = Engine(lab.port)
    front = Front(tuning_of(engine))
    engine.close()
    with pytest.raises(ClosedError, match="engine was closed"):
        front.apply()
    del engine
    gc.collect()
    front.refresh()
    assert "engine is closed" in repr(front)
    with pytest.raises(ClosedError, match="gone"):
        Front(front.tuning)
    assert np.isfinite(front.tuning.front["pps"]).all()
