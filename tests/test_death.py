"""However the process dies, nothing of an engine or a generator is left."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import time

import pytest
from test_lab_leaves_nothing import line, program
from witness import Witness

pytestmark = pytest.mark.usefixtures("privileged")
BPF_SYSCALL, BPF_PROG_GET_NEXT_ID = 321, 11

CAPTURING = """
import time
from xdplab import Engine, Lab, Traffic
lab = Lab()
engine = Engine(lab.port, wait={wait!r}).start()
traffic = Traffic(lab.peer, lab.port, rate={rate!r}).start()
while not engine.telemetry.counters()["rx_packets"]:
    time.sleep(0.01)
print("capturing", flush=True)
{then}
"""


def program_ids() -> set[int]:
    """List the BPF programs that the kernel holds."""
    libc, ids, last = ctypes.CDLL(None, use_errno=True), set(), 0
    while True:
        attribute = ctypes.create_string_buffer(struct.pack("=III", last, 0, 0))
        if libc.syscall(BPF_SYSCALL, BPF_PROG_GET_NEXT_ID, attribute, 12):
            return ids
        last = struct.unpack_from("=I", attribute, 4)[0]
        ids.add(last)


def programs_go_back_to(before: set[int]) -> bool:
    deadline = time.monotonic() + 20
    while program_ids() - before:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("wait", ["spin", "uring-multishot"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_signal_that_kills_leaves_nothing(wait: str, number: signal.Signals) -> None:
    before = program_ids()
    with program(CAPTURING.format(wait=wait, rate="max", then="time.sleep(60)")) as process:
        assert line(process) == "capturing"
        assert program_ids() - before
        witness = Witness(process.pid)
        assert witness.left() == 2
        os.kill(process.pid, number)
        assert process.wait() == -number
    assert witness.sees_the_end()
    assert programs_go_back_to(before)


@pytest.mark.parametrize("then", ["", "1 / 0", "raise SystemExit(3)", "del engine, traffic, lab"])
def test_an_interpreter_that_ends_with_an_engine_running_ends_cleanly(then: str) -> None:
    before = program_ids()
    with program(CAPTURING.format(wait="poll", rate=1000, then=then)) as process:
        assert line(process) == "capturing"
        assert process.wait(timeout=20) == {"1 / 0": 1, "raise SystemExit(3)": 3}.get(then, 0)
    assert programs_go_back_to(before)


def test_a_forked_child_that_ends_leaves_the_engine_alone() -> None:
    then = """
import os
child = os.fork()
if child == 0:
    del engine, traffic
    raise SystemExit(0)
print(os.waitpid(child, 0)[1], engine.running, engine.batch, flush=True)
"""
    with program(CAPTURING.format(wait="poll", rate=1000, then=then)) as process:
        assert line(process) == "capturing"
        assert line(process) == "0 True 64"
