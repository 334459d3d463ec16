"""Programs that answer the benchmarks as testpmd, tcpdump and the counting program do, or badly."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from xdplab.bench.peers import counting_program, peer_receiver, tcpdump

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
    signals = {signal.SIGUSR1, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    say("tcpdump: listening on port0")
    told = None
    while told != signal.SIGINT:
        told = signal.sigwait(signals)
        say("7 packets captured, 9 packets received by filter, 2 packets dropped by kernel")
"""
COUNTING = """
    say("ready: 0.0.0")
    for line in sys.stdin:
        if line == "quit\\n":
            break
        say("counted 7")
"""
HEAD = f"""\
    #!{sys.executable} -IS
    import os, signal, sys, time
    open(__file__ + ".pid", "w").write(str(os.getpid()))
    def say(*lines):
        print(*lines, sep="\\n", flush=True)
"""

Fake = Callable[[str, str], Path]

ANSWER_SECONDS = 4.0  # instead of the benchmark's 30: enough to start Python on a busy machine
IN_TIME = f"within {ANSWER_SECONDS:g} s"


def fakes_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Return what installs a program, and returns the file into which it writes its process id."""
    for module in (peer_receiver, tcpdump):
        monkeypatch.setattr(module, "ANSWER_SECONDS", ANSWER_SECONDS)

    def install(name: str, body: str) -> Path:
        program = folder / name
        program.write_text(textwrap.dedent(HEAD) + textwrap.dedent(body))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        monkeypatch.setattr(counting_program, "PROGRAM", program)
        return program.with_name(f"{name}.pid")

    return install


def changed(body: str, old: str, new: str) -> str:
    assert old in body
    return body.replace(old, new)


def has_begun(pid: Path) -> bool:
    return pid.exists() and pid.read_text() != ""


def is_running(pid: Path) -> bool:
    return Path(f"/proc/{pid.read_text()}").exists()
