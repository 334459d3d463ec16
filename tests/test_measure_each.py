"""The same traffic with each value of a knob, beside each other."""

from __future__ import annotations

import warnings

import pytest

from xdplab import WAIT_STRATEGIES, ConfigurationError, Engine, Lab, Traffic, measure_each
from xdplab.errors import MissingKeyError

PATIENCE = 30.0  # seconds; a run ends with its generator


def some_traffic(lab: Lab) -> Traffic:
    """Return a generator that ends by itself: a run has all that it sends, however late."""
    return Traffic(lab.peer, lab.port, rate=500, count=200)


def test_each_value_has_a_run_of_its_own_and_the_knob_is_put_back(lab: Lab) -> None:
    with Engine(lab.port, wait="poll", inspect=True) as engine:
        each = measure_each(engine, some_traffic(lab), seconds=PATIENCE, wait=["spin", "epoll"])
        assert list(each) == ["spin", "epoll"]
        assert engine.wait == "poll"
        for wait, tried in each.items():
            assert tried.measurement is not None
            assert tried.latency is not None
            assert tried.measurement.wait == wait
            assert tried.measurement.rx_packets == tried.latency.total == 200
        assert each["spin"].measurement.wakeups == 0 < each["epoll"].measurement.wakeups
        assert each["spin"].core_idle > each["spin"].core_busy >= 0


def test_of_several_knobs_each_combination_is_tried(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        each = measure_each(engine, seconds=0.01, batch=[1, 16], wait=["spin", "poll"])
        assert list(each) == [(1, "spin"), (1, "poll"), (16, "spin"), (16, "poll")]
        assert each[16, "poll"].settings == {"batch": 16, "wait": "poll"}


def test_what_is_refused_is_noted_and_the_others_go_on(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        each = measure_each(engine, seconds=0.01, ring_size=[64, 65])
        assert each[65].measurement is None
        assert "power of two" in each[65].reason
        assert list(each.measured) == [64]
        shown = str(each)
        assert "refused" in shown
        assert each[65].reason.split(".")[0] in shown


def test_a_strategy_that_can_do_nothing_here_is_told_in_the_table_and_by_no_warning(
    lab: Lab,
) -> None:
    with Engine(lab.port) as engine, warnings.catch_warnings():
        warnings.simplefilter("error")
        each = measure_each(engine, seconds=0.01, wait=WAIT_STRATEGIES)
        (line,) = [line for line in str(each).splitlines() if line.startswith("busy-poll ")]
        assert "ineffective here" in line
        assert "busy-poll: " in str(each)


def test_it_is_shown_with_units_and_in_a_notebook_with_bars(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        each = measure_each(engine, some_traffic(lab), seconds=PATIENCE, batch=[1, 64])
        heading = str(each).splitlines()[1]
        assert heading.split("  ")[0] == "batch"
        assert "pps" in str(each)
        assert "linear-gradient" in (each._repr_html_() or "")
        assert ("[simulated]" in str(each)) == engine.simulated
        mark = " [simulated]" if engine.simulated else ""
        assert repr(each) == f"<Measurements of 2 settings{mark}, 2 of them measured>"


def test_the_values_are_ranked_by_a_figure(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        each = measure_each(
            engine, some_traffic(lab), seconds=PATIENCE, wait=["poll", "spin"], ring_size=[64, 65]
        )
        assert each.ranked("wakeups a second") == [("spin", 64), ("poll", 64)]
        assert each["spin", 64].figures["wakeups a second"] == 0
        assert not each["spin", 65].figures
        with pytest.raises(ConfigurationError, match="latency p50"):
            each.ranked("latency")


def test_what_was_not_tried_is_refused_with_what_was(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        each = measure_each(engine, seconds=0.01, batch=[1, 64])
        with pytest.raises(MissingKeyError, match="Tried: 1, 64"):
            each[2]
        with pytest.raises(ConfigurationError, match="name at least one knob"):
            measure_each(engine, seconds=0.01)
