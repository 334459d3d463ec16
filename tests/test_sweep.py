"""Sweeps on a real lab: every cell is measured, interrupted or refused, and all is put back."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from support.waiting import eventually

from xdplab import ConfigurationError, Engine, KernelError, Lab, Traffic
from xdplab.experiments.in_turn import Stop
from xdplab.experiments.metrics import METRICS
from xdplab.experiments.progress import Silent
from xdplab.experiments.sweep import Grid, take
from xdplab.settings.undo import next_undo

BRIEF = 0.1


class Watching(Silent):
    """Calls a function with the words of each run that begins."""

    def __init__(self, on_begin: Callable[[str], None]) -> None:
        self._on_begin = on_begin

    def begin(self, label: str) -> None:
        """Call it."""
        self._on_begin(label)


@pytest.fixture
def engine(lab: Lab) -> Iterator[Engine]:
    with Engine(lab.port, inspect=True) as engine:
        yield engine


@pytest.fixture
def traffic(lab: Lab) -> Iterator[Traffic]:
    # Not entered, which would start it.
    traffic = Traffic(lab.peer, lab.port, rate=20_000)
    yield traffic
    traffic.close()


def test_every_combination_is_measured_and_the_settings_are_put_back(
    lab: Lab, engine: Engine
) -> None:
    # Each run ends with its generator, however late that sends.
    traffic = Traffic(lab.peer, lab.port, rate=20_000, count=1_000)
    grid = Grid(engine, traffic, seconds=30, batch=[16, 32], wait=["poll", "adaptive"])
    engine.batch = 48
    found = grid.run(progress=False).results
    assert [tuple(row) for row in found[["batch", "wait"]]] == [
        (16, "poll"),
        (16, "adaptive"),
        (32, "poll"),
        (32, "adaptive"),
    ]
    assert set(found["status"]) == {"measured"}
    assert found.dtype["batch"] == np.int64
    assert (found["pps"] > 0).all()
    assert (found["p50_ns"] > 0).all()
    assert set(METRICS) < set(found.dtype.names or ())
    assert (engine.batch, engine.wait) == (48, "poll")
    assert not traffic.running
    assert grid.best("pps") in grid.runs.combinations
    traffic.close()


def test_without_traffic_it_measures_whatever_comes(engine: Engine) -> None:
    (row,) = Grid(engine, seconds=BRIEF, batch=[16]).run(progress=False).results
    assert (row["status"], row["pps"]) == ("measured", 0)
    assert np.isnan(row["lost_percent"])


def test_a_sweep_leaves_nothing_to_undo(engine: Engine, traffic: Traffic) -> None:
    Grid(engine, traffic, seconds=BRIEF, batch=[16], rate=[5_000]).run(progress=False)
    assert {change.knob for change in engine.journal.changes} == {"batch"}
    assert next_undo(engine, traffic) == ()
    assert traffic.rate == 20_000


def test_rounds_alternate_and_their_median_is_the_result(engine: Engine, traffic: Traffic) -> None:
    grid = Grid(engine, traffic, seconds=BRIEF, rounds=3, batch=[16, 32])
    order: list[str] = []
    take(grid.runs, engine, traffic, Stop(), Watching(order.append))
    assert order == [f"batch {batch}" for batch in (16, 32, 32, 16, 16, 32)]
    each = sorted(run.figures["pps"] or 0 for run in grid.runs.of(0))
    assert grid.results["pps"][0] == each[1]
    assert list(grid.results["runs"]) == [3, 3]


def test_an_interrupt_keeps_what_was_measured_and_run_goes_on_from_there(
    engine: Engine, traffic: Traffic
) -> None:
    grid = Grid(engine, traffic, seconds=BRIEF, batch=range(1, 500))

    def run_until(count: int) -> None:
        """Run, and be interrupted once so many runs were taken."""

        def interrupt() -> None:
            eventually(lambda: grid.runs.done >= count)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        grid.run(progress=False)

    before = signal.getsignal(signal.SIGINT)
    run_until(1)
    assert signal.getsignal(signal.SIGINT) is before
    assert set(grid.results["status"]) == {"measured", "planned"}
    assert np.isnan(grid.results["pps"][-1])
    assert "It was interrupted: run() goes on with the rest." in str(grid)
    assert (engine.batch, traffic.running) == (64, False)
    taken, first = grid.runs.done, grid.results["pps"][0]
    run_until(taken + 1)
    assert taken < grid.runs.done < grid.runs.total
    assert grid.results["pps"][0] == first


def test_stop_from_another_thread_ends_a_long_run_at_once(engine: Engine, traffic: Traffic) -> None:
    grid = Grid(engine, traffic, seconds=3600, batch=[16, 32])
    thread = threading.Thread(target=grid.run, args=(False,))
    thread.start()
    assert eventually(lambda: traffic.running)
    grid.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert grid.runs.done == 0
    assert (engine.batch, traffic.running) == (64, False)


def test_a_sweep_that_begins_ends_another_of_the_same_engine(
    engine: Engine, traffic: Traffic
) -> None:
    endless = Grid(engine, traffic, seconds=3600, batch=[16])
    thread = threading.Thread(target=endless.run, args=(False,))
    thread.start()
    assert eventually(lambda: traffic.running)
    assert Grid(engine, traffic, seconds=BRIEF, batch=[32]).run(progress=False).runs.done == 1
    thread.join(30)
    assert not thread.is_alive()
    assert endless.runs.done == 0


def test_what_the_engine_refuses_is_recorded_and_the_rest_goes_on(
    engine: Engine, traffic: Traffic
) -> None:
    grid = Grid(engine, traffic, seconds=BRIEF, ring_size=[1024, 1000], batch=[2000, 16])
    found = grid.run(progress=False).results
    assert list(found["status"]) == ["refused", "measured", "refused", "refused"]
    assert "2000" in found["reason"][0]
    assert "power of two" in found["reason"][3]
    assert (engine.ring_size, engine.batch) == (2048, 64)


def test_a_knob_that_is_turned_meanwhile_does_no_harm(engine: Engine, traffic: Traffic) -> None:
    grid = Grid(engine, traffic, seconds=BRIEF, batch=[16, 32])

    def turn(_run: str) -> None:
        engine.batch, engine.burst = 8, 512

    take(grid.runs, engine, traffic, Stop(), Watching(turn))
    assert grid.runs.done == 2
    assert (engine.batch, engine.burst) == (64, 512)


def test_a_sweep_ends_with_the_error_when_the_interface_goes_away(
    lab: Lab, engine: Engine, traffic: Traffic
) -> None:
    grid = Grid(engine, traffic, seconds=BRIEF, batch=[16, 32, 64, 128])

    def pull_the_plug(run: str) -> None:
        if run == "batch 32":
            lab.close()
            assert eventually(lambda: engine.error is not None)

    with pytest.raises(KernelError, match="port0"):
        take(grid.runs, engine, traffic, Stop(), Watching(pull_the_plug))
    assert grid.runs.done < 4
    with pytest.raises(KernelError, match="port0"):
        grid.run(progress=False)


def test_traffic_that_runs_already_is_refused(engine: Engine, traffic: Traffic) -> None:
    with traffic, pytest.raises(ConfigurationError, match=r"traffic\.stop\(\)"):
        Grid(engine, traffic, batch=[16]).run()
    assert engine.batch == 64


def test_an_engine_that_does_not_run_is_refused(lab: Lab) -> None:
    engine = Engine(lab.port)
    with pytest.raises(ConfigurationError, match=r"engine\.start\(\)"):
        Grid(engine, batch=[16]).run()
    engine.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "at least one knob"),
        ({"batches": [1]}, "Did you mean 'batch'"),
        ({"batch": 64}, "must be a list"),
        ({"wait": "poll"}, "must be a list"),
        ({"batch": []}, "must be a list"),
        ({"batch": [1], "seconds": 0}, "seconds=0"),
        ({"batch": [1], "rounds": 0}, "rounds=0"),
        ({"batch": range(1, 200), "burst": range(1, 200)}, "more than 10,000"),
    ],
)
def test_what_makes_no_grid_is_refused_at_once(
    engine: Engine, options: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Grid(engine, **options)  # type: ignore[arg-type]


def test_nothing_is_best_before_anything_was_measured(engine: Engine) -> None:
    grid = Grid(engine, batch=np.array([16, 32]))
    with pytest.raises(ConfigurationError, match="not measured yet"):
        grid.best("pps")
    with pytest.raises(ConfigurationError, match="is none of"):
        grid.best("speed")
    assert grid.runs.combinations == [{"batch": 16}, {"batch": 32}]
    assert repr(grid).replace(" [simulated]", "") == "<Grid of 2 batch: 0 of 2 runs taken>"


def test_a_frame_has_the_columns_of_the_results(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pandas")
    grid = Grid(engine, batch=[16, 32], inspect=[True, False])
    frame = grid.frame()
    assert list(frame.columns) == list(grid.results.dtype.names or ())
    assert len(frame) == 4
    assert frame["inspect"].tolist() == [True, False, True, False]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigurationError, match="pip install pandas"):
        grid.frame()


def test_the_bar_counts_the_runs(
    engine: Engine, traffic: Traffic, capsys: pytest.CaptureFixture[str]
) -> None:
    Grid(engine, traffic, seconds=BRIEF, batch=[16, 32]).run()
    drawn = capsys.readouterr().err
    assert "2/2" in drawn
    assert "batch 32" in drawn
    Grid(engine, traffic, seconds=BRIEF, batch=[16]).run(progress=False)
    assert capsys.readouterr().err == ""
