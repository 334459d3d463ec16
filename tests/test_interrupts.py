"""An interrupt (Ctrl-C) at any moment: an engine says what it does, goes on, and can be closed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import count
from types import FrameType

import pytest
from support.child_programs import python

from xdplab import GALLERY, Lab, Program
from xdplab.net.namespace import to_the_end

pytestmark = pytest.mark.usefixtures("privileged")

# In a process of its own, since the alarm that raises the interrupts is pytest's, too.
STORM = """
import random, signal, sys, threading, time
from collections import Counter
from xdplab import Engine, Lab, QueueBusyError, Traffic

signal.signal(signal.SIGALRM, signal.default_int_handler)
chance, interrupted = random.Random(25), Counter()


def interrupt(function, longest):
    try:
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-5, longest))
        function()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        return True
    return False


def read(engine, traffic):
    for _ in range(400):
        engine.telemetry.total(), engine.batch, engine.running, traffic.sent


def does_something(engine):
    before, deadline = engine.telemetry.total()["rx_packets"], time.monotonic() + 20
    while engine.telemetry.total()["rx_packets"] == before:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def close_one(lab):
    deadline = time.monotonic() + 20
    while True:
        try:
            return Engine(lab.port).close()
        except QueueBusyError:  # the kernel frees a queue late
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


with Lab() as lab:
    for _ in range(ROUNDS):
        engine, traffic = Engine(lab.port), Traffic(lab.peer, lab.port, rate=2000)
        if chance.random() < 0.5:
            engine.start(), traffic.start()
        calls = {
            "stop": (engine.stop, 2e-3),
            "start": (engine.start, 2e-3),
            "close": (engine.close, 1e-2),
            "reconfigure": (lambda: engine.reconfigure(ring_size=1024), 0.1),
            "read": (lambda: read(engine, traffic), 5e-3),
            "start traffic": (traffic.start, 1e-3),
            "stop traffic": (traffic.stop, 1e-2),
            "close traffic": (traffic.close, 2e-2),
        }
        name = chance.choice(list(calls))
        interrupted[name] += interrupt(*calls[name])
        other = threading.Thread(target=lambda: (engine.closed or engine.batch, traffic.sent))
        other.start()
        other.join(20)
        assert not other.is_alive(), f"{name}: locked for other threads"
        if not engine.closed:
            if traffic.closed:
                traffic = Traffic(lab.peer, lab.port, rate=2000)
            traffic.start()
            assert engine.start().running, name
            assert does_something(engine), f"{name}: the engine says it runs, and does nothing"
            engine.stop()
            assert not engine.running, name
        engine.close(), traffic.close()
        assert engine.closed and traffic.closed, name
        close_one(lab)
print(sum(interrupted.values()), flush=True)
"""


PROGRAMS = """
import gc, random, signal, time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from xdplab import GALLERY, Lab, Program, QueueBusyError

signal.signal(signal.SIGALRM, signal.default_int_handler)
chance, data, lab = random.Random(27), GALLERY["reflect"], Lab()


def load():
    Program(data, lab.port).close()


def attached(program):
    deadline = time.monotonic() + 30
    while True:
        try:
            return program.attach()
        except QueueBusyError:  # who looks through all links of the machine holds one for a moment
            if time.monotonic() > deadline:
                raise


def replace():
    with Program(data, lab.port) as one, Program(data, lab.port) as other:
        link = attached(one)
        link.replace(other)
        link.replace(one)


def held():
    found = Counter()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # of the listing itself
            found[str(descriptor.readlink()).partition(":")[0]] += 1
    return found


interrupted = 0
for function in (load, replace):
    began = time.monotonic()
    function()
    longest, before = time.monotonic() - began, held()
    for _ in range(60):
        try:
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-5, longest))
            function()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            interrupted += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
    gc.collect()
    # A look at an interface whose wait was interrupted goes on, on its own thread.
    deadline = time.monotonic() + 30
    while (held() - before).total() > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    # Python's weakref.finalize loses its call where an interrupt comes within two of its steps,
    # which is rare.
    assert (held() - before).total() <= 1, (function.__name__, held() - before)
assert interrupted
attached(Program(data, lab.port))  # none is left on the interface
print("none left", flush=True)
"""

WAITS = """
import random, signal, time
from xdplab.net.namespace import on_a_thread, to_the_end

signal.signal(signal.SIGALRM, signal.default_int_handler)
chance, interrupted = random.Random(26), 0
for wait in [on_a_thread, to_the_end] * 2000:
    try:
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-5, 5e-4))
        assert wait(lambda: time.sleep(chance.uniform(0, 4e-4)) or "returned") == "returned"
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        interrupted += 1
print(interrupted, flush=True)
"""

JOIN = """
import signal, threading
from xdplab.core.threads import Thread

signal.signal(signal.SIGALRM, signal.default_int_handler)
may_end = threading.Event()
thread = Thread(may_end.wait, name="waits")
assert not thread.is_alive()
thread.start()
try:
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    thread.join()
except KeyboardInterrupt:
    thread.join(0.01)
    print(thread.is_alive())
    may_end.set()
    thread.join()
    print(thread.is_alive(), flush=True)
"""


@pytest.mark.parametrize(("program", "says"), [(WAITS, ""), (JOIN, "True\nFalse\n")])
def test_an_interrupt_ends_only_the_wait_for_a_thread(program: str, says: str) -> None:
    """Of Python 3.11, `Future.result`, `Event.wait` and `Thread.join` do not keep this rule."""
    with python(program) as process:
        said, _ = process.communicate(timeout=240)
        assert process.returncode == 0
        assert said == says if says else int(said) > 20  # interrupts that came in the middle


@pytest.mark.kernel
def test_an_interrupt_of_a_program_leaves_no_descriptor() -> None:
    with python(PROGRAMS) as process:
        said, _ = process.communicate(timeout=240)
        assert process.returncode == 0
        assert said == "none left\n"


def test_an_interrupted_call_has_ended_or_never_begins() -> None:
    begun: list[int] = []
    ended: list[int] = []

    def work(call: int) -> None:
        begun.append(call)
        time.sleep(0.01)
        ended.append(call)

    for call in count(2):
        came = interrupt_at(call, lambda call=call: to_the_end(lambda: work(call)))
        assert begun == ended
        if not came:
            break
    time.sleep(0.1)
    assert begun == ended
    assert begun[-1] == call > 5


@pytest.mark.kernel
def test_an_interrupt_at_any_call_of_closing_leaves_no_program_on_an_interface(lab: Lab) -> None:
    for of_program in (True, False):
        for call in count(2):  # the first is of `close` itself
            with Program(GALLERY["reflect"], lab.port) as program:
                link = program.attach()
                came = interrupt_at(call, program.close if of_program else link.close)
                assert link.closed, call
            if not came:
                break
        assert call > 3


def interrupt_at(call: int, function: Callable[[], object]) -> bool:
    """Raise KeyboardInterrupt at a call of Python within a function; tell whether it got there."""
    calls, came = count(1), False

    def trace(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal came
        # Python ignores an exception in the callback of a weak set.
        if event == "call" and frame.f_code.co_name != "_remove" and next(calls) == call:
            came = True
            raise KeyboardInterrupt

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return came


def test_an_engine_that_was_interrupted_tells_the_truth_and_goes_on() -> None:
    with python(STORM.replace("ROUNDS", "120")) as process:
        said, _ = process.communicate(timeout=240)
        assert process.returncode == 0
        assert int(said) > 20  # interrupts that came in the middle
