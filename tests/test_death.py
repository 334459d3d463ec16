"""However the process dies, nothing of an engine or a generator is left."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.child_programs import line, python
from support.ended_namespaces import Witness
from support.waiting import eventually

from xdplab import Engine, Lab, QueueBusyError
from xdplab.backends.kernel import backend as kernel
from xdplab.native import lib

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


def programs_of(process: int) -> set[int]:
    """List the BPF programs that a process holds, by itself or by a link."""
    infos = [info.read_text() for info in Path(f"/proc/{process}/fdinfo").iterdir()]
    return {int(number) for info in infos for number in re.findall(r"prog_id:\s*(\d+)", info)}


def are_gone(programs: set[int]) -> bool:
    return eventually(lambda: not programs & program_ids())


@pytest.mark.privilege  # all programs are listed to CAP_SYS_ADMIN alone
@pytest.mark.parametrize("wait", ["spin", "uring-multishot"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_signal_that_kills_leaves_nothing(wait: str, number: signal.Signals) -> None:
    with python(CAPTURING.format(wait=wait, rate="max", then="time.sleep(60)")) as process:
        assert line(process) == "capturing"
        programs = programs_of(process.pid)
        assert len(programs & program_ids()) == 2  # capture and generate
        witness = Witness(process.pid)
        assert witness.left() == 2
        os.kill(process.pid, number)
        assert process.wait() == -number
    assert witness.sees_the_end()
    assert are_gone(programs)


@pytest.mark.privilege  # likewise
@pytest.mark.parametrize("then", ["", "1 / 0", "raise SystemExit(3)", "del engine, traffic, lab"])
def test_an_interpreter_that_ends_with_an_engine_running_ends_cleanly(then: str) -> None:
    wait = f"input()\n{then}"
    with python(CAPTURING.format(wait="poll", rate=1000, then=wait)) as process:
        assert line(process) == "capturing"
        programs = programs_of(process.pid)
        assert len(programs) == 2
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(timeout=60) == {"1 / 0": 1, "raise SystemExit(3)": 3}.get(then, 0)
    assert are_gone(programs)


@pytest.mark.parametrize("end", ["", "engine.telemetry.close()", "engine.close()"])
def test_threads_that_read_on_to_the_very_end_do_no_harm(end: str) -> None:
    # Readers of all that the native side would give back under them.
    then = f"""
from contextlib import suppress
from threading import Thread
from xdplab import XdplabError
def read():
    while True:
        with suppress(XdplabError):
            engine.telemetry.history(), engine.telemetry.samples(), engine.verdicts(), traffic.sent
for _ in range(3):
    Thread(target=read, daemon=True).start()
time.sleep(0.3)
{end}
"""
    for _ in range(3):
        with python(CAPTURING.format(wait="poll", rate=50_000, then=then)) as process:
            assert line(process) == "capturing"
            assert process.wait(timeout=60) == 0


def test_an_interrupt_while_an_engine_is_made_leaves_the_queue_free(lab: Lab) -> None:
    Engine(lab.port).close()  # loads what is loaded at first use
    main = threading.main_thread().ident
    assert main is not None
    for milliseconds in range(1, 20, 3):
        timer = threading.Timer(milliseconds / 1000, signal.pthread_kill, (main, signal.SIGINT))
        with suppress(KeyboardInterrupt):
            timer.start()
            Engine(lab.port).close()
            while True:  # it was made before the interrupt came
                time.sleep(1)
        assert eventually(lambda: can_be_made(lab))


@pytest.mark.privilege  # elsewhere no thread of its own opens a port
def test_an_interrupt_whose_traceback_is_kept_leaves_the_queue_free(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_port(*arguments: object) -> int:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(0.2)
        return int(lib.xdplab_engine_open_port(*arguments))

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt) as interrupt:
        patch.setattr(kernel, "lib", SimpleNamespace(xdplab_engine_open_port=open_port))
        Engine(lab.port)
    Engine(lab.port).close()
    assert interrupt.traceback  # as a notebook keeps the last one


def can_be_made(lab: Lab) -> bool:
    try:
        Engine(lab.port).close()
    except QueueBusyError:
        return False
    return True


def test_a_forked_child_can_not_start_the_engine_and_leaves_it_alone_as_it_ends() -> None:
    then = """
import os
from xdplab.core.errors import ClosedError
engine.stop()
traffic.stop()
child = os.fork()
if child == 0:
    for refused in (engine.start, traffic.start, lambda: engine.reconfigure(ring_size=64)):
        try:
            refused()
        except ClosedError:
            continue
        os._exit(1)
    for part in (engine, traffic, lab):
        part.close()
    del engine, traffic, lab
    raise SystemExit(0)
status = os.waitpid(child, 0)[1]
engine.start()
print(status, engine.running, engine.batch, flush=True)
"""
    with python(CAPTURING.format(wait="poll", rate=1000, then=then)) as process:
        assert line(process) == "capturing"
        assert line(process) == "0 True 64"
