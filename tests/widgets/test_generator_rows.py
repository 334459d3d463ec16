"""Rows over time of a generator: what it makes, and what was asked of it."""

from __future__ import annotations

import time

import numpy as np
import pytest

from xdplab import Engine, Lab, Traffic
from xdplab.widgets import Dashboard
from xdplab.widgets.dashboard.figure import GENERATOR
from xdplab.widgets.history import generator
from xdplab.widgets.history.feed import STEPS
from xdplab.widgets.history.generator import GeneratorFeed
from xdplab.widgets.live_figure import LiveFigure


def test_the_area_under_the_rate_made_is_what_was_sent(lab: Lab) -> None:
    traffic = Traffic(lab.peer, lab.port, rate=500, count=500)
    feed = GeneratorFeed(traffic)
    feed.seconds = 10
    look_twice(feed)
    with traffic:
        while traffic.running:
            feed.look()
            time.sleep(0.02)
        look_twice(feed)
        assert traffic.sent == 500
    update = feed(None)
    assert update is not None
    made, asked = np.array(update.columns["made"]), np.array(update.columns["asked"])
    assert made.sum() * STEPS[10] == pytest.approx(500)
    assert 500 in asked
    assert feed(update.position) is None


def look_twice(feed: GeneratorFeed) -> None:
    """Look, so that an edge of a row lies between two looks that read the same count.

    What is sent before the first edge or after the last one is in no row, and a count is spread
    evenly from one look to the next, however late that one comes.
    """
    for _ in range(2):
        time.sleep(STEPS[10])
        feed.look()


class Written:
    """A generator that was asked for 1,000 frames a second, with counts of our choice."""

    rate: float | str = 1_000.0
    running = True
    sent = 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    now = [10**12]
    monkeypatch.setattr(generator.time, "monotonic_ns", lambda: now[0])
    return now


def looked_at(traffic: Written, clock: list[int], made: float) -> GeneratorFeed:
    """Look at it for three seconds in which it made so many frames a second."""
    feed = GeneratorFeed(traffic)  # type: ignore[arg-type]
    for _ in range(30):
        clock[0] += 10**8
        traffic.sent += round(made / 10)
        feed.look()
    return feed


def test_a_generator_that_makes_less_than_was_asked_is_told(clock: list[int]) -> None:
    slow = Written()
    feed = looked_at(slow, clock, 400)
    assert feed.shortfall() == "the generator makes 400 pps of the 1 kpps asked"
    update = feed(None)
    assert update is not None
    assert update.columns["made"] == pytest.approx(400)
    assert update.columns["asked"] == pytest.approx(1_000)


@pytest.mark.parametrize(
    "given", [{}, {"rate": "max"}, {"running": False}], ids=["enough", "max", "stopped"]
)
def test_no_others_are_told(clock: list[int], given: dict[str, object]) -> None:
    traffic = Written()
    vars(traffic).update(given)
    feed = looked_at(traffic, clock, 10 if given else 990)
    assert feed.shortfall() == ""
    update = feed(None)
    assert update is not None
    assert np.isnan(update.columns["asked"]).all() == bool(given)


def test_rows_are_the_same_whenever_they_are_read(clock: list[int]) -> None:
    traffic = Written()
    feed = looked_at(traffic, clock, 400)
    first = feed(None)
    assert first is not None
    for _ in range(5):
        clock[0] += 10**8
        traffic.sent += 70
        feed.look()
    second, whole = feed(first.position), feed(None)
    assert second is not None
    assert whole is not None
    made = [*first.columns["made"], *second.columns["made"]]
    assert made == pytest.approx(list(whole.columns["made"]))


def test_the_dashboard_draws_a_generator_beside_what_is_received(lab: Lab) -> None:
    with Engine(lab.port) as engine, Traffic(lab.peer, lab.port, rate=100) as traffic:
        for dashboard, has_rows in (
            (Dashboard(engine, traffic), True),
            (Dashboard(engine, traffic, plots=["drops"]), False),
            (Dashboard(engine), False),
        ):
            figure = dashboard.children[-1]
            assert isinstance(figure, LiveFigure)
            assert (GENERATOR in figure.feeds) == has_rows
            assert figure.static_picture()()["image/png"]
