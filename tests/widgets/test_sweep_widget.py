"""The sweep widget without a browser: it draws what was measured, and a click applies it."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest
from support.seen import click, control, press, rows, text_of
from support.waiting import eventually

from xdplab import ConfigurationError, Engine, Lab, Traffic
from xdplab.core.errors import XdplabError
from xdplab.experiments.runs import Runs
from xdplab.settings.undo import undo
from xdplab.widgets import Sweep
from xdplab.widgets.style.ramp import RAMP, color, ink, share
from xdplab.widgets.sweep.cells import Choice, cells

BRIEF = 0.1


@pytest.fixture
def engine(lab: Lab) -> Iterator[Engine]:
    with Engine(lab.port, inspect=True) as engine:
        yield engine


@pytest.fixture
def traffic(lab: Lab) -> Iterator[Traffic]:
    traffic = Traffic(lab.peer, lab.port, rate=20_000)
    yield traffic
    traffic.close()


def measured(**knobs: list[object]) -> Runs:
    """Return runs of which all but the last were measured: 100, 200, ... packets a second."""
    runs = Runs(1, 1, knobs)
    for number in range(len(runs.combinations) - 1):
        (run,) = runs.of(number)
        run.figures, run.status = {"pps": 100.0 * (number + 1), "p99_ns": 1000.0}, "measured"
    return runs


def texts(runs: Runs, chosen: Choice) -> dict[tuple[float, float], str]:
    drawn = cells(runs, chosen).sources["cells"]
    places = zip(drawn["x"], drawn["y"], strict=True)
    return dict(zip(places, [str(text) for text in drawn["text"]], strict=True))


def test_cells_stand_where_their_values_are_named() -> None:
    runs = measured(batch=[16, 32], wait=["poll", "spin"])
    drawn = cells(runs, Choice("pps", "batch", "wait", {}))
    assert (drawn.columns, drawn.rows) == (["16", "32"], ["poll", "spin"])
    assert texts(runs, Choice("pps", "batch", "wait", {})) == {
        (0.5, 0.5): "100",
        (0.5, 1.5): "200",
        (1.5, 0.5): "★ 300",
        (1.5, 1.5): "",
    }
    assert texts(runs, Choice("pps", "wait", "batch", {}))[1.5, 0.5] == "200"


def test_one_knob_makes_one_row() -> None:
    drawn = cells(measured(batch=[16, 32, 64]), Choice("pps", "batch", None, {}))
    assert drawn.rows == [""]
    assert list(drawn.sources["cells"]["x"]) == [0.5, 1.5, 2.5]


def test_a_third_knob_shows_one_of_its_values() -> None:
    runs = measured(batch=[16, 32], wait=["poll", "spin"], burst=[64, 256])
    shown = texts(runs, Choice("pps", "batch", "wait", {"burst": 256}))
    assert sorted(shown.values()) == ["", "200", "400", "600"]


def test_the_brightest_cell_is_the_best_also_where_less_is_better() -> None:
    runs = measured(batch=[16, 32, 64])
    runs.of(0)[0].figures = {"pps": 100.0, "p99_ns": 5000.0}
    drawn = cells(runs, Choice("p99_ns", "batch", None, {}))
    assert (drawn.worst, drawn.best) == (5000, 1000)
    assert list(drawn.sources["cells"]["color"])[:2] == [RAMP[0], RAMP[-1]]
    assert "1.00 µs" in drawn.sources["cells"]["text"][1]


def test_what_was_refused_says_why() -> None:
    runs = Runs(1, 1, {"batch": [16]})
    (run,) = runs.of(0)
    run.reason, run.status = "batch=16 is <odd>", "refused"
    drawn = cells(runs, Choice("pps", "batch", None, {})).sources["cells"]
    assert drawn["text"] == ["refused"]
    assert "is &lt;odd&gt;" in drawn["said"][0]


def test_there_is_no_text_where_there_is_no_room() -> None:
    runs = measured(batch=list(range(1, 40)))
    assert set(texts(runs, Choice("pps", "batch", None, {})).values()) == {""}


def test_values_that_are_written_alike_have_different_names() -> None:
    assert cells(measured(cpu=[1, "1"]), Choice("pps", "cpu", None, {})).columns == ["1", "'1'"]


def test_colours_are_spread_evenly_over_what_lies_close_and_by_magnitude_over_what_does_not() -> (
    None
):
    assert share(15, 10, 20) == 0.5
    assert share(100, 1, 10_000) == pytest.approx(0.5)
    assert share(7, 7, 7) == 1
    assert (color(0), color(1)) == (RAMP[0], RAMP[-1])
    assert ink(0) != ink(1)


def test_it_measures_on_a_thread_of_its_own_and_shows_each_cell(lab: Lab, engine: Engine) -> None:
    # Each run ends with its generator, however late that sends.
    traffic = Traffic(lab.peer, lab.port, rate=20_000, count=1_000)
    sweep = Sweep(engine, traffic, seconds=30, batch=[16, 32], wait=["poll", "adaptive"])
    assert "0 of 4 runs" in repr(sweep)
    sweep.run()
    assert sweep.wait(60)
    sweep.refresh()
    assert (sweep.results["pps"] > 0).all()
    assert len(rows(sweep, "cells")["x"]) == 4
    assert all(rows(sweep, "cells")["text"])
    assert "4 of 4 runs" in text_of(sweep)
    assert "best pps" in repr(sweep)
    assert engine.batch == 64
    traffic.close()


def said_by(sweep: Sweep) -> str:
    sweep.refresh()
    return text_of(sweep)


def test_it_says_where_the_generator_sent_less_than_it_was_asked_for(
    engine: Engine, lab: Lab
) -> None:
    too_much = Traffic(lab.peer, lab.port, rate=100_000_000)
    sweep = Sweep(engine, too_much, seconds=BRIEF, batch=[16, 64])
    sweep.run()
    assert sweep.wait(30)
    sweep.refresh()
    said = "the generator sent less than asked in 2 cells"
    assert said in text_of(sweep)
    assert said in repr(sweep)
    sweep.close()
    too_much.close()


def test_a_click_applies_a_cell_and_one_undo_takes_it_back(
    engine: Engine, traffic: Traffic
) -> None:
    sweep = Sweep(engine, traffic, batch=[16, 32], wait=["poll", "spin"])
    click(sweep, "3 1700000000000")
    assert eventually(lambda: (engine.batch, engine.wait) == (32, "spin"))
    assert eventually(lambda: "Applied" in said_by(sweep))
    undo(engine, traffic)
    assert (engine.batch, engine.wait) == (64, "poll")
    click(sweep, "nonsense")
    click(sweep, "99 0")


def test_a_click_while_it_runs_is_refused_in_words(engine: Engine, traffic: Traffic) -> None:
    sweep = Sweep(engine, traffic, seconds=3600, batch=[16, 32])
    sweep.run()
    assert eventually(lambda: traffic.running)
    sweep.refresh()
    assert rows(sweep, "marks")["x"] == np.array([0.5])
    with pytest.raises(ConfigurationError, match="stop it"):
        sweep.apply(1)
    click(sweep, "1 1")
    assert eventually(lambda: "stop it" in said_by(sweep))
    sweep.stop()
    assert sweep.wait(30)
    assert engine.batch == 64
    sweep.run()
    assert eventually(lambda: traffic.running)
    sweep.stop()
    assert sweep.wait(30)
    assert sweep.runs.done == 0


def test_stopped_it_goes_on_and_started_over_it_forgets(engine: Engine, traffic: Traffic) -> None:
    sweep = Sweep(engine, traffic, seconds=BRIEF, batch=[16, 32, 64])
    sweep.run()
    assert eventually(lambda: sweep.runs.done)
    sweep.stop()
    assert sweep.wait(30)
    taken = sweep.runs.done
    sweep.refresh()
    press(sweep, "Continue" if taken < 3 else "Run")
    assert sweep.wait(30)
    assert sweep.runs.done == 3
    sweep.refresh()
    assert control(sweep, "Run").disabled
    first = sweep.results["pps"][0]
    press(sweep, "Start over")
    assert sweep.wait(30)
    assert sweep.results["pps"][0] != first


def test_the_axes_are_never_the_same_knob(engine: Engine) -> None:
    sweep = Sweep(engine, batch=[16], wait=["poll"], burst=[64, 256])
    assert sweep.shown == Choice("pps", "batch", "wait", {"burst": 64})
    control(sweep, "Along").value = "wait"
    assert sweep.shown == Choice("pps", "wait", "batch", {"burst": 64})
    control(sweep, "burst").value = 1
    assert sweep.shown == Choice("pps", "wait", "batch", {"burst": 256})
    control(sweep, "Upwards").value = "burst"
    assert sweep.shown == Choice("pps", "wait", "burst", {"batch": 16})


def test_a_sweep_that_can_not_begin_says_why(engine: Engine, traffic: Traffic) -> None:
    sweep = Sweep(engine, traffic, batch=[16])
    with traffic:
        sweep.run()
        with pytest.raises(XdplabError, match=r"traffic\.stop"):
            sweep.wait(30)
    sweep.refresh()
    assert "traffic.stop()" in text_of(sweep)
    assert not control(sweep, "Run").disabled


def test_it_keeps_no_engine_alive_and_what_was_measured_stays(lab: Lab) -> None:
    engine = Engine(lab.port).start()
    with Traffic(lab.peer, lab.port, rate=20_000, count=1_000) as traffic:
        traffic.stop()
        sweep = Sweep(engine, traffic, seconds=30, batch=[16])
        sweep.run()
        assert sweep.wait(30)
    del engine
    gc.collect()
    sweep.refresh()
    assert "nothing held it any more" in repr(sweep)
    assert control(sweep, "Start over").disabled
    assert sweep.results["pps"][0] > 0
    sweep.run()
    with pytest.raises(XdplabError, match="closed"):
        sweep.wait(30)


def test_a_cell_that_runs_again_stops_what_it_began(
    engine: Engine, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xdplab.experiments.background.current_cell", lambda: "the cell")
    endless = Sweep(engine, traffic, seconds=3600, batch=[16])
    endless.run()
    assert eventually(lambda: traffic.running)
    Sweep(engine, traffic, batch=[16])
    assert endless.wait(30)
    assert endless.runs.done == 0


def test_what_makes_no_sweep_is_refused(engine: Engine) -> None:
    with pytest.raises(ConfigurationError, match="metric='speed'"):
        Sweep(engine, metric="speed", batch=[16])
    with pytest.raises(ConfigurationError, match="at least one knob"):
        Sweep(engine)
