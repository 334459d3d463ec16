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
from xdplab.widgets.history.labels import Label, Window, place
from xdplab.widgets.history.marks import Mark, Marks, MarksFeed
from xdplab.widgets.timeline.lanes import LanesFeed


class WrittenJournal(Journal):
    """One with times of our choice, in seconds."""

    def __init__(self, *changes: tuple[float, str, Any, Any]) -> None:
        super().__init__()
        for seconds, *change in changes:
            self._changes.append(Change(round(seconds * 1e9), *change))


def marks_of(*changes: tuple[float, str, Any, Any]) -> list[Mark]:
    return Marks([("", WrittenJournal(*changes))]).recent()


def test_slider_that_was_dragged_is_one_mark() -> None:
    (mark,) = marks_of((1.0, "batch", 1, 2), (1.4, "batch", 2, 4), (1.8, "batch", 4, 1024))
    assert mark == (1_000_000_000, "batch", "1", "1,024")
    assert (mark.label, mark.detail) == ("batch 1,024", "batch 1 → 1,024")


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
        marks = MarksFeed(Marks([("", engine.journal), ("", traffic.journal)]))
        marks.show_window(last_seconds(60))
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
        marks.show_window(last_seconds(60))
        news = marks(update.position)
        assert news is not None
        assert news.replace
        assert news.columns["label"][-1] == "burst 128"
        assert np.abs(news.columns["time"][-1] / 1000 - before) < 5


def last_seconds(seconds: int) -> Window:
    now = time.monotonic_ns()
    return Window(now - seconds * 10**9, now)


def test_marks_of_several_engines_say_whose_they_are(privileged: None) -> None:
    with Lab() as one, Lab() as other, Engine(one.port) as first, Engine(other.port) as second:
        second.batch = 1
        marks = Marks([("1: ", first.journal), ("2: ", second.journal)])
        assert [mark.label for mark in marks.recent()] == ["2: batch 1"]


def test_timeline_says_what_was_changed_in_plain_text(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        timeline = Timeline(engine)

        def said() -> str:
            return repr(timeline).replace(" [simulated]", "")

        assert said() == "<Timeline: port0 queue 0, 0 changes>"
        engine.batch = 8
        assert said() == "<Timeline: port0 queue 0, 1 change, the last batch 64 → 8>"


WINDOW = Window(0, 100)
LETTERS = 100


def test_a_label_is_right_of_its_mark_and_left_of_it_where_the_plot_ends() -> None:
    assert place([(10, "batch 1"), (98, "batch 2")], WINDOW, LETTERS, 2) == [
        Label("batch 1", 0, "left"),
        Label("batch 2", 0, "right"),
    ]


def test_labels_of_marks_that_are_close_stand_below_each_other_and_the_oldest_are_counted() -> None:
    marks = [(50 + n, f"batch {n}") for n in range(5)]
    assert [(label.text, label.line) for label in place(marks, WINDOW, LETTERS, 2)] == [
        ("", 0),
        ("", 0),
        ("", 0),
        ("batch 3 +3", 1),
        ("batch 4", 0),
    ]


def test_a_label_that_is_longer_than_the_plot_is_shortened() -> None:
    (label,) = place([(50, "x" * 200)], WINDOW, LETTERS, 1)
    assert label.text == "x" * 44 + "…"


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 60)), min_size=1, max_size=60),
    st.integers(30, 200),
    st.integers(1, 4),
)
def test_no_label_covers_another_or_is_cut_off_and_each_mark_is_named_or_counted(
    given: list[tuple[int, int]], letters: int, lines: int
) -> None:
    marks = sorted((at, "x" * length) for at, length in given)
    labels = place(marks, Window(0, 1000), letters, lines)
    letter = 1000 / letters
    spans = sorted(
        (label.line, at if label.side == "left" else at - len(label.text) * letter, label.text)
        for (at, _), label in zip(marks, labels, strict=True)
        if label.text
    )
    for line, begin, text in spans:
        assert begin >= -1e-6
        assert begin + len(text) * letter <= 1000 + 1e-6
        ends = [at + len(words) * letter for n, at, words in spans if n == line and at < begin]
        assert all(end <= begin for end in ends)
    counts = [int(label.text.partition(" +")[2] or 0) for label in labels]
    assert sum(counts) + sum(bool(label.text) for label in labels) == len(marks)
    assert labels[-1].text


def test_a_mark_outside_the_range_is_not_shown() -> None:
    marks = Marks([("", WrittenJournal((1, "batch", 1, 2), (5, "batch", 2, 4)))])
    for feed in (MarksFeed(marks), LanesFeed(marks)):
        feed.show_window(Window(2 * 10**9, 6 * 10**9))
        assert feed.columns["detail"] == ["batch 2 → 4"]


def test_each_knob_has_a_lane_that_stays_when_its_changes_have_left_the_range() -> None:
    changes = ((1, "batch", 1, 2), (2, "wait", "poll", "spin"), (8, "batch", 2, 4))
    lanes = LanesFeed(Marks([("", WrittenJournal(*changes))]))
    lanes.show_window(Window(0, 10 * 10**9))
    assert list(np.floor(lanes.columns["top"])) == [0, 1, 0]
    assert lanes.columns["label"] == ["2", "spin", "4"]
    lanes.show_window(Window(5 * 10**9, 15 * 10**9))
    assert list(np.floor(lanes.columns["top"])) == [0]
    assert lanes.names.columns["name"] == ["batch", "wait"]
