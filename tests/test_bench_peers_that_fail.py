"""Peers that misbehave, are killed or interrupted are quoted, and never left running."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from support.fake_peers import (
    COUNTING,
    IN_TIME,
    TCPDUMP,
    TESTPMD,
    Fake,
    changed,
    fakes_in,
    has_begun,
    is_running,
)
from support.waiting import eventually

from xdplab import Lab, Traffic
from xdplab.bench.peers import tcpdump, testpmd
from xdplab.bench.peers.peer import Peer, PeerError
from xdplab.bench.peers.peer_receiver import PeerReceiver
from xdplab.bench.peers.scapy_sniff import SniffReceiver
from xdplab.bench.wire import Wire

# A peer is a child of ours in a namespace that we may enter.
pytestmark = [pytest.mark.usefixtures("privileged", "brief"), pytest.mark.privilege]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    return fakes_in(tmp_path, monkeypatch)


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
        (changed(TCPDUMP, "{signal.SIGUSR1, signal.SIGINT}", "{signal.SIGINT}"), "by signal 10"),
        (changed(TCPDUMP, "9 packets received", "some packets received"), "some packets"),
        (changed(TCPDUMP, "9 packets received", "90 packets received"), "captured 7 of 90"),
        (changed(TCPDUMP, "told != signal.SIGINT", "True"), "did not end"),
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
