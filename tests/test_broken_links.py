"""A link that goes down ends an experiment with the reason, and keeps what was measured before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from xdplab import Engine, KernelError, Lab, Traffic, tune
from xdplab.core.errors import ConfigurationError, XdplabError
from xdplab.experiments.metrics import Figures
from xdplab.experiments.sweep import Grid
from xdplab.tuning.result import Tuning

pytestmark = pytest.mark.kernel  # a simulated wire has no link to be switched off
QUICK = {"seconds": 0.05, "progress": False}


@pytest.fixture
def traffic(lab: Lab) -> Iterator[Traffic]:
    made = Traffic(lab.peer, lab.port, rate=5000)
    yield made
    made.close()


@pytest.fixture
def engine(lab: Lab) -> Iterator[Engine]:
    with Engine(lab.port) as made:
        yield made


def switch(lab: Lab, side: str, state: str) -> None:
    host = lab.port if side == "port0" else lab.peer
    assert host.command(["ip", "link", "set", side, state]).returncode == 0


class GoesDown:
    """An objective that switches a link off after some runs."""

    def __init__(self, lab: Lab, side: str, after: int) -> None:
        self._lab, self._side, self._left = lab, side, after
        self.runs = 0

    def __call__(self, figures: Figures) -> float | None:
        """Judge a run."""
        self.runs += 1
        if self.runs == self._left:
            switch(self._lab, self._side, "down")
        return figures["pps"]


@pytest.mark.parametrize("side", ["port0", "peer0"])
@pytest.mark.parametrize("knobs", [["batch"], ["batch", "threaded", "defer_hard_irqs"]])
def test_a_search_keeps_what_it_found_before_the_link_went_down(
    lab: Lab, engine: Engine, traffic: Traffic, side: str, knobs: list[str]
) -> None:
    objective = GoesDown(lab, side, after=3)
    tuning = tune(engine, traffic, objective, budget=12, knobs=knobs, **QUICK)
    assert objective.runs == 3
    assert tuning.trials["runs"].sum() == 3
    assert f"{side}" in tuning.ended
    assert "is down" in tuning.ended
    assert f"ip link set {side} up`" in tuning.ended
    assert "6.13" not in tuning.ended
    assert tuning.ended in tuning.sentence
    switch(lab, side, "up")
    tuning.apply()


@pytest.mark.parametrize("side", ["port0", "peer0"])
def test_with_the_link_down_from_the_beginning_it_says_so(
    lab: Lab, engine: Engine, traffic: Traffic, side: str
) -> None:
    switch(lab, side, "down")
    remedy = rf"ip link set {side} up`"
    with pytest.raises(KernelError, match=remedy):
        tune(engine, traffic, "pps", budget=6, **QUICK)
    with pytest.raises(KernelError, match=remedy):
        Grid(engine, traffic, seconds=0.05, batch=[1, 64]).run(progress=False)
    assert engine.running


@pytest.mark.privilege
def test_a_setting_of_napi_is_refused_for_the_link_that_is_down(lab: Lab, engine: Engine) -> None:
    switch(lab, "port0", "down")
    words = r"threaded can't be set: port0 is down.*ip link set port0 up`"
    with pytest.raises(ConfigurationError, match=words):
        engine.napi.threaded = True
    switch(lab, "port0", "up")
    engine.napi.threaded = True
    assert engine.napi.threaded


def test_a_grid_keeps_its_runs_and_says_of_the_others_that_the_link_is_down(
    lab: Lab, engine: Engine, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = Grid(engine, traffic, seconds=0.05, batch=[1, 16, 64, 256])
    stops, stop = 0, traffic.stop

    def stop_and_switch() -> None:
        nonlocal stops
        stop()
        stops += 1
        if stops == 2:
            switch(lab, "port0", "down")

    monkeypatch.setattr(traffic, "stop", stop_and_switch)
    grid.run(progress=False)
    results = grid.results
    assert list(results["status"]).count("measured") >= 1
    failed = results[results["status"] == "failed"]
    assert len(failed) >= 2
    assert all("port0 is down" in reason for reason in failed["reason"])


def test_an_engine_that_ends_gives_the_results_with_its_error(
    lab: Lab, engine: Engine, traffic: Traffic
) -> None:
    def closes(figures: Figures) -> float | None:
        engine.close()
        return figures["pps"]

    with pytest.raises(XdplabError) as ended:
        tune(engine, traffic, closes, budget=6, knobs=["batch"], **QUICK)
    assert isinstance(ended.value.results, Tuning)
    assert ended.value.results.trials["runs"].sum() == 1


def test_where_nothing_arrives_a_search_says_so(engine: Engine) -> None:
    tuning = tune(engine, None, "pps", budget=3, knobs=["batch"], **QUICK)
    assert "No packet arrived in any of 3 runs" in tuning.sentence
