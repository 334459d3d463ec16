"""A setting is applied whole or not at all, and what was kept is put back, whatever happened."""

from __future__ import annotations

import re

import pytest

from xdplab import KNOBS, ConfigurationError, Engine, KernelError, Lab, Traffic
from xdplab.experiments.metrics import METRICS, take
from xdplab.settings.settings import apply, current, kept
from xdplab.settings.undo import undo
from xdplab.telemetry.region import LATENCY_STARTS

# The kernel's alone: what sets NAPI, too, which a simulated NIC has none of.

EVERYWHERE = {
    "ring_size": 1024,
    "headroom": 64,
    "threaded": True,
    "gro_flush_timeout": 20_000,
    "batch": 8,
    "wait": "adaptive",
    "spin_microseconds": 10,
    "rate": 5_000,
    "size": 128,
}


@pytest.fixture
def traffic(lab: Lab) -> Traffic:
    return Traffic(lab.peer, lab.port, rate=1_000)


@pytest.mark.kernel
def test_each_knob_of_the_table_can_be_read(lab: Lab, traffic: Traffic) -> None:
    values = current(Engine(lab.port), KNOBS, traffic)
    assert list(values) == list(KNOBS)
    assert values["ring_size"] == 2048
    assert values["threaded"] is False
    assert values["rate"] == 1_000


@pytest.mark.parametrize("name", [n for n in KNOBS if KNOBS[n].home in ("engine", "napi")])
def test_what_stands_in_the_table_is_an_attribute_that_can_be_set(name: str) -> None:
    from xdplab.knobs.napi import NapiSettings

    home = {"engine": Engine, "napi": NapiSettings}[KNOBS[name].home]
    assert getattr(home, name) is KNOBS[name]


@pytest.mark.kernel
def test_knobs_are_set_wherever_they_are_and_undone_in_one_step(lab: Lab, traffic: Traffic) -> None:
    with Engine(lab.port, batch=64) as engine:
        before = current(engine, EVERYWHERE, traffic)
        apply(engine, EVERYWHERE, traffic)
        assert current(engine, EVERYWHERE, traffic) == EVERYWHERE
        assert (engine.ring_size, engine.batch, engine.napi.threaded) == (1024, 8, True)
        undo(engine, traffic)  # the generator's, which were turned last
        undo(engine, traffic)
        # What takes new sockets is not undone.
        assert current(engine, EVERYWHERE, traffic) == before | {"ring_size": 1024, "headroom": 64}


def test_what_is_as_it_should_be_is_left_alone(lab: Lab) -> None:
    with Engine(lab.port, batch=64) as engine:
        apply(engine, current(engine, [name for name in KNOBS if KNOBS[name].home != "traffic"]))
        assert engine.journal.changes == ()


@pytest.mark.parametrize(
    ("batch", "ring_size"), [(4096, 8192), (16, 32)], ids=["both grow", "both shrink"]
)
def test_ring_and_batch_are_set_in_the_order_that_works(
    lab: Lab, batch: int, ring_size: int
) -> None:
    with Engine(lab.port, ring_size=2048, batch=256) as engine:
        with kept(engine, ["ring_size"]):
            apply(engine, {"batch": batch, "ring_size": ring_size})
            assert (engine.batch, engine.ring_size) == (batch, ring_size)
        # A smaller ring took the batch along, and so does putting it back.
        assert (engine.batch, engine.ring_size) == (256, 2048)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"ring_size": 1000}, ConfigurationError),
        ({"bind": "zero-copy"}, KernelError),
        ({"threaded": 7}, ConfigurationError),
        ({"burst": 0}, ConfigurationError),
        ({"batch": 1025, "ring_size": 1024}, ConfigurationError),
        ({"size": 20}, ConfigurationError),
    ],
    ids=["the ring's size", "the kernel", "NAPI", "a knob", "a batch above the ring", "traffic"],
)
def test_a_setting_that_is_refused_leaves_all_as_it_was(
    lab: Lab, traffic: Traffic, wrong: dict[str, object], error: type[Exception]
) -> None:
    with Engine(lab.port, batch=64, ring_size=2048) as engine:
        before = current(engine, KNOBS, traffic)
        with pytest.raises(error):
            apply(engine, EVERYWHERE | wrong, traffic)
        assert current(engine, KNOBS, traffic) == before
        assert engine.running


@pytest.mark.kernel
@pytest.mark.parametrize("end", [None, RuntimeError, KeyboardInterrupt])
def test_what_is_kept_is_put_back_however_the_block_ends(
    lab: Lab, traffic: Traffic, end: type[BaseException] | None
) -> None:
    def block(engine: Engine) -> None:
        with kept(engine, EVERYWHERE, traffic):
            apply(engine, EVERYWHERE, traffic)
            if end is not None:
                raise end

    with Engine(lab.port) as engine:
        engine.burst = 100
        before = current(engine, KNOBS, traffic)
        if end is None:
            block(engine)
        else:
            with pytest.raises(end):
                block(engine)
        assert current(engine, KNOBS, traffic) == before
        assert engine.running
        # What does not last is no step: the last one is what was turned before.
        assert [change.knob for change in undo(engine, traffic)] == ["burst"]


@pytest.mark.kernel
def test_an_engine_that_was_closed_meanwhile_is_left_closed(lab: Lab, traffic: Traffic) -> None:
    engine = Engine(lab.port)
    with kept(engine, EVERYWHERE, traffic):
        apply(engine, EVERYWHERE, traffic)
        traffic.close()
        engine.close()
    assert engine.closed


def test_a_knob_that_there_is_not_is_refused_with_those_that_there_are(lab: Lab) -> None:
    engine = Engine(lab.port)
    with pytest.raises(ConfigurationError, match=r"knob='bach' is none of: .*Did you mean 'batch'"):
        apply(engine, {"batch": 8, "bach": 8})
    with pytest.raises(ConfigurationError, match="ring_size"), kept(engine, ["ring"]):
        pass
    assert engine.batch == 64


def test_a_generators_knob_takes_a_generator(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match=r"rate can't be set.*Traffic"):
        apply(Engine(lab.port), {"rate": 5})


def test_the_knobs_that_take_new_sockets_are_those_of_reconfigure(lab: Lab) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Engine(lab.port).reconfigure(nothing=1)
    listed = re.search(r"It takes: ([^.]*)\.", str(refused.value))
    assert listed is not None
    assert listed[1].split(", ") == [name for name in KNOBS if KNOBS[name].home == "sockets"]


# Seconds; a run ends with its generator, however late that sends.
PATIENCE = 30.0


def test_a_run_is_judged_by_its_own_figures(lab: Lab) -> None:
    traffic = Traffic(lab.peer, lab.port, rate=1_000, count=300)
    with Engine(lab.port, wait="epoll", inspect=True) as engine:
        first = take(engine, traffic, PATIENCE)
        second = take(engine, traffic, PATIENCE)
        engine.inspect = False
        apply(engine, {"sample_every": 0})
        blind = take(engine, traffic, PATIENCE).figures
    for run in (first, second):
        measured, figures = run.measurement, run.figures
        assert tuple(figures) == tuple(METRICS)
        assert figures["pps"] == measured.rx_pps > 0
        assert figures["lost_percent"] == 0
        assert 0 < (figures["p50_ns"] or 0) <= (figures["p99_ns"] or 0)
        assert (figures["cpu_ns_per_packet"] or 0) > (measured.user_ns_per_packet or 0) > 0
        calls = sum(n for kind, n in measured.syscalls.items() if kind != "publish")
        assert figures["syscalls_per_packet"] == calls / measured.rx_packets > 0
    assert blind["p50_ns"] is blind["p99_ns"] is None


def test_a_silent_run_has_no_figures_a_packet(lab: Lab) -> None:
    with Engine(lab.port, inspect=True) as engine:
        figures = take(engine, None, 0.05).figures
    assert figures["pps"] == 0
    unknown = {name for name, value in figures.items() if value is None}
    assert unknown == set(METRICS) - {"pps"}


def test_latencies_are_of_the_run_also_where_somebody_empties_the_histogram(lab: Lab) -> None:
    traffic = Traffic(lab.peer, lab.port, rate=1_000, count=500)
    with Engine(lab.port, inspect=True) as engine:
        take(engine, traffic, PATIENCE)
        emptied = iter([True])

        def empty_once() -> None:
            if next(emptied, False):
                engine.reset_latency()

        figures = take(engine, traffic, PATIENCE, empty_once).figures
    # A difference that went below zero would be as long as the longest that there is.
    assert 0 < (figures["p99_ns"] or 0) < LATENCY_STARTS[-1]
