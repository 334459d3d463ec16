"""A forked child: what it inherits works, or is refused; it hangs on nothing, and harms nothing."""

from __future__ import annotations

import pytest
from support.child_programs import line, python

pytestmark = pytest.mark.usefixtures("privileged")

# The parent's other threads are in calls all the time, and so hold every lock that there is.
BUSY = """
import multiprocessing, os, subprocess, sys, threading, time
from xdplab import Engine, Lab, Ledger, Traffic, XdplabError

lab = Lab()
engine = Engine(lab.port).start()
traffic = Traffic(lab.peer, lab.port, rate=1000).start()
ledger = Ledger(engine, traffic)


def call():
    turns = 0
    while True:
        turns += 1
        engine.batch, traffic.rate = 1 + turns % 64, 1000 + turns % 64
        engine.verdicts(), traffic.sent, engine.running, engine.napi.read()


def look():
    while True:
        ledger.read()


for function in (call, call, look):
    threading.Thread(target=function, daemon=True).start()
time.sleep(0.2)


def read():
    return engine.batch, engine.running, engine.verdicts(), traffic.sent, repr(engine)


def close():
    for part in (engine, traffic, lab):
        part.close()


def refused(function):
    try:
        function()
    except XdplabError:
        return
    raise AssertionError


def end(process):
    deadline = time.monotonic() + 30
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() > deadline:
            os.kill(process, 9)
            return os.waitpid(process, 0)[1]
        time.sleep(0.01)


def fork(*jobs):
    process = os.fork()
    if process == 0:
        try:
            for job in jobs:
                job()
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return end(process)
"""
THEN = """
print(set(statuses), flush=True)
before = engine.telemetry.total()["rx_packets"]
deadline = time.monotonic() + 20
while engine.telemetry.total()["rx_packets"] == before and time.monotonic() < deadline:
    time.sleep(0.01)
after = engine.telemetry.total()["rx_packets"]
print(engine.running, traffic.running, after > before, flush=True)
os._exit(0)
"""


@pytest.mark.parametrize(
    "jobs",
    [
        "read",
        "close",
        "read, close, close",
        "engine.stop, traffic.stop, engine.refresh",
        "lambda: refused(engine.start)",
        "lambda: refused(lambda: engine.reconfigure(ring_size=512))",
        "lambda: engine.napi.read(), lambda: engine.journal.note('batch', 1, 2)",
    ],
)
def test_a_child_hangs_on_no_lock_and_leaves_the_engine_alone(jobs: str) -> None:
    with python(f"{BUSY}\nstatuses = [fork({jobs}) for _ in range(10)]\n{THEN}") as process:
        assert line(process) == "{0}"
        assert line(process) == "True True True"


def test_children_of_multiprocessing_and_of_a_function_before_exec_end_as_well() -> None:
    forks = """
statuses = []
for _ in range(5):
    child = multiprocessing.get_context("fork").Process(target=close)
    child.start()
    child.join(30)
    statuses.append(child.exitcode)
    done = subprocess.run(["true"], preexec_fn=lambda: (read(), close()), timeout=30)
    statuses.append(done.returncode)
"""
    with python(f"{BUSY}{forks}{THEN}") as process:
        assert line(process) == "{0}"
        assert line(process) == "True True True"


def test_a_child_that_ends_as_programs_do_leaves_the_engine_alone() -> None:
    forks = """
statuses = []
for _ in range(5):
    process = os.fork()
    if process == 0:
        del engine, traffic, ledger
        raise SystemExit(0)
    statuses.append(end(process))
"""
    with python(f"{BUSY}{forks}{THEN}") as process:
        assert line(process) == "{0}"
        assert line(process) == "True True True"
