"""A search leaves a wrong setting, says what it found, and puts back what it turned."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from support.loads import DEEP_RING

from xdplab import KNOBS, ConfigurationError, Engine, Lab, Traffic, Worker, XdplabError, tune
from xdplab.experiments.metrics import METRICS, Figures
from xdplab.settings.presets import PRESETS
from xdplab.settings.settings import current
from xdplab.settings.undo import next_undo
from xdplab.tuning.importance import importances
from xdplab.tuning.objective import Objective
from xdplab.tuning.result import Tried, Tuning
from xdplab.tuning.space import Space

# The kernel's alone: what sets NAPI, too, or takes a link that goes away.

RATE = 20_000
ALL = [name for name in KNOBS if KNOBS[name].home != "traffic"]
QUICK: dict[str, Any] = {"seconds": 0.1, "progress": False}


@pytest.fixture
def engine(lab: Lab) -> Iterator[Engine]:
    with Engine(lab.port, wait="poll", ring_size=DEEP_RING) as engine:
        yield engine


@pytest.fixture
def traffic(lab: Lab) -> Iterator[Traffic]:
    with Traffic(lab.peer, lab.port, rate=RATE) as traffic:
        traffic.stop()
        yield traffic


def fewest_calls(figures: Figures) -> float | None:
    """Judge by what no other load of the machine changes: a worker that spins makes no call."""
    calls = figures["syscalls_per_packet"]
    return None if calls is None else -calls


@pytest.mark.kernel
def test_the_wrong_napi_setting_is_left(may_place: None, lab: Lab, traffic: Traffic) -> None:
    """With its thread on the core of a worker that spins, NAPI hardly runs: most is lost."""
    with Engine(lab.port, wait="spin", ring_size=DEEP_RING, worker=Worker(realtime=1)) as engine:
        engine.napi.threaded = True
        (instance,) = engine.napi.read()
        assert instance.thread is not None
        os.sched_setaffinity(instance.thread, {engine.cpu})
        tuning = tune(
            engine,
            traffic,
            lambda figures: figures["pps"],
            budget=8,
            knobs={"threaded": [False, True], "batch": [16, 64, 256]},
            seconds=0.2,
            progress=False,
        )
        begin, best = tuning.trials[0], tuning.front[0]
        assert begin["threaded"]
        assert tuning.settings["threaded"] is False
        assert best["pps"] > begin["pps"]
        assert not tuning.front["threaded"].any()
        # And it is as it was, for whoever wants it so.
        (again,) = engine.napi.read()
        assert again.threaded
        assert again.thread is not None
        assert os.sched_getaffinity(again.thread) == {engine.cpu}
        assert engine.batch == 64
        tuning.apply()
        assert engine.napi.threaded is False


def test_it_takes_as_many_runs_as_it_may_and_puts_all_back(
    engine: Engine, traffic: Traffic
) -> None:
    engine.burst = 100
    before, undoes = current(engine, ALL), next_undo(engine, traffic)
    tuning = tune(engine, traffic, "cpu", budget=10, **QUICK)
    assert tuning.trials["runs"].sum() == 10
    assert current(engine, ALL) == before
    assert next_undo(engine, traffic) == undoes
    assert engine.running
    assert not traffic.running
    assert not tuning.interrupted


def test_it_begins_with_what_there_is_and_the_presets(engine: Engine, traffic: Traffic) -> None:
    tuning = tune(engine, traffic, budget=6, knobs=["wait", "batch", "burst"], **QUICK)
    assert [tuning.tried(row) for row in range(4)] == [
        {"wait": "poll", "batch": 64, "burst": 256},
        *(
            {
                "wait": preset.knobs["wait"],
                "batch": preset.knobs["batch"],
                "burst": preset.knobs["burst"],
            }
            for preset in PRESETS.values()
        ),
    ]


def test_it_finds_what_is_best_and_measures_the_leaders_again(
    engine: Engine, traffic: Traffic
) -> None:
    waits = ["poll", "epoll", "uring-oneshot", "spin"]
    tuning = tune(
        engine, traffic, fewest_calls, budget=12, knobs={"wait": waits, "batch": [4, 16]}, **QUICK
    )
    assert tuning.settings["wait"] == "spin"
    assert tuning.front[0]["syscalls_per_packet"] == 0
    assert "wait='spin'" in tuning.sentence
    assert next(iter(tuning.importances)) == "wait"
    assert "fewest_calls" in repr(tuning)
    assert tuning.trials["runs"].max() > 1


def test_no_setting_is_new_twice_and_a_small_space_is_searched_whole(
    engine: Engine, traffic: Traffic
) -> None:
    knobs = {"batch": [16, 64], "wait": ["poll", "spin"]}
    tuning = tune(engine, traffic, fewest_calls, budget=12, knobs=knobs, **QUICK)
    assert len(tuning.trials) == 4
    assert len(np.unique(tuning.trials[["batch", "wait"]])) == 4
    assert tuning.trials["runs"].sum() == 12


def test_the_same_seed_tries_the_same_where_figures_are_the_same(
    engine: Engine, traffic: Traffic
) -> None:
    def made_up(_figures: Figures) -> float:
        return float(engine.batch)

    def tried(seed: int) -> list[Mapping[str, object]]:
        knobs = ["wait", "batch", "burst", "spin_microseconds"]
        tuning = tune(engine, traffic, made_up, budget=8, seed=seed, knobs=knobs, **QUICK)
        return [tuning.tried(row) for row in range(len(tuning.trials))]

    assert tried(3) == tried(3) != tried(4)


@pytest.mark.kernel
def test_a_knob_that_does_not_matter_is_not_turned(engine: Engine, traffic: Traffic) -> None:
    knobs = ["wait", "spin_microseconds", "defer_hard_irqs", "gro_flush_timeout"]
    tuning = tune(engine, traffic, lambda _figures: 1.0, budget=14, knobs=knobs, **QUICK)
    trials = tuning.trials
    assert (trials["spin_microseconds"][trials["wait"] != "adaptive"] == 50).all()
    assert (trials["gro_flush_timeout"][trials["defer_hard_irqs"] == 0] == 0).all()
    assert len(np.unique(trials["wait"])) > 3


def test_no_run_begins_after_the_time_limit(engine: Engine, traffic: Traffic) -> None:
    tuning = tune(engine, traffic, time_limit=0, budget=1000, **QUICK)
    assert tuning.trials["runs"].sum() == 1
    assert tuning.sentence.startswith("None of 1 run did better")
    assert tuning.importances == {}


def test_an_interrupt_keeps_what_was_found_and_puts_all_back(
    engine: Engine, traffic: Traffic
) -> None:
    before, runs = current(engine, ALL), 0

    def interrupted(figures: Figures) -> float | None:
        nonlocal runs
        runs += 1
        if runs == 3:
            signal.raise_signal(signal.SIGINT)
        return figures["pps"]

    tuning = tune(engine, traffic, interrupted, budget=50, **QUICK)
    assert tuning.interrupted
    assert tuning.trials["runs"].sum() == 3
    assert "interrupted" in repr(tuning)
    assert current(engine, ALL) == before
    assert not traffic.running


def test_its_progress_is_told_in_the_unit_of_what_it_searches(
    engine: Engine, traffic: Traffic, capsys: pytest.CaptureFixture[str]
) -> None:
    tune(engine, traffic, budget=4, **{**QUICK, "progress": True})
    shown = capsys.readouterr().err
    assert re.search(r"best [\d.,]+ [kM]? ?packets/s", shown), shown


def test_an_interrupt_before_anything_was_found_is_an_interrupt(
    engine: Engine, traffic: Traffic
) -> None:
    def interrupted(_figures: Figures) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(engine, traffic, interrupted, **QUICK)
    assert engine.wait == "poll"


def test_what_is_refused_is_recorded_and_the_search_goes_on(
    engine: Engine, traffic: Traffic
) -> None:
    # The figures decide what is proposed next: nothing new but what is refused is left.
    knobs = {"frame_size": [2048, 3000, 3008, 3016]}
    tuning = tune(engine, traffic, budget=3, knobs=knobs, **QUICK)
    refused = tuning.trials[tuning.trials["frame_size"] != 2048]
    assert len(refused) >= 1
    assert (refused["runs"] == 0).all()
    assert np.isnan(refused["pps"]).all()
    assert all("EINVAL" in reason for reason in refused["reason"])
    assert tuning.trials["runs"].sum() == 3


@pytest.mark.kernel
def test_an_engine_that_ends_ends_the_search_with_its_error(lab: Lab, traffic: Traffic) -> None:
    runs = 0

    def away(figures: Figures) -> float | None:
        nonlocal runs
        runs += 1
        lab.peer.run(delete_link, "peer0")
        return figures["pps"]

    with Engine(lab.port) as engine:
        with pytest.raises(XdplabError, match="port0"):
            tune(engine, traffic, away, budget=20, **QUICK)
        assert runs == 1


def delete_link(name: str) -> None:
    from pyroute2 import IPRoute

    with IPRoute() as route:
        route.link("del", index=route.link_lookup(ifname=name)[0])


def test_the_best_is_applied_where_that_is_wanted(engine: Engine, traffic: Traffic) -> None:
    knobs = {"wait": ["poll", "spin"]}
    tuning = tune(engine, traffic, fewest_calls, budget=3, knobs=knobs, apply=True, **QUICK)
    assert engine.wait == tuning.settings["wait"] == "spin"


def test_latency_is_measured_where_it_is_asked_for(engine: Engine, traffic: Traffic) -> None:
    engine.sample_every = 0
    tuning = tune(engine, traffic, "p99", budget=3, knobs=["wait"], **QUICK)
    arrived = tuning.trials[tuning.trials["pps"] > 0]
    assert len(arrived) > 0
    assert (arrived["p99_ns"] > 0).all()
    assert not engine.inspect
    with pytest.raises(ConfigurationError, match="nothing could be judged"):
        tune(engine, traffic, lambda figures: figures["p99_ns"], budget=3, **QUICK)


def test_a_generators_knob_can_be_searched_and_a_stopped_engine_stays_stopped(
    lab: Lab, traffic: Traffic
) -> None:
    engine = Engine(lab.port)
    knobs = {"size": [64, 512, 1024]}
    tuning = tune(
        engine, traffic, lambda figures: -(figures["pps"] or 0), budget=4, knobs=knobs, **QUICK
    )
    assert traffic.size == 64
    assert not engine.running
    tuning.apply(len(tuning.front) - 1)
    assert traffic.size == tuning.setting(len(tuning.front) - 1)["size"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"objective": "speed"}, r"none of: pps, p99, cpu"),
        ({"knobs": ["bach"]}, r"none of: .*Did you mean 'batch'"),
        ({"knobs": ["headroom"]}, r"what to try headroom at must be said"),
        ({"knobs": {"batch": []}}, r"must be a list of the values"),
        ({"knobs": []}, r"nothing to choose"),
        ({"knobs": {"rate": [1, 2]}, "traffic": None}, r"rate can't be set"),
        ({"budget": 0}, r"budget=0"),
        ({"seconds": 0}, r"seconds=0"),
    ],
)
def test_what_can_not_work_is_refused_before_anything_is_turned(
    engine: Engine, traffic: Traffic, arguments: dict[str, Any], said: str
) -> None:
    wanted: dict[str, Any] = {"traffic": traffic, **QUICK, **arguments}
    with pytest.raises(ConfigurationError, match=said):
        tune(engine, **wanted)
    assert engine.journal.changes == ()


def test_without_optuna_it_says_where_that_is(
    engine: Engine, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigurationError, match=r"Optuna is missing: pip install"):
        tune(engine, traffic, **QUICK)


def test_the_present_setting_is_in_the_space_and_a_batch_is_no_larger_than_the_ring(
    engine: Engine, traffic: Traffic
) -> None:
    engine.batch = 77
    space = Space(engine, traffic, {"batch": [16, 8192], "ring_size": [512, 1024]})
    assert space.choices == {"ring_size": [512, 1024, DEEP_RING], "batch": [16, 77, 8192]}
    # 8192 of 512 and 1024 is 512 and 1024.
    assert space.size() == 9
    assert "busy-poll" not in Space(engine, traffic).choices["wait"]


def figures(**known: float | None) -> dict[str, float | None]:
    return {**dict.fromkeys(METRICS), **known}


def test_what_was_lost_counts_against_a_latency_and_a_cost() -> None:
    quick, whole = figures(p99_ns=10, lost_percent=90), figures(p99_ns=20, lost_percent=0)
    judge = Objective.of("p99")
    scores = [judge.score(quick), judge.score(whole)]
    assert scores == [pytest.approx(-100), -20]
    assert judge.score(figures(p99_ns=None)) is judge.score(figures(p99_ns=1, lost_percent=100))
    assert Objective.of("pps").score(figures(pps=5, lost_percent=99)) == 5
    assert Objective.of(lambda _figures: float("nan")).score(figures()) is None


def test_the_front_is_what_no_other_beats_in_everything(engine: Engine) -> None:
    seen: list[dict[str, float | None]] = [
        {"pps": 100, "p99_ns": 50, "cpu_ns_per_packet": 50},  # beaten by the second
        {"pps": 200, "p99_ns": 50, "cpu_ns_per_packet": 50},
        {"pps": 50, "p99_ns": 5, "cpu_ns_per_packet": 90},  # the quickest
        {"pps": 40, "p99_ns": None, "cpu_ns_per_packet": 10},  # the cheapest
        {"pps": 30, "p99_ns": None, "cpu_ns_per_packet": 20},
    ]
    tried = [
        Tried({"batch": row}, [figures(**run)], [float(run["pps"] or 0)])
        for row, run in enumerate(seen)
    ]
    tuning = Tuning(tried, Objective.of("pps"), {}, engine, None, interrupted=False)
    assert list(tuning.front["batch"]) == [1, 2, 3]
    assert tuning.settings == tuning.setting(0) == {"batch": 1}
    assert "2 times the 100 packets/s that it began with (batch=0)" in tuning.sentence
    with pytest.raises(ConfigurationError, match=r"place=3 must be a whole number, 0 to 2"):
        tuning.apply(3)


def test_what_mattered_is_what_moves_the_score_however_often_it_was_tried() -> None:
    # Of eleven settings one has the wrong value, as when a search leaves it at once.
    wrong = {"threaded": True, "batch": 64, "wait": "spin"}
    right = [
        {"threaded": False, "batch": batch, "wait": wait}
        for batch in (16, 64, 256, 512, 1024)
        for wait in ("spin", "poll")
    ]
    scores = [100_000.0, *(3e6 + 100 * int(setting["batch"]) for setting in right)]
    shares = importances([wrong, *right], scores)
    assert next(iter(shares)) == "threaded"
    assert shares["threaded"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)
    assert importances([wrong, *right], [1.0] * 11) == {}
    assert importances([wrong], [1.0]) == {}
    # A knob that is not in every setting, and scores of both signs.
    spins = [{"wait": "adaptive", "spin": n} for n in range(4)]
    told = importances([*spins, {"wait": "poll"}, {"wait": "epoll"}], [0, 1, 2, 3, 0, -1])
    assert set(told) == {"wait", "spin"}
    assert min(told.values()) > 0.1


def test_where_nothing_is_better_the_sentence_says_so(engine: Engine) -> None:
    tried = [Tried({"batch": n}, [figures(pps=9 - n)], [9.0 - n]) for n in range(3)]
    tuning = Tuning(tried, Objective.of("pps"), {}, engine, None, interrupted=False)
    assert tuning.sentence.startswith("None of 3 runs did better")
    assert tuning.settings == {"batch": 0}


def test_importing_xdplab_leaves_optuna_alone() -> None:
    program = "import sys, xdplab; assert not {'optuna', 'tqdm'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_function_is_not_hidden_by_a_module() -> None:
    program = "import xdplab.tuning.search, xdplab; assert callable(xdplab.tune), xdplab.tune"
    subprocess.run([sys.executable, "-c", program], check=True)
