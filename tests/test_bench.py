"""The benchmark rxdrop: fair to all, and unmoved by a peer that misbehaves."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xdplab import WAIT_STRATEGIES, ConfigurationError, Engine, Lab, Traffic
from xdplab.bench import rxdrop, table, testpmd
from xdplab.bench.peer import PeerError
from xdplab.bench.receiver import Wire

pytestmark = pytest.mark.usefixtures("privileged")

needs_testpmd = pytest.mark.skipif(
    shutil.which(testpmd.PROGRAM) is None, reason="dpdk-testpmd is not installed"
)

# Answers as the real one does, as far as the benchmark reads it; each fake changes something.
WELL_BEHAVED = """
    say("EAL: RTE Version: 'DPDK 0.0.0'", "testpmd> ")
    for line in sys.stdin:
        if line == "start\\n":
            say("rxonly packet forwarding packets/burst=32")
        if line == "show port stats all\\n":
            say("RX-packets: 7  RX-missed: 0", "Throughput (since last show)")
        if line == "quit\\n":
            say("Bye...")
            break
"""

Fake = Callable[[str], Path]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Install a dpdk-testpmd; gives back the file into which it writes its process id."""
    monkeypatch.setattr(testpmd, "ANSWER_SECONDS", 1.0)

    def install(body: str) -> Path:
        pid = tmp_path / "pid"
        program = tmp_path / testpmd.PROGRAM
        head = f"""\
            #!{sys.executable}
            import os, sys, time
            open({str(pid)!r}, "w").write(str(os.getpid()))
            def say(*lines):
                print(*lines, sep="\\n", flush=True)
        """
        program.write_text(textwrap.dedent(head) + textwrap.dedent(body))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        return pid

    return install


def is_running(pid: Path) -> bool:
    return Path(f"/proc/{pid.read_text()}").exists()


def entries(result: dict[str, Any], program: str) -> list[dict[str, Any]]:
    return [entry for entry in result["entries"] if entry["program"] == program]


def test_our_worker_is_measured_with_each_strategy_and_loses_nothing_unaccounted() -> None:
    result = rxdrop(rounds=1, seconds=0.3, quiet=True)
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


@needs_testpmd
def test_testpmd_counts_what_the_same_generator_sent() -> None:
    result = rxdrop(rounds=1, seconds=0.3, quiet=True)
    for entry in entries(result, testpmd.PROGRAM):
        (run,) = entry["runs"]
        assert entry["status"] == "measured", entry["reason"]
        assert entry["version"].startswith("DPDK ")
        assert 0 < run["rx_packets"] <= run["sent"]
    assert result["ratio"] > 0


@needs_testpmd
def test_a_testpmd_that_was_killed_leaves_no_program_and_no_file(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    taken = testpmd.Testpmd(lab.port, worker=0, other=0)
    assert not list(tmp_path.iterdir())
    os.kill(taken.pid, signal.SIGKILL)
    with pytest.raises(PeerError, match="signal 9"):
        taken.received()
    taken.close()
    with Engine(lab.port) as engine:
        assert engine.running


def test_a_missing_testpmd_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = rxdrop(rounds=1, seconds=0.1, quiet=True)
    for entry in entries(result, testpmd.PROGRAM):
        assert (entry["status"], entry["runs"]) == ("missing", [])
        assert entry["reason"] == "not installed: apt install dpdk-dev"
    assert result["ratio"] is None
    assert "dpdk-testpmd: not installed: apt install dpdk-dev" in table(result)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("time.sleep(100)", "within 1 s. It said nothing"),
        ("say('no such device'); sys.exit(3)", "with exit status 3. It said:\n  no such device"),
        ("os.kill(os.getpid(), 11)", "by signal 11"),
        ("while True: say('?' * 1000)", "within 1 s. It said:\n  ?????"),
        (WELL_BEHAVED.replace("RX-packets: 7", "RX-packets: many"), "RX-packets: many"),
        (
            WELL_BEHAVED.replace('say("RX-packets: 7', 'say(f"RX-packets: {time.time_ns()}'),
            "counts",
        ),
        (WELL_BEHAVED.replace('say("Bye...")', "time.sleep(100)"), "did not say 'Bye"),
        (WELL_BEHAVED + "    time.sleep(100)", "did not end within 1 s"),
        (WELL_BEHAVED.replace('say("Bye...")', "os.close(1), os.close(2), time.sleep(100)"), "on"),
    ],
    ids=[
        "hangs",
        "exits",
        "crashes",
        "floods",
        "garbles",
        "counts-on",
        "hangs-on-quit",
        "stays",
        "goes-mute",
    ],
)
def test_a_testpmd_that_misbehaves_is_quoted_and_not_left_running(
    body: str, reason: str, fake: Fake, lab: Lab
) -> None:
    pid = fake(body)
    with Traffic(lab.peer, lab.port, rate=1000) as traffic:
        traffic.stop()
        with pytest.raises(PeerError, match=re.escape(reason)):
            testpmd.TestpmdReceiver().run(Wire(lab, traffic, worker=0), 0.05)
    assert not is_running(pid)


def test_what_fails_is_reported_and_the_rest_goes_on(
    fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    fake("say('no such device'); sys.exit(3)")
    result = rxdrop(rounds=2, seconds=0.05, quiet=True)
    for entry in entries(result, testpmd.PROGRAM):
        assert (entry["status"], entry["runs"]) == ("failed", [])
        assert entry["reason"].endswith("It said:\n  no such device")
    assert [len(entry["runs"]) for entry in entries(result, "xdplab")] == [2] * len(WAIT_STRATEGIES)
    assert f"{testpmd.PROGRAM}: failed: " in table(result)
    assert capfd.readouterr() == ("", "")


def test_a_peer_that_receives_nothing_has_no_ratio(fake: Fake) -> None:
    fake(WELL_BEHAVED)
    result = rxdrop(rounds=1, seconds=0.05, quiet=True)
    for entry in entries(result, testpmd.PROGRAM):
        assert (entry["status"], entry["version"]) == ("measured", "DPDK 0.0.0")
        assert entry["rx_pps"]["median"] == 0  # 7 before, and still 7 after
    assert result["ratio"] is None


def test_a_peer_dies_with_the_process_that_ran_it(fake: Fake, tmp_path: Path) -> None:
    pid = fake("time.sleep(100)")
    text = "from xdplab.bench import rxdrop; rxdrop(rounds=1, seconds=0.05, quiet=True)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", text], env=environment) as process:
        wait_until(lambda: pid.exists() and pid.read_text() != "")
        process.kill()
    wait_until(lambda: not is_running(pid))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    "wrong", [{"rounds": 0}, {"rounds": 1.5}, {"seconds": 0}, {"seconds": float("nan")}]
)
def test_rounds_and_seconds_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        rxdrop(**wrong)
