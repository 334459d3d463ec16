"""Marks on plots of time: each change of a knob is one."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xdplab import Engine, Lab, Traffic
from xdplab.knobs.journal import Change, Journal
from xdplab.widgets import Timeline
from xdplab.widgets.history.marks import Mark, MarksFeed


class WrittenJournal(Journal):
    """One with times of our choice, in seconds."""

    def __init__(self, *changes: tuple[float, str, Any, Any]) -> None:
        super().__init__()
        for seconds, *change in changes:
            self._changes.append(Change(round(seconds * 1e9), *change))


def marks_of(*changes: tuple[float, str, Any, Any]) -> list[Mark]:
    return MarksFeed([("", WrittenJournal(*changes))]).recent()


def test_slider_that_was_dragged_is_one_mark() -> None:
    (mark,) = marks_of((1.0, "batch", 1, 2), (1.4, "batch", 2, 4), (1.8, "batch", 4, 1024))
    assert mark == (1_000_000_000, "batch 1,024", "batch 1 → 1,024")


def test_changes_that_are_further_apart_are_marks_of_their_own() -> None:
    assert [mark.detail for mark in marks_of((1, "batch", 1, 2), (1.6, "batch", 2, 4))] == [
        "batch 1 → 2",
        "batch 2 → 4",
    ]


def test_knobs_that_are_turned_at_once_are_marks_of_their_own() -> None:
    marks = marks_of((1.0, "batch", 1, 2), (1.1, "wait", "poll", "spin"), (1.2, "batch", 2, 4))
    assert [mark.label for mark in marks] == ["batch 4", "wait spin"]


def test_values_are_told_in_the_words_of_people() -> None:
    marks = marks_of(
        (1, "inspect", False, True),
        (2, "pace", 0.0, float("inf")),
        (3, "busy_poll_budget", 64, 20_000),
        (4, "queue", (0,), (1, 2)),
    )
    assert [mark.detail for mark in marks] == [
        "inspect off → on",
        "pace 0 → ∞",
        "busy poll budget 64 → 20,000",
        "queue 0 → 1, 2",
    ]


def test_marks_of_engine_and_traffic_come_in_the_order_of_time(lab: Lab) -> None:
    with Engine(lab.port) as engine, Traffic(lab.peer, lab.port, rate=100) as traffic:
        engine.batch = 32
        traffic.rate = 200
        engine.wait = "spin"
        marks = MarksFeed([("", engine.journal), ("", traffic.journal)])
        update = marks(None)
        assert update is not None
        assert update.columns["detail"] == [
            "batch 64 → 32",
            "rate 100 → 200",
            "wait poll → spin",
        ]
        assert list(update.columns["time"]) == sorted(update.columns["time"])
        assert marks(update.position) is None
        before = time.time() + time.localtime().tm_gmtoff
        engine.burst = 128
        news = marks(update.position)
        assert news is not None
        assert news.replace
        assert news.columns["label"][-1] == "burst 128"
        assert np.abs(news.columns["time"][-1] / 1000 - before) < 5


def test_marks_of_several_engines_say_whose_they_are(privileged: None) -> None:
    with Lab() as one, Lab() as other, Engine(one.port) as first, Engine(other.port) as second:
        second.batch = 1
        marks = MarksFeed([("1: ", first.journal), ("2: ", second.journal)])
        assert [mark.label for mark in marks.recent()] == ["2: batch 1"]


def test_timeline_says_what_was_changed_in_plain_text(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        timeline = Timeline(engine)

        def said() -> str:
            return repr(timeline).replace(" [simulated]", "")

        assert said() == "<Timeline: port0 queue 0, 0 changes>"
        engine.batch = 8
        assert said() == "<Timeline: port0 queue 0, 1 change, the last batch 64 → 8>"


@given(st.lists(st.integers(0, 60_000), unique=True, min_size=1), st.sampled_from([10, 60, 600]))
def test_labels_never_cover_each_other_and_the_newest_is_always_told(
    milliseconds: list[int], seconds: int
) -> None:
    changes = [(at / 1000, f"knob_{n}", 0, n) for n, at in enumerate(sorted(milliseconds))]
    marks = MarksFeed([("", WrittenJournal(*changes))], pixels=300)
    marks.seconds = seconds
    update = marks(None)
    assert update is not None
    columns = update.columns
    pixel_ms = seconds * 1000 / 300
    taken: dict[float, float] = {}  # where the label that is furthest on the right on a line ends
    for at, line, label in zip(columns["time"], columns["drop"], columns["label"], strict=True):
        if label:
            assert float(at) - 6 * len(str(label)) * pixel_ms >= taken.get(float(line), -np.inf)
            taken[float(line)] = float(at)
    assert columns["label"][-1]
