"""Programs that others wrote: counted fairly, and named where missing."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from support.fake_peers import (
    COUNTING,
    TCPDUMP,
    TESTPMD,
    Fake,
    fakes_in,
)

from xdplab import Engine, Lab, Traffic
from xdplab.bench import BENCHMARKS, table
from xdplab.bench.peers import tcpdump, testpmd
from xdplab.bench.peers.peer import PeerError
from xdplab.bench.peers.peer_receiver import PeerReceiver
from xdplab.bench.peers.python_socket import SocketReceiver
from xdplab.bench.peers.scapy_sniff import SniffReceiver
from xdplab.bench.wire import Wire, open_wire

# A peer is a child of ours in a namespace that we may enter.
pytestmark = [pytest.mark.usefixtures("privileged", "brief"), pytest.mark.privilege]

# DPDK takes a hundred megabytes, so packages.txt leaves it out: what is tested of it without it is
# that it is named as missing.
HAS_TESTPMD = shutil.which(testpmd.PROGRAM) is not None
NO_TESTPMD = ("missing", "not installed: apt install dpdk-dev")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    return fakes_in(tmp_path, monkeypatch)


@pytest.fixture
def one_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let our worker take one turn a round, and not nine."""
    monkeypatch.setattr("xdplab.bench.benchmarks.rxdrop.WAIT_STRATEGIES", ("poll",))


def entries(result: dict[str, Any], program: str) -> list[dict[str, Any]]:
    return [entry for entry in result["entries"] if entry["program"] == program]


@pytest.mark.parametrize(
    ("receiver", "version"),
    [
        (tcpdump.TcpdumpReceiver(), r"\d+\.\d+\S*, libpcap \d+\.\d+"),
        (SocketReceiver(), r"3\.\d+"),
        (SniffReceiver(), r"\d+\.\d+\S*, Python 3\.\d+"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_peer_counts_what_the_generator_sent(receiver: PeerReceiver, version: str) -> None:
    assert receiver.missing() is None
    with open_wire() as wire:
        wire.traffic.rate = 2000
        run = receiver.run(wire, 0.3).as_dict()
        assert 0 < run["rx_packets"] <= run["sent"] + 9  # a neighbour may ask, too
        assert run["cpu_ns_per_packet"] > 0
        assert run["softirq_ns_per_packet"] > 0
        assert run["user_ns_per_packet"] is None  # nobody told
        # Nothing is left on the wire: the next one finds it as it was.
        with Engine(wire.lab.port) as engine:
            assert engine.running
    assert re.match(version, str(receiver.version))


@pytest.mark.parametrize("driver", [testpmd.AF_XDP, testpmd.AF_PACKET])
def test_testpmd_counts_what_the_generator_sent_on_either_driver(driver: str) -> None:
    receiver = testpmd.TestpmdReceiver(driver)
    if not HAS_TESTPMD:
        assert ("missing", receiver.missing()) == NO_TESTPMD
        return
    with open_wire() as wire:
        wire.traffic.rate = 2000
        run = receiver.run(wire, 0.3).as_dict()
    assert 0 < run["rx_packets"] <= run["sent"] + 9  # a neighbour may ask, too
    assert run["cpu_ns_per_packet"] > 0
    assert str(receiver.version).startswith("DPDK ")


def test_rxdrop_holds_our_worker_against_testpmd(one_strategy: None) -> None:
    result = BENCHMARKS["rxdrop"].run(rounds=1, seconds=0.3, quiet=True)
    for entry in entries(result, testpmd.PROGRAM):
        if HAS_TESTPMD:
            assert entry["status"] == "measured", entry["reason"]
        else:
            assert (entry["status"], entry["reason"]) == NO_TESTPMD
    assert (result["ratio"] is not None) == HAS_TESTPMD


def test_a_testpmd_that_was_killed_leaves_no_program_and_no_file(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if not HAS_TESTPMD:
        with pytest.raises(PeerError, match="No such file"):
            testpmd.Testpmd(lab.port, worker=0, other=0)
        return
    taken = testpmd.Testpmd(lab.port, worker=0, other=0)
    assert not list(tmp_path.iterdir())
    os.kill(taken.pid, signal.SIGKILL)
    with pytest.raises(PeerError, match="signal 9"):
        taken.received()
    taken.close()
    with Engine(lab.port) as engine:
        assert engine.running


def test_missing_peers_are_named_with_what_to_install(
    one_strategy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setitem(sys.modules, "scapy", None)
    assert tcpdump.TcpdumpReceiver().missing() == "not installed: apt install tcpdump"
    assert SniffReceiver().missing() == "not installed: pip install scapy"
    result = BENCHMARKS["rxdrop"].run(rounds=1, seconds=0.1, quiet=True)
    for entry in entries(result, testpmd.PROGRAM):
        assert (entry["status"], entry["reason"], entry["runs"]) == (*NO_TESTPMD, [])
    assert result["ratio"] is None
    assert "dpdk-testpmd: not installed: apt install dpdk-dev" in table(result)


def test_well_behaved_fakes_are_measured(fake: Fake, lab: Lab) -> None:
    fake(testpmd.PROGRAM, TESTPMD)
    fake(tcpdump.PROGRAM, TCPDUMP)
    fake("count_packets.py", COUNTING)
    with Traffic(lab.peer, lab.port, rate=1000) as traffic:
        traffic.stop()
        wire = Wire(lab, traffic, worker=0)
        for receiver in (testpmd.TestpmdReceiver(), tcpdump.TcpdumpReceiver(), SocketReceiver()):
            run = receiver.run(wire, 0.05)
            assert (run.rx_packets, run.lost_percent) == (0, 100)  # 7 before, and still 7 after
            assert str(receiver.version).removeprefix("DPDK ").startswith("0.0.0")


def test_what_fails_is_reported_and_the_rest_goes_on(
    fake: Fake, one_strategy: None, capfd: pytest.CaptureFixture[str]
) -> None:
    fake(testpmd.PROGRAM, "say('no such device'); sys.exit(3)")
    result = BENCHMARKS["rxdrop"].run(rounds=2, seconds=0.05, quiet=True)
    for entry in entries(result, testpmd.PROGRAM):
        assert (entry["status"], entry["runs"]) == ("failed", [])
        assert entry["reason"].endswith("It said:\n  no such device")
    assert [len(entry["runs"]) for entry in entries(result, "xdplab")] == [2]
    assert f"{testpmd.PROGRAM}: failed: " in table(result)
    assert capfd.readouterr() == ("", "")


def test_a_peer_that_receives_nothing_has_no_ratio(fake: Fake, one_strategy: None) -> None:
    fake(testpmd.PROGRAM, TESTPMD)
    result = BENCHMARKS["rxdrop"].run(rounds=1, seconds=0.05, quiet=True)
    for entry in entries(result, testpmd.PROGRAM):
        assert (entry["status"], entry["version"]) == ("measured", "DPDK 0.0.0")
        assert entry["rx_pps"]["median"] == 0
    assert result["ratio"] is None
