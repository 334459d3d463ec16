"""The benchmarks: fair to all, honest about what was not measured, unmoved by what misbehaves."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xdplab import GALLERY, WAIT_STRATEGIES, ConfigurationError, Lab, XdplabError
from xdplab.bench import BENCHMARKS, table, write_report
from xdplab.bench.benchmark import Benchmark
from xdplab.bench.one_wire import OneWire
from xdplab.bench.options import lengths, wait
from xdplab.bench.peers.udp_echo import MODES
from xdplab.bench.receiver import RATES, OurWorker
from xdplab.bench.report.report import median, render
from xdplab.bench.rounds import Entry, Rounds, paired_ratio, ratio

# The kernel's alone: what is held against the kernel's own figures, or beside its UDP sockets.

pytestmark = pytest.mark.usefixtures("privileged", "brief")


def entries(result: dict[str, Any], program: str) -> list[dict[str, Any]]:
    return [entry for entry in result["entries"] if entry["program"] == program]


@pytest.mark.kernel
def test_our_worker_is_measured_with_each_strategy_and_loses_nothing_unaccounted() -> None:
    result = BENCHMARKS["rxdrop"].run(rounds=1, seconds=0.3, quiet=True)
    ours = entries(result, "xdplab")
    assert [entry["name"] for entry in ours] == list(WAIT_STRATEGIES)
    for entry in ours:
        (run,) = entry["runs"]
        assert entry["status"] == "measured"
        assert run["balanced"]
        assert 0 < run["rx_packets"] <= run["sent"]
        assert run["seconds"] >= 0.3
        assert entry["rx_pps"]["median"] == run["rx_pps"]
        assert entry["user_ns_per_packet"]["median"] > 0
    assert result["best"] in WAIT_STRATEGIES
    assert result["simulated"] is False
    assert result["machine"]["driver"] == "veth"
    assert str(result["best"]) in table(result)


# Of the strategies that drive NAPI, those that need a socket that knows it.
INEFFECTIVE_ON_VETH = ("busy-poll", "epoll-napi", "irq-suspend")


def in_80_columns(result: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> str:
    """Lay a result out for a narrow terminal; a report of it can be written as well."""
    with tempfile.TemporaryDirectory() as folder:
        write_report(Path(folder, "report.html"), result)
    monkeypatch.setenv("COLUMNS", "80")
    # A name that does not fit is broken up.
    shown = table(result)
    assert all(f"{entry['name']} " in shown for entry in result["entries"])
    return shown


@pytest.mark.kernel
def test_waits_measures_each_strategy_at_both_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    result = BENCHMARKS["waits"].run(rounds=1, seconds=0.2, rate=20_000, quiet=True)
    places = [(entry["rate"], entry["name"]) for entry in result["entries"]]
    assert places == [(load, wait) for load in (20_000, "max") for wait in WAIT_STRATEGIES]
    for entry in result["entries"]:
        (run,) = entry["runs"]
        assert run["balanced"]
        assert 0 < run["rx_packets"] <= run["sent"]
        assert entry["user_ns_per_packet"]["median"] > 0
        assert entry["sqpoll_ns_per_packet"] is None or entry["name"] == "uring-sqpoll"
    by_name = {entry["name"]: entry for entry in result["entries"] if entry["rate"] == 20_000}
    assert by_name["spin"]["syscalls_per_second"]["median"] == 0
    assert by_name["poll"]["wakeups_per_second"]["median"] > 0
    assert by_name["uring-oneshot"]["rearms_per_second"]["median"] > 0
    assert by_name["busy-poll"]["ineffective"]
    assert by_name["spin"]["ineffective"] is None
    shown = in_80_columns(result, monkeypatch)
    assert "waits: million packets a second, at 20,000 a second" in shown
    assert "at saturation" in shown
    assert f"busy-poll is ineffective here: {by_name['busy-poll']['ineffective']}" in shown
    assert "[simulated]" not in shown
    assert "waits [simulated]: " in table(result | {"simulated": True})


def test_overhead_compares_telemetry_on_and_off(monkeypatch: pytest.MonkeyPatch) -> None:
    result = BENCHMARKS["overhead"].run(rounds=2, seconds=0.2, wait="poll", quiet=True)
    on, off = result["entries"]
    assert (on["name"], off["name"]) == ("on", "off")
    assert (on["settings"]["sample_every"], off["settings"]["sample_every"]) == (1000, 0)
    assert (on["settings"]["publish_interval"], off["settings"]["publish_interval"]) == (0.01, 0.5)
    for entry in (on, off):
        assert len(entry["runs"]) == 2
        assert all(run["balanced"] and run["rx_packets"] > 0 for run in entry["runs"])
    rates = [[run["rx_pps"] for run in entry["runs"]] for entry in (on, off)]
    with_it, without = map(statistics.median, rates)
    assert result["ratio"] == pytest.approx(with_it / without, abs=0.001)
    pairs = [one / other for one, other in zip(*rates, strict=True)]
    assert result["paired_ratio"] == pytest.approx(statistics.median(pairs), abs=0.001)
    assert f"{result['ratio']:.3f} of the rate without" in in_80_columns(result, monkeypatch)


@pytest.mark.kernel
def test_reflect_counts_what_came_back_and_who_sent_it(monkeypatch: pytest.MonkeyPatch) -> None:
    result = BENCHMARKS["reflect"].run(rounds=1, seconds=0.3, quiet=True)
    assert [entry["name"] for entry in result["entries"]] == list(WAIT_STRATEGIES)
    for entry in result["entries"]:
        (run,) = entry["runs"]
        assert run["balanced"]
        assert 0 < run["returned"] <= run["sent"]
        assert entry["frames_per_kick"]["median"] > 1
        # With sqpoll a thread of the kernel's does the sending.
        assert (run["sqpoll_ns_per_packet"] > 0) == (entry["name"] == "uring-sqpoll")
    assert "packets a second that came back" in in_80_columns(result, monkeypatch)


def test_burst_has_an_entry_for_each_budget_and_action(monkeypatch: pytest.MonkeyPatch) -> None:
    result = BENCHMARKS["burst"].run(rounds=1, seconds=0.2, bursts=[1, 256, 256], quiet=True)
    places = [(e["settings"]["action"], e["settings"]["burst"]) for e in result["entries"]]
    assert places == [("drop", 1), ("drop", 256), ("reflect", 1), ("reflect", 256)]
    for entry in result["entries"]:
        (run,) = entry["runs"]
        assert run["balanced"]
        assert 0 < run["rx_packets"] <= run["sent"]
    shown = in_80_columns(result, monkeypatch)
    shown = shown.replace(" [simulated]", "")
    assert "burst: million packets a second, drop" in shown
    assert "burst: million packets a second, reflect" in shown


@pytest.mark.kernel
def test_programs_are_compared_with_the_least_of_the_same_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = BENCHMARKS["programs"].run(rounds=2, seconds=0.2, quiet=True)
    captures = {"capture", "capture by timer", "sharder by timer"}
    assert {entry["name"] for entry in result["entries"]} == {*GALLERY, *captures}
    for entry in result["entries"]:
        assert entry["status"] == "measured", entry["reason"]
        for run in entry["runs"]:
            assert 0 < run["rx_packets"] <= run["sent"]
            assert entry["name"].startswith("capture") or run["run_ns"] > 0
        assert (entry["ratio"] == 1) >= (entry["settings"]["beside"] == entry["name"])
    shown = in_80_columns(result, monkeypatch)
    assert "programs: million packets a second" in shown
    assert " of drop" in shown


@pytest.mark.kernel
@pytest.mark.alone  # a server that gets no core for a run of 0.2 s answers nothing
def test_latency_times_every_server_at_every_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    result = BENCHMARKS["latency"].run(rounds=1, seconds=0.2, rates=[500, 5000], quiet=True)
    servers = [*WAIT_STRATEGIES, *(f"udp-{mode}" for mode in MODES)]
    places = [(entry["rate"], entry["name"]) for entry in result["entries"]]
    assert places == [(rate, server) for rate in (500, 5000) for server in servers]
    for entry in result["entries"]:
        (run,) = entry["runs"]
        assert entry["status"] == "measured", entry["reason"]
        assert entry["path"] == ("socket" if entry["name"].startswith("udp-") else "AF_XDP")
        assert 0 < run["returned"] <= run["sent"]
        assert run["lost"] == run["sent"] - run["returned"]
        assert 0 < run["p50_ns"] <= run["p99_ns"] <= run["p99_9_ns"]
        assert run["cpu_percent"] > 0
        assert bool(entry["ineffective"]) == (entry["name"] in INEFFECTIVE_ON_VETH)
    shown = in_80_columns(result, monkeypatch)
    assert "latency: round trip in microseconds, at 5,000 a second" in shown
    assert "rests on few round trips" in shown
    for rate in (500, 5000):
        places = {entry["name"]: entry for entry in result["entries"] if entry["rate"] == rate}
        own = places["adaptive"]
        assert own["p50_to_adaptive"] == own["cpu_to_adaptive"] == 1
        ratio = own["runs"][0]["p50_ns"] / places["udp-blocking"]["runs"][0]["p50_ns"]
        assert own["p50_to_socket"] == pytest.approx(ratio, abs=0.001)
        better = {
            name
            for name, entry in places.items()
            if entry["p50_to_adaptive"] < 1 and entry["cpu_to_adaptive"] < 1
        }
        (line,) = (line for line in shown.splitlines() if f"at {rate:,} a second better" in line)
        words = line.partition("CPU: ")[2].partition(";")[0]
        assert {each.split()[0] for each in words.split("), ")} == better or {"none"}


@pytest.mark.kernel
@pytest.mark.alone  # a client that has no core for 50 ms leaves out what was due
def test_latency_is_measured_with_bursts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xdplab.bench.benchmarks.latency.WAIT_STRATEGIES", ("poll",))
    result = BENCHMARKS["latency"].run(rounds=1, seconds=0.3, rates=[2000], apart=10.0, quiet=True)
    (poll, *_) = result["entries"]
    assert result["traffic"]["apart"] == 10
    # As many as evenly, but for what was due after the last burst.
    assert poll["sent"] > 300
    assert "in bursts, 10 ms" in table(result)


@pytest.mark.kernel
def test_a_server_that_never_answers_has_no_percentiles(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xdplab.bench.benchmarks.latency.STREAM_PORT", 10)
    monkeypatch.setattr("xdplab.bench.benchmarks.latency.WAIT_STRATEGIES", ())
    # Long enough for the client to get its core on a busy machine.
    result = BENCHMARKS["latency"].run(rounds=1, seconds=2, rates=[500], quiet=True)
    for entry in result["entries"]:
        assert entry["p50_ns"] is None
        assert entry["lost"]["median"] == entry["sent"] > entry["returned"] == 0
    json.dumps(result, allow_nan=False)
    assert "udp-epoll" in table(result)


def test_a_new_benchmark_of_receivers_is_data() -> None:
    mine = Benchmark(
        name="mine",
        help="two batch sizes",
        options={**lengths(1, 0.1), "wait": wait("poll")},
        measure=OneWire(
            receivers=lambda wait: [OurWorker(wait, f"{n} at once", batch=n) for n in (1, 64)],
            figures=RATES,
            compare=lambda entries: {"first": entries[0].median("rx_pps")},
            backend="soft",
        ),
        title="packets a second",
        columns=(median("received", "rx_pps"),),
    )
    result = mine.run(quiet=True)
    assert (result["rounds"], result["seconds"], result["simulated"]) == (1, 0.1, True)
    assert [entry["settings"]["batch"] for entry in result["entries"]] == [1, 64]
    assert {entry["settings"]["wait"] for entry in result["entries"]} == {"poll"}
    assert result["first"] == result["entries"][0]["rx_pps"]["median"] > 0
    assert "64 at once" in render(mine, result)
    with pytest.raises(ConfigurationError, match="Did you mean 'spin'"):
        mine.run(wait="spinn")
    with pytest.raises(TypeError, match="batches"):
        mine.run(batches=[1])


def test_all_take_turns_there_and_back_and_one_that_fails_stops_none_of_the_others() -> None:
    turns: list[str] = []

    def fail() -> dict[str, Any]:
        turns.append("b")
        raise XdplabError("not today")

    def succeed(name: str) -> Callable[[], dict[str, Any]]:
        return lambda: turns.append(name) or {"figure": len(turns)}  # type: ignore[func-returns-value]

    entries = [Entry("a", succeed("a")), Entry("b", fail), Entry("c", succeed("c"))]
    Rounds("any", 2, 1, True).take(entries)
    assert turns == ["a", "b", "c", "c", "a"]
    assert [entry.status for entry in entries] == ["measured", "failed", "measured"]
    assert entries[0].as_dict(["figure"])["figure"] == {"median": 3, "least": 1, "most": 5}
    assert entries[1].as_dict(["figure"])["figure"] is None
    assert entries[1].as_dict([])["reason"] == "not today"
    assert ratio(entries[0], entries[1], "figure") is None


def test_a_ratio_is_of_medians_or_of_each_round() -> None:
    one, other = Entry("one", dict), Entry("other", dict)
    one.runs = [{"rate": 1}, {"rate": 20}, {"rate": 300}]
    other.runs = [{"rate": 2}, {"rate": 10}, {"rate": 100}]
    assert ratio(one, other, "rate") == 2
    assert paired_ratio(one, other, "rate") == 2
    other.runs = [{"rate": 0}, {"rate": 0}, {"rate": 100}]
    assert ratio(one, other, "rate") is None
    assert paired_ratio(one, other, "rate") == 3


def test_the_command_prints_one_json_object() -> None:
    command = [Path(sys.executable).with_name("xdplab"), "bench", "overhead", "--json"]
    options = ["--rounds", "1", "--seconds", "0.1"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["benchmark"] == "overhead"


@pytest.mark.parametrize(
    ("benchmark", "wrong"),
    [
        *((name, {"rounds": 0}) for name in BENCHMARKS),
        *((name, {"seconds": float("nan")}) for name in BENCHMARKS),
        ("rxdrop", {"rounds": 1.5}),
        ("rxdrop", {"seconds": 0}),
        ("batch", {"batches": []}),
        ("batch", {"batches": 64}),
        ("burst", {"bursts": [1, 0]}),
        ("paths", {"waits": "spin"}),
        ("waits", {"rate": 0}),
        ("waits", {"rate": "max"}),
        ("overhead", {"wait": "sleep"}),
        ("latency", {"rates": []}),
        ("latency", {"rates": [1000, -1]}),
        ("latency", {"rates": ["max"]}),
        ("latency", {"apart": -1}),
        ("latency", {"apart": 100}),
    ],
)
def test_what_can_not_be_measured_is_refused(benchmark: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong)).removesuffix("s")):
        BENCHMARKS[benchmark].run(**wrong)
