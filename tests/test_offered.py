"""What was asked for and what was sent: every measurement has both, and says what was the limit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from xdplab import Engine, Grid, Lab, Traffic, measure, tune
from xdplab.bench import BENCHMARKS
from xdplab.bench.one_wire import OneWire
from xdplab.bench.receiver import RATES, OurWorker
from xdplab.bench.report.report import notes
from xdplab.bench.rounds import Rounds
from xdplab.cli.terminal import run_live
from xdplab.experiments.offered import Shares, why_less
from xdplab.ledger.offered import shortfall
from xdplab.send.asked import Asked
from xdplab.widgets import Compare

BRIEF = 0.2
TOO_MUCH = 100_000_000  # no generator of one core makes that many
SAID = r"The generator sent .* of 100 Mpps asked: "


@pytest.fixture
def engine(lab: Lab) -> Iterator[Engine]:
    with Engine(lab.port) as engine:
        yield engine


@pytest.fixture
def traffic(lab: Lab) -> Iterator[Traffic]:
    traffic = Traffic(lab.peer, lab.port, rate=TOO_MUCH)
    yield traffic
    traffic.close()


def test_less_than_95_percent_of_what_was_asked_is_said() -> None:
    assert shortfall(20_000, 8_400) == "The generator sent 8.4 kpps of 20 kpps asked"
    assert shortfall(20_000, 19_000) == ""
    assert shortfall(None, 8_400) == shortfall(20_000, None) == shortfall(float("nan"), 1) == ""


def test_a_measurement_has_asked_sent_received_and_lost(engine: Engine, traffic: Traffic) -> None:
    measured, account = measure(engine, traffic, BRIEF)
    assert measured.asked_pps == TOO_MUCH
    assert measured.sent == account.packets("sent by the generator")
    assert measured.sent_pps == pytest.approx(measured.sent / traffic.sending_seconds, rel=0.01)
    assert measured.lost == measured.sent - measured.rx_packets
    assert json.loads(json.dumps(measured.as_dict()))["limited"] == measured.limited
    rows = [line.split("  ")[0] for line in str(measured).splitlines()]
    assert rows[1:5] == ["asked", "sent", "received", "lost"]
    assert measured.limited in repr(measured)


def test_sent_rates_are_over_the_time_of_the_sending(engine: Engine, lab: Lab) -> None:
    traffic = Traffic(lab.peer, lab.port, rate=1000, seconds=0.2)
    measured, _ = measure(engine, traffic, 1)
    traffic.close()
    assert traffic.sending_seconds >= 0.2
    assert measured.sent is not None
    assert measured.sent_pps == pytest.approx(measured.sent / traffic.sending_seconds, rel=0.01)


@pytest.mark.parametrize(
    ("asked", "sent", "shares", "words"),
    [
        (50_000, 20_000, Shares(0.4, 0.58, 0), "the scheduler let it wait for 58.0 % of the time"),
        (50_000, 20_000, Shares(0.4, 0.0, 0.6), "a hypervisor had core 0 for 60.0 %"),
        (
            50_000,
            1_650,
            Shares(0.1, 0.291, 0),
            "its thread ran for 10.0 % of the time and waited",
        ),
        (50_000, 1_650, Shares(0.7, 0.291, 0), "while it ran, core 0 sent 2.36 kpps, no more"),
        (50_000, 1_650, Shares(0.97, 0.02, 0), "it had core 0 for 97.0 % of the time, which did"),
        (4_000, 1_650, Shares(0.1, 0.1, 0), "it sleeps between frames, and may have been woken"),
        (50_000, 1_650, None, "why is not known: its thread belongs to another process"),
    ],
)
def test_a_cause_is_named_only_where_it_explains_most_of_the_shortfall(
    asked: int, sent: int, shares: Shares | None, words: str
) -> None:
    said = why_less(asked, sent, shares, 0, (1,))
    assert words in said
    assert "Alone" not in said


def test_what_was_asked_is_counted_over_starts_and_changes_of_rate() -> None:
    asked = Asked(seconds=1.0)
    asked.begin(100, 0.0, 0)
    assert asked.total(100, 0.5, 7) == 50
    asked.turn(100, 0.5, 7)
    assert asked.total(1000, 0.6, 20) == pytest.approx(150)
    assert asked.total(1000, 1.2, 20) == pytest.approx(550)  # its `seconds` end at 1
    asked.begin(1000, 1.2, 20)
    asked.turn(1000, 1.2, 20)
    assert asked.total("max", 1.5, 5020) == pytest.approx(5550)  # "max" asks for what it sends
    counted = Asked(count=10)
    counted.begin(100, 0.0, 0)
    assert counted.total(100, 5.0, 10) == 10


def test_where_the_worker_has_the_generators_core_its_time_there_is_told(lab: Lab) -> None:
    with Engine(lab.port, wait="spin") as engine:
        traffic = Traffic(lab.peer, lab.port, rate=TOO_MUCH, cpu=engine.cpu)
        measured, _ = measure(engine, traffic, 0.5)
        traffic.close()
    assert re.search(rf"{SAID}.*\bcore {engine.cpu}\b", measured.limited), measured.limited
    if lab.backend == "broker":  # whose thread's waiting can't be read from here
        told = "the worker ran on its core"
    else:
        told = "[0-9] % of the time|while it ran"
    assert re.search(told, measured.limited), measured.limited


def test_what_ended_by_itself_or_had_no_number_is_no_shortfall(lab: Lab, engine: Engine) -> None:
    for settings, most in (({"rate": 20_000, "count": 100}, 30), ({"rate": "max"}, BRIEF)):
        traffic = Traffic(lab.peer, lab.port, **settings)  # type: ignore[arg-type]
        assert measure(engine, traffic, most)[0].limited == ""
        traffic.close()
    measured, _ = measure(engine, None, 0.05)
    assert (measured.asked_pps, measured.sent_pps, measured.lost) == (None, None, None)
    assert "asked" not in str(measured)


def test_a_grid_and_a_search_carry_both(engine: Engine, traffic: Traffic) -> None:
    grid = Grid(engine, traffic, seconds=BRIEF, batch=[16]).run(progress=False)
    row = grid.results[0]
    assert row["asked_pps"] == TOO_MUCH
    assert 0 < row["sent_pps"] < TOO_MUCH
    assert "of 100 Mpps asked" in row["limited"]
    assert row["limited"] in str(grid)
    assert "100 Mpps" in str(grid.results)
    assert "of 100 Mpps asked" in str(grid._repr_html_())
    tuning = tune(
        engine, traffic, knobs={"batch": [16, 64]}, budget=2, seconds=0.05, progress=False
    )
    assert tuning.trials["asked_pps"].tolist() == [TOO_MUCH] * len(tuning.trials)
    assert "of 100 Mpps asked." in tuning.sentence


def test_compare_says_it_beside_what_was_received(lab: Lab) -> None:
    compare = Compare(lab, ["xsk poll"], rate=TOO_MUCH, seconds=BRIEF, rounds=1)
    compare.run()
    assert compare.wait(30)
    compare.refresh()
    assert "of 100 M asked)" in repr(compare)
    assert "of 100 Mpps asked" in compare._reasons.value
    compare.close()


def test_a_benchmark_says_it_in_its_result_and_below_its_table(privileged: None) -> None:
    measure_ = OneWire(receivers=lambda: [OurWorker("poll")], figures=RATES)
    result = measure_(Rounds("waits", 1, BRIEF, True), rate=TOO_MUCH)
    assert [entry["runs"][0]["asked_pps"] for entry in result["entries"]] == [TOO_MUCH, None]
    said = "\n".join(notes(BENCHMARKS["waits"], result))
    assert said.count("of 100 Mpps asked") == 1


def test_the_table_of_a_run_says_it(engine: Engine, traffic: Traffic) -> None:
    measured, words = run_live(engine, traffic, BRIEF, lambda: None)
    words = " ".join(words.split())
    assert "of 100 Mpps asked" in words
    assert f"asked: 100,000,000 a second; sent: {measured.sent:,}" in words
    assert f"lost: {measured.lost:,}" in words
