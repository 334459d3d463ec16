"""Handlers that can't be: refused with a remedy. And those that take too long, or never return."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cffi
import numba
import numpy as np
import pytest
from support.loads import RING
from support.waiting import eventually

import xdplab
from xdplab import (
    Capture,
    ConfigurationError,
    Engine,
    Handler,
    HandlerError,
    Lab,
    Traffic,
    XdplabError,
    c_handler,
)
from xdplab.handlers import DROP, compiling

POINTERS = (ctypes.c_void_p,) * 3
GOOD = ctypes.CFUNCTYPE(ctypes.c_uint32, *POINTERS)
SHORT = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p)
DROPS = "uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state) { return 0; }"

HOLDS = """
    uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state)
    {
        volatile uint64_t *words = state;
        words[0]++;
        while (!words[1])
            ;
        return XDPLAB_DROP;
    }
"""


@pytest.fixture
def soft_lab() -> Iterator[Lab]:
    with Lab(backend="soft") as lab:
        yield lab


def plain(_data: Any, _packet: Any, _state: Any) -> int:
    return DROP


def from_library() -> Any:
    return ctypes.CDLL(None).getpid  # its types are not known


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: plain, r"is a function in Python.*@numba\.cfunc\(xdplab\.handler_signature\)"),
        (lambda: numba.njit(plain), r"calls from Python.*in place of @numba\.njit"),
        (lambda: numba.cfunc("int64(int64)")(abs_of), r"\(int64,\) -> int64.*handler_signature"),
        (lambda: 0xDEAD, r"must be a handler: xdplab\.c_handler\(source\)"),
        (lambda: "return 0;", r"must be a handler"),
        (lambda: SHORT(lambda _data: 0), r"of other types.*ctypes\.CFUNCTYPE\(ctypes\.c_uint32"),
        (from_library, r"set argtypes and restype so"),
        (lambda: ctypes.cast(None, GOOD), "it is NULL"),
        (lambda: cffi.FFI().cast("int (*)(int)", 5), r"is a int\(\*\)\(int\).*uint32_t handle"),
        (lambda: cffi.FFI().new("int[4]"), r"is a int\[4\]"),
        (lambda: cffi.FFI().cast("uint32_t (*)(void *, void *, void *)", 0), "it is NULL"),
    ],
)
def test_what_is_no_handler_is_refused_with_what_to_do(
    soft_lab: Lab, make: Callable[[], Any], words: str
) -> None:
    with Engine(soft_lab.port) as engine:
        with pytest.raises(ConfigurationError, match=words):
            engine.handler = make()
        assert (engine.handler, engine.action) == (None, "drop")


def abs_of(number: int) -> int:
    return abs(number)


@pytest.mark.parametrize(
    "make",
    [
        lambda: GOOD(plain),
        lambda: numba.cfunc("int32(voidptr, voidptr, CPointer(uint64))")(plain),
        lambda: cffi.FFI().cast("uint32_t (*)(uint8_t *, void *, void *)", address_of_c()),
    ],
)
def test_a_pointer_of_the_right_types_is_a_handler(soft_lab: Lab, make: Callable[[], Any]) -> None:
    with Engine(soft_lab.port) as engine:
        engine.handler = make()
        traffic = Traffic(soft_lab.peer, soft_lab.port, rate=10_000, count=100)
        assert traffic.start().wait(60)
        assert eventually(lambda: int(engine.telemetry.total()["handled"][DROP]) == 100)


def address_of_c() -> int:
    return ctypes.cast(c_handler(DROPS).function, ctypes.c_void_p).value or 0


@pytest.mark.parametrize(
    "state",
    [5, "x", b"read only", np.zeros((4, 4))[:, 1], np.zeros(2, object), [1, 2], plain],
)
def test_a_state_is_memory_in_one_piece_that_can_be_written_to(state: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"must be memory in one piece.*numpy\.zeros"):
        c_handler(DROPS, state=state)


def test_an_error_of_the_compiler_shows_the_users_own_line_and_column() -> None:
    source = """
uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state)
{
    return packet->lenght;
}
"""
    with pytest.raises(HandlerError, match=r"(?s)does not compile.*drops\.c:4:\d+: error:.*lenght"):
        c_handler(source, name="drops")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("int handle(void) { return 0; }", r"handler\.c:1:\d+: error: conflicting types"),
        ("int other;", r"has no function `handle`\. Write: uint32_t handle\("),
        ("", r"has no function `handle`"),
        (f"int other(void);\n{DROPS.replace('0', 'other()')}", r"undefined reference"),
        (DROPS.replace("return 0;", ""), r"handler\.c:1:\d+: error"),
        ('#include "nowhere.h"', r"handler\.c:1:\d+: fatal error: .*nowhere\.h"),
    ],
)
def test_what_does_not_compile_or_load_is_told(source: str, words: str) -> None:
    with pytest.raises(HandlerError, match=words) as raised:
        c_handler(source)
    assert isinstance(raised.value, XdplabError)


def test_a_warning_stays_with_the_handler() -> None:
    handler = c_handler(DROPS.replace("{ return", "{ int unused; return"))
    assert "handler.c:1" in handler.said
    assert "unused" in handler.said


def test_without_a_compiler_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "COMPILERS", ("no-such-cc",))
    with pytest.raises(HandlerError, match=r"takes a compiler.*no-such-cc.*apt-get install gcc"):
        c_handler(DROPS)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_either_compiler_will_do(monkeypatch: pytest.MonkeyPatch, compiler: str) -> None:
    monkeypatch.setattr(compiling, "COMPILERS", (compiler,))
    assert c_handler(DROPS).made_by == shutil.which(compiler)


def test_without_numba_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ConfigurationError, match="pip install numba"):
        xdplab.handlers.signature.__wrapped__()


def test_the_header_compiles_alone(tmp_path: Path) -> None:
    source = tmp_path / "own.c"
    source.write_text(f'#include "xdplab_handler.h"\n{DROPS}')
    compiler = shutil.which("cc")
    assert compiler
    flags = ["-std=c11", "-Wall", "-Werror", f"-I{Path(xdplab.__file__).parent / 'include'}"]
    subprocess.run([compiler, *flags, "-c", str(source), "-o", f"{source}.o"], check=True)


def test_a_handler_that_exceeds_its_budget_is_reported(lab: Lab) -> None:
    sleeps = """
        #include <time.h>
        uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state)
        {
            struct timespec nap = { .tv_nsec = 2000000 };
            nanosleep(&nap, 0);
            return XDPLAB_DROP;
        }
    """
    with Engine(lab.port) as engine:
        engine.handler = c_handler(sleeps)
        engine.handler_budget = 3600
        traffic = Traffic(lab.peer, lab.port, rate=1000, count=10)
        ledger = engine.ledger(traffic)
        traffic.start()
        assert eventually(lambda: int(engine.telemetry.total()["handler_batches"]))
        assert engine.handler_note == ""
        engine.handler_budget = 0.001
        assert engine.handler_budget == 0.001
        assert traffic.wait(60)
        assert traffic.start().wait(60)
        assert eventually(lambda: sum(engine.telemetry.total()["handled"].tolist()) == 20)
        assert "ms for a batch of" in engine.handler_note
        assert "(budget 1.00 ms)" in engine.handler_note
        assert engine.handler_note in str(engine)
        assert engine.handler_note in ledger.explain()
        engine.handler = c_handler(DROPS)
        assert traffic.wait(60)
        assert traffic.start().wait(60)
        engine.handler_budget = 3600  # else an interrupt of the worker may exceed it
        assert engine.handler_note == "", "the one before is no longer told"


@pytest.fixture
def held(lab: Lab) -> Iterator[Callable[[Engine], np.ndarray[Any, Any]]]:
    """Give an engine a handler that returns once its words[1] is set, and let packets come."""
    words = np.zeros(2, np.uint64)
    traffic = Traffic(lab.peer, lab.port, rate=1000, count=10)

    def hold(engine: Engine) -> np.ndarray[Any, Any]:
        engine.handler = c_handler(HOLDS, state=words)
        traffic.start()
        assert eventually(lambda: words[0])
        return words

    yield hold
    words[1] = 1  # else its thread would spin on


def test_a_handler_that_does_not_return_is_reported_while_it_is_inside(
    lab: Lab, held: Callable[[Engine], np.ndarray[Any, Any]]
) -> None:
    with Engine(lab.port) as engine:
        words = held(engine)
        assert eventually(lambda: "has been inside for" in engine.handler_note)
        assert "(budget 1.00 ms)" in engine.handler_note
        with pytest.warns(UserWarning, match="before is still in use") as told:
            engine.handler = c_handler(DROPS)
        assert [each.filename for each in told if each.category is UserWarning] == [__file__]
        words[1] = 1
        assert eventually(lambda: sum(engine.telemetry.total()["handled"].tolist()) == 10)


def test_stop_and_close_do_not_wait_for_a_handler_that_never_returns(
    lab: Lab, held: Callable[[Engine], np.ndarray[Any, Any]]
) -> None:
    engine = Engine(lab.port).start()
    words = held(engine)
    with pytest.raises(HandlerError, match="inside of its handler"):
        engine.stop()
    with pytest.raises(HandlerError, match="and left them"):
        engine.reconfigure(ring_size=RING)
    with pytest.warns(UserWarning, match="its handler does not return.*Until the process ends"):
        engine.close()
    assert engine.closed
    assert words[0] == 1
    assert lab.simulated or not lab.port.interface.attached_program()


def test_close_does_not_wait_for_a_capture_in_a_handler_that_never_returns(
    lab: Lab, held: Callable[[Engine], np.ndarray[Any, Any]]
) -> None:
    capture = Capture(lab.port)
    ended = []

    def receive() -> None:
        try:
            capture.recv(timeout=60)
        except XdplabError as error:
            ended.append(error)

    thread = threading.Thread(target=receive)
    thread.start()
    words = held(capture)
    with pytest.raises(HandlerError, match="has not returned for seconds"):
        capture.filter("udp")
    with pytest.warns(UserWarning, match="its handler does not return") as told:
        capture.close()
    assert [each.filename for each in told if each.category is UserWarning] == [__file__]
    words[1] = 1
    thread.join()


def test_a_process_ends_though_a_handler_does_not_return() -> None:
    program = f"""
import time, numpy as np
from xdplab import Engine, Lab, Traffic, c_handler
lab = Lab(backend="soft")
engine = Engine(lab.port).start()
words = np.zeros(2, np.uint64)
engine.handler = c_handler('''{HOLDS}''', state=words)
traffic = Traffic(lab.peer, lab.port, rate=1000, count=10).start()
while not words[0]:
    time.sleep(0.01)
print("inside")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=False
    )
    assert (done.returncode, done.stdout) == (0, "inside\n"), done.stderr


def test_a_handler_that_crashes_takes_the_process_down() -> None:
    program = """
import time
from xdplab import Engine, Lab, Traffic, c_handler
lab = Lab(backend="soft")
engine = Engine(lab.port).start()
engine.handler = c_handler('''
    uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state)
    {
        return *(volatile uint32_t *)state;
    }
''')
Traffic(lab.peer, lab.port, rate=1000, count=10).start()
time.sleep(120)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == -11


def test_nothing_is_warned_of_where_all_is_well(lab: Lab) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Engine(lab.port) as engine:
            engine.handler = c_handler(DROPS)
            engine.handler = Handler(GOOD(plain))
            engine.handler = None
