"""The benchmarks of paths, batch sizes and forwarding: all is measured, and adds up."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from xdplab import PATHS, ConfigurationError, Engine
from xdplab.bench import BENCHMARKS, table
from xdplab.bench.peers import testpmd
from xdplab.bench.two_wires import open_two_wires

pytestmark = pytest.mark.usefixtures("privileged", "brief")

NO_TESTPMD = "not installed: apt install dpdk-dev"


@pytest.mark.privilege  # for the peers, as in test_bench_peers.py
def test_paths_measures_every_path_and_names_the_peers_that_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Those that are installed have tests of their own, and take their time to start.
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    result = BENCHMARKS["paths"].run(rounds=1, seconds=0.2, rate=5000, waits=["poll"], quiet=True)
    ours = ["xsk poll", *(path for path in PATHS if path != "xsk")]
    peers = ["testpmd af_xdp", "testpmd af_xdp budget 0", "testpmd af_packet", "tcpdump"]
    names = [*ours, *peers, "Python socket", "scapy sniff"]
    places = [(entry["rate"], entry["name"]) for entry in result["entries"]]
    assert places == [(load, name) for load in (5000, "max") for name in names]
    for entry in result["entries"]:
        if entry["name"] in peers:
            assert entry["status"] == "missing"
            assert entry["reason"].startswith("not installed: apt install ")
            continue
        assert entry["status"] == "measured", (entry["name"], entry["reason"])
        (run,) = entry["runs"]
        # A packet socket may see a neighbour's question as well.
        assert 0 < run["rx_packets"] <= run["sent"] + 9
        assert run["cpu_ns_per_packet"] is not None
        assert run["softirq_ns_per_packet"] > 0
        if entry["name"] in ours:
            assert run["balanced"], entry["name"]
    assert result["best"] == "xsk poll"
    ratios = {comparison["name"]: comparison["ratio"] for comparison in result["comparisons"]}
    assert set(ratios) == {"Python socket", "testpmd af_xdp", "xdp"}
    assert ratios["testpmd af_xdp"] is None
    rates = {
        entry["name"]: entry["rx_pps"]["median"]
        for entry in result["entries"]
        if entry["rate"] == "max" and entry["status"] == "measured"
    }
    for name in ("Python socket", "xdp"):
        assert ratios[name] == pytest.approx(rates["xsk poll"] / rates[name], rel=0.01)
    monkeypatch.setenv("COLUMNS", "80")
    shown = table(result)
    assert all(f"{name} " in shown for name in names)
    assert "thousand packets a second, 5,000 sent" in shown
    assert "times as much as Python socket" in shown
    assert "testpmd af_packet: not installed: apt install dpdk-dev" in shown
    assert "tcpdump: not installed: apt install tcpdump" in shown


def test_batch_measures_each_size_once(monkeypatch: pytest.MonkeyPatch) -> None:
    result = BENCHMARKS["batch"].run(
        rounds=1, seconds=0.2, batches=[1, 64, 64], wait="spin", quiet=True
    )
    assert [entry["settings"]["batch"] for entry in result["entries"]] == [1, 64]
    for entry in result["entries"]:
        (run,) = entry["runs"]
        assert run["balanced"]
        assert 0 < run["rx_packets"] <= run["sent"]
        assert entry["syscalls_per_packet"]["median"] == 0  # that is what spinning is
        assert entry["user_ns_per_packet"]["median"] > 0
    monkeypatch.setenv("COLUMNS", "80")
    assert "wait=spin" in table(result)


@pytest.mark.privilege  # likewise
def test_forward_counts_what_arrived_by_every_forwarder(monkeypatch: pytest.MonkeyPatch) -> None:
    result = BENCHMARKS["forward"].run(rounds=1, seconds=0.2, waits=["poll"], quiet=True)
    by_name = {entry["name"]: entry for entry in result["entries"]}
    assert list(by_name) == ["poll", "testpmd af_xdp", "testpmd af_packet", "Linux bridge"]
    for name, entry in by_name.items():
        if name.startswith("testpmd") and shutil.which(testpmd.PROGRAM) is None:
            assert (entry["status"], entry["reason"]) == ("missing", NO_TESTPMD)
            continue
        assert entry["status"] == "measured", (name, entry["reason"])
        (run,) = entry["runs"]
        assert 0 < run["forwarded"] <= run["sent"], name
        assert entry["forwarded_pps"]["median"] == run["forwarded_pps"]
        assert entry["softirq_ns_per_packet"]["median"] > 0
    assert by_name["poll"]["runs"][0]["balanced"]
    assert by_name["poll"]["version"]
    assert result["best"] == "poll"
    monkeypatch.setenv("COLUMNS", "80")
    shown = table(result)
    assert all(f"{name} " in shown for name in by_name)


@pytest.mark.kernel  # its ports are moved between namespaces
def test_what_is_too_little_for_saturation_all_arrives(privileged: None) -> None:
    with open_two_wires() as wires:
        near, beyond = wires.ports
        wires.traffic.rate = 2000
        with Engine(near, forward_to=beyond, ring_size=32768) as engine:
            ledger = engine.ledger(wires.traffic)
            before = wires.arrived()
            sent, _ = wires.send(0.3)
            account = ledger.settle(30)
            assert account.balanced
            # Neighbours ask each other too, now and then, and that is carried as well.
            assert wires.arrived() - before >= sent
            assert account.packets("received at the far end") >= sent


@pytest.mark.parametrize(
    ("benchmark", "wrong"),
    [
        ("batch", {"batches": []}),
        ("batch", {"batches": [64, 0]}),
        ("batch", {"batches": [4096]}),
        ("batch", {"wait": "sleep"}),
        ("paths", {"rate": "max"}),
        ("paths", {"waits": []}),
        ("paths", {"waits": ["sleep"]}),
        ("forward", {"waits": []}),
        ("forward", {"waits": ["sleep"]}),
    ],
)
def test_what_can_not_be_measured_is_refused(benchmark: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        BENCHMARKS[benchmark].run(**wrong)
