"""What of the latency widget needs no browser: its figures are the engine's, and its words fit."""

from __future__ import annotations

import gc
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.waiting import eventually

from xdplab import ConfigurationError, Engine, Lab, Sampling, Stream, Traffic
from xdplab.core.text import duration
from xdplab.knobs.journal import Change
from xdplab.telemetry.region import LATENCY_STARTS
from xdplab.telemetry.region import Latency as Histogram
from xdplab.widgets import LatencyView
from xdplab.widgets.latency.feeds import LatencyFeeds
from xdplab.widgets.latency.reading import LatencyReader
from xdplab.widgets.latency.shape import (
    PERCENTILES,
    Shape,
    Steady,
    curve,
    outline,
    percentiles,
    round_up,
    shares,
    wanted_span,
)
from xdplab.widgets.latency.words import mixed, ratio
from xdplab.widgets.style.log_time import ticks

NANOSECONDS = st.lists(st.integers(0, 2**34 - 1), min_size=1, max_size=200)


def histogram_of(nanoseconds: list[int]) -> Histogram:
    buckets = np.searchsorted(LATENCY_STARTS, np.array(nanoseconds, np.uint64), side="right") - 1
    return Histogram(np.bincount(buckets, minlength=len(LATENCY_STARTS)).astype(np.uint64))


def send(lab: Lab, count: int) -> None:
    with Traffic(lab.peer, lab.port, rate=20_000, count=count) as traffic:
        assert traffic.wait(30)


@given(NANOSECONDS)
def test_the_bars_hold_every_frame_where_it_is(nanoseconds: list[int]) -> None:
    histogram = histogram_of(nanoseconds)
    assert shares(histogram).sum() == pytest.approx(100)
    x, y = outline(histogram)
    assert y[0] == y[-1] == 0
    assert x[0] <= max(min(nanoseconds), 100)
    assert x[-1] >= min(max(nanoseconds), 1e10)


@given(NANOSECONDS)
def test_the_curve_meets_the_percentiles(nanoseconds: list[int]) -> None:
    histogram = histogram_of(nanoseconds)
    x, y = curve(histogram)
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) <= 0).all()
    assert x[-1] == max(histogram.percentile(100), 100)
    for longer, ns in zip(y, x, strict=True):
        # By a hair to either side, since a share of the frames may be a whole number of them.
        shares = [100 * max(1 - longer * wide, 0) for wide in (1 + 1e-9, 1 - 1e-9)]
        around = [histogram.percentile(share) for share in shares]
        assert max(around[0], 100) <= ns <= max(around[1], 100)


@given(st.lists(NANOSECONDS, min_size=1, max_size=2))
def test_the_axis_holds_all_that_is_occupied_and_is_marked(several: list[list[int]]) -> None:
    span = wanted_span(Shape.of(histogram_of(nanoseconds)) for nanoseconds in several)
    slowest = min(max(map(max, several)), 1e10)
    assert span.start <= max(min(map(min, several)), 100) * 1.000001
    assert span.end >= slowest
    assert span.end / span.start >= 30
    marks = ticks(span)
    assert len(marks) >= 1
    assert all(span.start * 0.99 <= mark <= span.end * 1.01 for mark in marks)


@given(st.floats(1e-6, 1e6))
def test_an_axis_ends_at_a_round_number_not_far_above(value: float) -> None:
    assert value <= round_up(value) <= 2.001 * value


def test_an_axis_grows_at_once_and_shrinks_after_a_while() -> None:
    steady = Steady(seconds=3)
    assert [steady(value, now) for value, now in ((1, 0), (5, 1), (2, 2), (2, 4), (2, 4.1))] == [
        *(1, 5, 5),
        *(5, 2),
    ]


@pytest.mark.parametrize(
    ("ns", "words"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (4613, "4.61 µs"),
        (99_990, "100 µs"),
        (999_900, "1.00 ms"),
        (123_456_789, "123 ms"),
        (10e9, "10.0 s"),
        (float("nan"), "-"),
    ],
)
def test_a_duration_has_three_digits_and_a_unit(ns: float, words: str) -> None:
    assert duration(ns) == words


def test_a_ratio_of_nothing_is_none() -> None:
    assert ratio(float("nan"), 1) == ratio(1, float("nan")) == ratio(1, 0) == "-"
    assert ratio(50, 100) == "0.500 x"


def test_knobs_that_were_turned_make_a_measurement_mixed_unless_turned_back() -> None:
    turned = Change(5, "batch", 64, 256)
    assert "batch 64 → 256" in mixed([turned], 4)
    assert mixed([turned], 5) == ""
    assert mixed([turned, Change(6, "batch", 256, 64)], 4) == ""
    assert mixed([Change(5, "inspect", False, True)], 4) == ""


def test_the_figure_shows_what_the_telemetry_has(lab: Lab) -> None:
    with Engine(lab.port, inspect=True) as engine:
        widget, telemetry = LatencyView(engine), engine.telemetry
        send(lab, 2000)
        assert eventually(lambda: telemetry.latency().total == 2000)
        exact = [telemetry.latency().percentile(p) for p in PERCENTILES.values()]
        assert widget.histogram.total == 2000
        assert list(percentiles(widget.histogram).values()) == exact
        picture = LatencyFeeds()
        picture.draw(Shape.of(telemetry.latency()), None, now=0)
        update = picture.feeds["flags"](None)
        assert update is not None
        assert list(update.columns["x"]) == exact
        assert update.columns["text"][0] == f"p50 {duration(exact[0])}"
        assert picture.feeds["flags"](update.position) is None
        said = repr(widget)
    assert "one way" in said
    assert "2,000 frames (every packet) since the reset" in said
    assert all(f"{n} {duration(ns)}" in said for n, ns in zip(PERCENTILES, exact, strict=True))


def test_the_last_seconds_are_the_difference_of_two_snapshots(lab: Lab) -> None:
    with Engine(lab.port, inspect=True) as engine:
        send(lab, 500)
        assert eventually(lambda: engine.telemetry.latency().total == 500)
        reader = LatencyReader(engine.telemetry)
        send(lab, 300)
        assert eventually(lambda: engine.telemetry.latency().total == 800)
        assert reader.read(seconds=10).histogram.total == 300
        assert reader.read().histogram.total == 800
        # Once there is a snapshot a second old, nothing came since.
        assert eventually(lambda: not reader.read(seconds=1).histogram.total)
        assert reader.read(seconds=10).histogram.total == 300


def test_a_reset_begins_both_anew_whoever_asks_for_it(lab: Lab) -> None:
    with Engine(lab.port, inspect=True) as engine:
        reader = LatencyReader(engine.telemetry)
        send(lab, 500)
        assert eventually(lambda: reader.read().histogram.total == 500)
        LatencyView(engine).reset()
        assert eventually(lambda: reader.read().histogram.total == 0)
        send(lab, 100)
        assert eventually(lambda: reader.read().histogram.total == 100)
        assert reader.read(seconds=10).histogram.total == 100


def test_a_reset_of_a_stopped_worker_counts_from_when_it_starts(lab: Lab) -> None:
    with Engine(lab.port, inspect=True) as engine:
        reader = LatencyReader(engine.telemetry)
        send(lab, 500)
        assert eventually(lambda: reader.read().histogram.total == 500)
        engine.stop()
        engine.reset_latency()
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            reader.read()
        engine.start()
        assert eventually(lambda: reader.read().histogram.total == 0)
        assert reader.read(seconds=1).histogram.total == 0
        send(lab, 100)
        assert eventually(lambda: reader.read().histogram.total == 100)
        assert reader.read(seconds=10).histogram.total == 100


def test_workers_add_up_and_can_be_shown_one_by_one(privileged: None) -> None:
    with Lab(queues=2) as lab, Engine(lab.port, queue=[0, 1], inspect=True) as engine:
        widget = LatencyView(engine)
        for core, count in ((0, 300), (1, 200)):
            with Traffic(lab.peer, lab.port, rate=20_000, count=count, cpu=core) as traffic:
                assert traffic.wait(30)
        assert eventually(lambda: widget.histogram.total == 500)
        widget.worker = 1
        assert widget.histogram.total == engine.telemetry.latency(1).total == 200
        assert "worker 1" in repr(widget)
        with pytest.raises(ConfigurationError, match="worker=2 must be a whole number, 0 to 1"):
            LatencyView(engine, worker=2)
        with pytest.raises(ConfigurationError, match=r"seconds=.* must be one of 1, 10, or None"):
            LatencyView(engine, seconds=5)


def test_a_frozen_copy_keeps_its_settings_and_stays_as_it_was(lab: Lab) -> None:
    with Engine(lab.port, inspect=True, batch=32) as engine:
        widget = LatencyView(engine)
        with pytest.raises(ConfigurationError, match="nothing to freeze"):
            widget.freeze()
        send(lab, 500)
        assert eventually(lambda: widget.histogram.total == 500)
        widget.freeze()
        before = widget.frozen
        assert before is not None
        assert before.label == "poll, batch 32"
        engine.batch = 64
        send(lab, 100)
        assert eventually(lambda: widget.histogram.total == 600)
        assert widget.frozen == before
        assert before.histogram.total == 500
        assert "batch 32 → 64" in repr(widget)
        assert "; frozen poll, batch 32: p50" in repr(widget)
        widget.freeze("mine")
        assert widget.frozen is not None
        assert widget.frozen.label == "mine"
        widget.clear_frozen()
        assert widget.frozen is None


def test_where_nothing_is_measured_it_says_why_and_what_to_turn(lab: Lab) -> None:
    engine = Engine(lab.port, sampling=Sampling(every=0))
    widget = LatencyView(engine)
    assert "stopped" in repr(widget)
    assert "engine.start()" in repr(widget)
    engine.start()
    assert "inspect is off and sample_every is 0" in repr(widget)
    engine.sample_every = 1000
    assert "No packet has come" in repr(widget)
    lab.peer.ping(lab.port.ipv4, count=3)
    received = engine.telemetry.counters
    assert eventually(lambda: received()["rx_packets"] >= 3)
    assert "1 packet in 1,000 is looked at" in repr(widget)
    engine.inspect = True
    assert "none of them our generators'" in repr(widget)
    engine.close()
    assert "engine is closed" in repr(widget)


def test_it_says_which_frames_were_measured_all_the_time_not_only_now(lab: Lab) -> None:
    with Engine(lab.port, inspect=True) as engine:
        widget = LatencyView(engine)
        send(lab, 100)
        assert eventually(lambda: widget.histogram.total == 100)
        assert "100 frames (every packet) since" in repr(widget)
        engine.inspect = False
        assert "(at first every packet, now 1 packet in 1,000) since the reset" in repr(widget)
        engine.inspect = True
        assert "(every packet, in between 1 packet in 1,000) since the reset" in repr(widget)
        widget.reset()
        assert eventually(lambda: widget.histogram.total == 0)
        send(lab, 100)
        assert eventually(lambda: "100 frames (every packet) since" in repr(widget))


def test_a_generating_engine_measures_the_round_trip(lab: Lab) -> None:
    stream = Stream(lab.port, rate=5_000)
    far = Engine(lab.port, action="drop")
    with Engine(lab.peer, stream=stream, inspect=True) as engine:
        widget = LatencyView(engine)
        assert eventually(lambda: engine.telemetry.counters()["tx_packets"] > 0)
        assert "None of its frames has come back" in repr(widget)
        far.action = "reflect"
        far.start()
        assert eventually(lambda: widget.histogram.total > 0)
        assert "round trip" in repr(widget)
    far.close()


def test_it_keeps_no_engine_alive_and_its_figures_stay(lab: Lab) -> None:
    engine = Engine(lab.port, inspect=True).start()
    widget = LatencyView(engine)
    send(lab, 100)
    assert eventually(lambda: widget.histogram.total == 100)
    widget.freeze()
    del engine
    gc.collect()
    widget.refresh()
    widget.reset()
    assert "nothing held it any more" in repr(widget)
    assert "100 frames since the reset: p50" in repr(widget)
