"""Programs that others wrote: counted fairly, named where missing, quoted, never left running."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.waiting import eventually

from xdplab import Engine, Lab, Traffic
from xdplab.bench import BENCHMARKS, table
from xdplab.bench.peers import counting_program, peer_receiver, tcpdump, testpmd
from xdplab.bench.peers.peer import Peer, PeerError
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

# Answers as the real one does, as far as the benchmark reads it; each fake changes something.
TESTPMD = """
    say("EAL: RTE Version: 'DPDK 0.0.0'", "testpmd> ")
    for line in sys.stdin:
        if line == "start\\n":
            say("rxonly packet forwarding packets/burst=32")
        if line.startswith("show port stats"):
            say("RX-packets: 7  RX-missed: 0", "Throughput (since last show)")
        if line == "quit\\n":
            say("Bye...")
            break
"""
TCPDUMP = """
    if "--version" in sys.argv:
        say("tcpdump version 0.0.0", "libpcap version 0.0.1")
        sys.exit()
    def count(*_):
        say("7 packets captured, 9 packets received by filter, 2 packets dropped by kernel")
    def end(*_):
        count()
        sys.exit()
    signal.signal(signal.SIGUSR1, count)
    signal.signal(signal.SIGINT, end)
    say("tcpdump: listening on port0")
    while True:
        time.sleep(100)
"""
COUNTING = """
    say("ready: 0.0.0")
    for line in sys.stdin:
        if line == "quit\\n":
            break
        say("counted 7")
"""
HEAD = f"""\
    #!{sys.executable}
    import os, signal, sys, time
    open(__file__ + ".pid", "w").write(str(os.getpid()))
    def say(*lines):
        print(*lines, sep="\\n", flush=True)
"""

Fake = Callable[[str, str], Path]

ANSWER_SECONDS = 4.0  # instead of the benchmark's 30: enough to start Python on a busy machine
IN_TIME = f"within {ANSWER_SECONDS:g} s"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Install a program under a name; gives back the file into which it writes its process id."""
    for module in (peer_receiver, tcpdump):
        monkeypatch.setattr(module, "ANSWER_SECONDS", ANSWER_SECONDS)

    def install(name: str, body: str) -> Path:
        program = tmp_path / name
        program.write_text(textwrap.dedent(HEAD) + textwrap.dedent(body))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setattr(counting_program, "PROGRAM", program)
        return program.with_name(f"{name}.pid")

    return install


@pytest.fixture
def one_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let our worker take one turn a round, and not nine."""
    monkeypatch.setattr("xdplab.bench.benchmarks.rxdrop.WAIT_STRATEGIES", ("poll",))


def has_begun(pid: Path) -> bool:
    return pid.exists() and pid.read_text() != ""


def is_running(pid: Path) -> bool:
    return Path(f"/proc/{pid.read_text()}").exists()


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


def changed(body: str, old: str, new: str) -> str:
    assert old in body
    return body.replace(old, new)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("time.sleep(100)", f"{IN_TIME}. It said nothing"),
        ("say('no such device'); sys.exit(3)", "with exit status 3. It said:\n  no such device"),
        ("os.kill(os.getpid(), 11)", "by signal 11"),
        ("while True: say('?' * 1000)", f"{IN_TIME}. It said:\n  ?????"),
        (changed(TESTPMD, "RX-packets: 7", "RX-packets: many"), "RX-packets: many"),
        (
            changed(TESTPMD, 'say("RX-packets: 7', 'say(f"RX-packets: {time.time_ns()}'),
            "counts",
        ),
        (changed(TESTPMD, 'say("Bye...")', "time.sleep(100)"), "did not say 'Bye"),
        (TESTPMD + "    time.sleep(100)", f"did not end {IN_TIME}"),
        (changed(TESTPMD, 'say("Bye...")', "os.close(1), os.close(2), time.sleep(100)"), "on"),
    ],
    ids=[
        *("hangs", "exits", "crashes", "floods", "garbles", "counts-on"),
        *("hangs-on-quit", "stays", "goes-mute"),
    ],
)
def test_a_testpmd_that_misbehaves_is_quoted_and_not_left_running(
    body: str, reason: str, fake: Fake, lab: Lab
) -> None:
    pid = fake(testpmd.PROGRAM, body)
    with_reason(testpmd.TestpmdReceiver(), reason, lab)
    assert not is_running(pid)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (changed(TCPDUMP, "libpcap version", "libwhat version"), "libwhat version"),
        (
            changed(TCPDUMP, 'say("tcpdump: listening on port0")', "sys.exit('no permission')"),
            "with exit status 1. It said:\n  no permission",
        ),
        (changed(TCPDUMP, "    signal.signal(signal.SIGUSR1, count)\n", ""), "by signal 10"),
        (changed(TCPDUMP, "9 packets received", "some packets received"), "some packets"),
        (changed(TCPDUMP, "9 packets received", "90 packets received"), "captured 7 of 90"),
        (changed(TCPDUMP, "        count()\n        sys.exit()", "        count()"), "did not end"),
    ],
    ids=["other", "refused", "dies", "garbles", "lags", "stays"],
)
def test_a_tcpdump_that_misbehaves_is_quoted_and_not_left_running(
    body: str, reason: str, fake: Fake, lab: Lab
) -> None:
    pid = fake(tcpdump.PROGRAM, body)
    with_reason(tcpdump.TcpdumpReceiver(), reason, lab)
    assert not is_running(pid)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("time.sleep(100)", "scapy sniff did not say"),
        (changed(COUNTING, "counted 7", "counted some"), "counted some"),
        (COUNTING + "    time.sleep(100)", f"did not end {IN_TIME}"),
    ],
    ids=["hangs", "garbles", "stays"],
)
def test_a_python_program_that_misbehaves_is_quoted_and_not_left_running(
    body: str, reason: str, fake: Fake, lab: Lab
) -> None:
    pid = fake("count_packets.py", body)
    with_reason(SniffReceiver(), reason, lab)
    assert not is_running(pid)


def with_reason(receiver: PeerReceiver, reason: str, lab: Lab) -> None:
    with Traffic(lab.peer, lab.port, rate=1000) as traffic:
        traffic.stop()
        with pytest.raises(PeerError, match=re.escape(reason)):
            receiver.run(Wire(lab, traffic, worker=0), 0.05)


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


# All its time goes to testpmd.
RXDROP = """
import sys
from xdplab.bench.benchmarks import rxdrop
from xdplab.cli.cli import main
rxdrop.WAIT_STRATEGIES = ()
sys.exit(main(["bench", "rxdrop", "--seconds", "1000", *sys.argv[1:]]))
"""


def test_a_peer_dies_with_the_process_that_ran_it(fake: Fake, tmp_path: Path) -> None:
    pid = fake(testpmd.PROGRAM, "time.sleep(100)")
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", RXDROP], env=environment) as process:
        assert eventually(lambda: has_begun(pid))
        process.kill()
    assert eventually(lambda: not is_running(pid))


def test_an_interrupt_ends_the_peer_and_leaves_no_report(fake: Fake, tmp_path: Path) -> None:
    # Until then it may be anywhere, in the midst of an import too.
    started = tmp_path / "started"
    start = 'if line == "start\\n":'
    told = f"{start}\n            open({str(started)!r}, 'w').close()"
    pid = fake(testpmd.PROGRAM, TESTPMD.replace(start, told))
    place = tmp_path / "reports"
    place.mkdir()
    command = [sys.executable, "-c", RXDROP, "--report", str(place / "report.html")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert eventually(started.exists)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert (process.returncode, said.decode()) == (130, "")
    assert eventually(lambda: not is_running(pid))
    assert not list(place.iterdir())


def interrupt() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def test_an_interrupt_amid_the_tidying_up_is_an_interrupt(
    fake: Fake, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It leaves a folder, as the real one does.
    leave = "os.mkdir(os.environ['RUNTIME_DIRECTORY'] + '/dpdk')"
    pid = fake(testpmd.PROGRAM, changed(TESTPMD, "\n    say(", f"\n    {leave}\n    say("))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    close = os.close

    def close_and_interrupt(descriptor: int) -> None:
        is_ours = temporary in Path(f"/proc/self/fd/{descriptor}").readlink().parents
        close(descriptor)
        if is_ours:
            monkeypatch.setattr(os, "close", close)
            interrupt()

    monkeypatch.setattr(os, "close", close_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        testpmd.Testpmd(lab.port, worker=0, other=0)
    assert eventually(lambda: not list(temporary.iterdir()))
    assert not is_running(pid)


def test_an_interrupt_while_a_peer_starts_leaves_none(
    fake: Fake, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = fake(testpmd.PROGRAM, "time.sleep(100)")
    start = subprocess.Popen

    def start_later(arguments: list[str], **options: Any) -> subprocess.Popen[bytes]:
        interrupt()
        time.sleep(0.2)
        started = start(arguments, **options)
        assert eventually(lambda: has_begun(pid))
        return started

    monkeypatch.setattr(subprocess, "Popen", start_later)
    with pytest.raises(KeyboardInterrupt):
        Peer(lab.port, [testpmd.PROGRAM])
    assert eventually(lambda: has_begun(pid) and not is_running(pid))


def test_tcpdump_dies_with_the_process_that_ran_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    text = f"""
from pathlib import Path
from xdplab import Lab
from xdplab.bench.peers.tcpdump import Tcpdump
with Lab() as lab, Tcpdump(lab.port, cpu=0) as running:
    Path({str(pid)!r}).write_text(str(running.pid))
    while True:
        pass
"""
    with subprocess.Popen([sys.executable, "-c", text]) as process:
        assert eventually(lambda: has_begun(pid))
        assert is_running(pid)
        process.kill()
    assert eventually(lambda: not is_running(pid))
