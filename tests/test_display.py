"""What live objects and what is read from them look like, open and closed."""

from __future__ import annotations

import copy
import html
import pickle
from collections.abc import Iterator

import numpy as np
import pytest
from IPython.lib.pretty import pretty
from support.fixed_results import fixed_front, fixed_sweep
from support.reachable import reachable
from support.waiting import eventually

import xdplab
from xdplab import PRESETS, ConfigurationError, Engine, Grid, Lab, Stream, Traffic, measure
from xdplab.native.records import COUNTERS
from xdplab.widgets import Controls, Dashboard, Rings

pandas = pytest.importorskip("pandas")
pytestmark = pytest.mark.usefixtures("privileged")

COUNT = 2000


@pytest.fixture
def traffic(lab: Lab) -> Iterator[Traffic]:
    traffic = Traffic(lab.peer, lab.port, rate=10_000, count=COUNT)
    yield traffic
    traffic.close()


@pytest.fixture
def engine(lab: Lab, traffic: Traffic) -> Iterator[Engine]:
    with Engine(lab.port, inspect=True) as engine:
        assert traffic.start().wait(30)
        assert eventually(lambda: engine.telemetry.total()["rx_packets"] == COUNT)
        yield engine


def everything(lab: Lab, engine: Engine, traffic: Traffic) -> list[object]:
    telemetry = engine.telemetry
    read = (telemetry.history(), telemetry.long_history(), telemetry.samples())
    return [
        *(lab, lab.port, lab.port.interface, engine, traffic, engine.rates(), engine.journal),
        *(engine.napi, telemetry, telemetry.latency(), telemetry.total(), telemetry.counters()),
        *(telemetry.rings(), telemetry.control(), *read, *(records for records, _ in read)),
    ]


def test_all_is_a_table_in_a_notebook_and_text_in_a_terminal(
    lab: Lab, engine: Engine, traffic: Traffic
) -> None:
    ledger = engine.ledger(traffic)
    for thing in (*everything(lab, engine, traffic), ledger, ledger.read(), PRESETS):
        for said in (repr(thing), str(thing)):
            assert said
            assert "can't be read" not in said
            assert " object at 0x" not in said
        assert "<div" in thing._repr_html_()  # type: ignore[attr-defined]


def test_an_explanation_is_text_and_in_a_notebook_a_paragraph_for_each_line(
    engine: Engine, traffic: Traffic
) -> None:
    words = engine.ledger(traffic).explain()
    assert isinstance(words, str)
    assert pickle.loads(pickle.dumps(words)) == words
    lines = words.splitlines()
    assert words._repr_html_().count("<div style") == len(lines)
    assert all(html.escape(line) in words._repr_html_() for line in lines)
    assert pretty(words) == words


def test_nothing_that_a_user_reaches_shows_an_address(
    lab: Lab, engine: Engine, traffic: Traffic
) -> None:
    roots: dict[str, object] = {
        **{type(thing).__name__: thing for thing in everything(lab, engine, traffic)},
        **{name: getattr(xdplab, name) for name in ("KNOBS", "METRICS", "PRESETS")},
        "ledger": engine.ledger(traffic),
        "stream": Stream(lab.port),
        "measurement": measure(engine, None, 0.01),
        "controls": Controls(engine, traffic),
        "dashboard": Dashboard(engine, traffic),
        "front": fixed_front(engine),
        "rings": Rings(engine),
        "sweep": fixed_sweep(engine),
    }
    bad = [
        (path, say(thing))
        for root, held in roots.items()
        for path, thing in reachable(root, held)
        for say in (repr, str)
        if " at 0x" in say(thing) or "can't be read" in say(thing)
    ]
    assert bad == []


def test_tab_offers_public_names_alone(lab: Lab, engine: Engine, traffic: Traffic) -> None:
    for thing in (lab, engine, traffic, engine.telemetry, engine.napi, engine.ledger(traffic)):
        assert not [name for name in dir(thing) if name.startswith("_")]
    assert {"batch", "close", "reconfigure", "telemetry", "wait"} <= set(dir(engine))
    assert not {"home", "is_gone", "remedy"} & set(dir(engine))


def test_pandas_takes_results_as_they_are(engine: Engine, traffic: Traffic) -> None:
    sweep, tuning, account = fixed_sweep(engine), fixed_front(engine).tuning, engine.ledger().read()
    engine.batch = 16
    for results, same in (
        (sweep.runs, sweep.results),
        (tuning, tuning.trials),
        (engine.journal, list(engine.journal.changes)),
        (account, list(account.stages)),
    ):
        assert pandas.DataFrame(results).equals(pandas.DataFrame(same))
    assert pandas.DataFrame(sweep.runs)["pps"].max() == pytest.approx(1.2e5)
    assert list(pandas.DataFrame(engine.rates())["name"]) == ["port0 queue 0"]
    grid = Grid(engine, traffic, seconds=0.01, batch=[16, 64])
    assert list(pandas.DataFrame(grid)["status"]) == ["planned", "planned"]
    assert repr(grid.runs) == "<Runs of batch: 0 of 2 made>"


def test_what_was_closed_still_says_something_true(
    lab: Lab, engine: Engine, traffic: Traffic
) -> None:
    engine.batch = 128
    things = everything(lab, engine, traffic)
    traffic.close()
    engine.close()
    lab.close()
    for thing in things:
        assert repr(thing)
        assert str(thing)
        assert thing._repr_html_()  # type: ignore[attr-defined]
    assert f"{COUNT:,} packets" in str(engine)
    assert "closed" in str(engine).split("\n")[0]
    assert f"{COUNT:,} frames" in str(traffic)
    assert str(lab) == "<Lab closed>"
    assert "its lab is closed" in repr(lab.port.interface)
    assert str(engine.rates()).startswith("0 received: no worker runs.")
    assert str(engine.journal).split()[-3:] == ["batch", "64", "128"]
    engine.telemetry.close()
    assert repr(engine.telemetry).startswith("<Telemetry of 1 worker")
    assert "closed" in repr(engine.telemetry)


def test_rates_say_what_flows_now(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        assert eventually(lambda: str(engine.rates()).startswith("0 received, 0 lost"))
        traffic = Traffic(lab.peer, lab.port, rate=20_000).start()
        assert eventually(lambda: engine.rates(0.2).received > 1000)
        rates = engine.rates(0.2)
        traffic.close()
    assert rates.workers["received"].sum() == rates.received
    assert rates.bits == rates.received * 64 * 8
    assert rates.workers["name"].tolist() == ["port0 queue 0"]
    for wrong in (0, -1, "1", 81, float("nan")):
        with pytest.raises(ConfigurationError, match="seconds"):
            engine.rates(wrong)  # type: ignore[arg-type]


def test_rates_name_each_queue_where_there_are_several() -> None:
    with Lab(queues=2) as lab, Engine(lab.port, queue=[0, 1]) as engine:
        assert eventually(lambda: "port0 queue 1" in str(engine.rates()))
        assert "port0 queue 0" in str(engine.rates())
        assert "port0 queues 0, 1" in str(engine)


def test_history_and_samples_are_what_pandas_takes(engine: Engine) -> None:
    for records, _next in (engine.telemetry.history(), engine.telemetry.samples()):
        frame = pandas.DataFrame(records)
        assert len(frame) == len(records)
        for name in records.dtype.names:
            if records.dtype[name].shape == ():
                assert (frame[name].to_numpy() == records[name]).all()
    history, _ = engine.telemetry.history()
    frame = engine.telemetry.history().frame()
    assert frame["rx_packets"].max() == COUNT
    assert (frame["batches_3"].to_numpy()[: len(history)] == history["batches"][:, 3]).all()
    assert frame["syscalls_publish"].max() > 0
    samples, _ = engine.telemetry.samples()
    assert pandas.DataFrame(samples)["bytes"][0] == samples[0]["bytes"][:64].tobytes()
    assert pandas.DataFrame(history[:0]).shape[0] == 0


def test_pandas_takes_what_history_and_samples_return_as_it_is(engine: Engine) -> None:
    telemetry = engine.telemetry
    for read in (telemetry.history(), telemetry.samples(), telemetry.long_history()):
        assert pandas.DataFrame(read).equals(read.frame())
        assert list(pandas.DataFrame(read)) == list(read.keys())
        records, following = read
        assert (read[0], read[1]) == (read.records, read.next) == (records, following)
        assert len(read) == 2
        assert (read["time_ns"] == records["time_ns"]).all()
        assert "time_ns" in read
        assert "bytes_0" not in read
        again = pickle.loads(pickle.dumps(read))
        assert (again.records == records).all()
        assert again.next == following
    assert pandas.DataFrame(telemetry.history(1 << 40)).shape[0] == 0


def test_records_stay_numpys(engine: Engine) -> None:
    history, following = engine.telemetry.history()
    assert history.dtype == COUNTERS
    assert (history["syscalls"].ndim, type(history["syscalls"])) == (2, np.ndarray)
    assert history[-1]["rx_packets"] == COUNT
    for way in (copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))):
        assert (way(history) == history).all()
        assert repr(way(history[-1])) == repr(history[-1])
    assert tuple(engine.telemetry.history(following))[1] >= following


def test_an_empty_history_is_shown_as_one(lab: Lab) -> None:
    engine = Engine(lab.port)
    telemetry = engine.telemetry
    assert "no record yet" in str(telemetry.history(1 << 40))
    assert "no sample yet" in str(telemetry.samples())
    assert "state" in str(telemetry.total()) or "no record yet" in str(telemetry.total())
    engine.close()
