"""Things in turn: each begins and ends, a stop loses nothing that is done, and the rest follows."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.waiting import eventually

from xdplab import XdplabError
from xdplab.bench.receiver import Received
from xdplab.experiments.background import Background
from xdplab.experiments.in_turn import Stop, alone, in_rounds, in_turn
from xdplab.experiments.progress import bar, terminal_bar
from xdplab.experiments.runs import Runs

Place = tuple[int, int]


class Heard:
    """Progress as a list of words."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def begin(self, label: str) -> None:
        """Note that it begins."""
        self.words.append(f"begin {label}")

    def end(self) -> None:
        """Note that it ends."""
        self.words.append("end")


def test_each_thing_begins_and_ends_before_the_next() -> None:
    heard, done = Heard(), list[int]()
    assert in_turn([3, 5], done.append, label=lambda n: f"number {n}", progress=heard)
    assert done == [3, 5]
    assert heard.words == ["begin number 3", "end", "begin number 5", "end"]


def test_what_comes_next_may_depend_on_what_was_found() -> None:
    found = [1]
    doubled = (found[-1] for _ in range(4))
    in_turn(doubled, lambda last: found.append(2 * last))
    assert found == [1, 2, 4, 8, 16]


def take_until(stops: set[int], things: list[Place], done: list[Place]) -> bool:
    """Do things in turn; stop once as many were done as one of the numbers says."""
    stop = Stop()

    def do(thing: Place) -> None:
        done.append(thing)
        if len(done) in stops:
            stop.set()

    return in_turn(things, do, stop=stop)


@given(count=st.integers(0, 7), rounds=st.integers(1, 5), stops=st.sets(st.integers(0, 34)))
def test_stopped_anywhere_and_continued_each_thing_is_done_once_and_in_order(
    count: int, rounds: int, stops: set[int]
) -> None:
    """A stop comes while some of the things are being done; a new call goes on with the rest."""
    every = list(in_rounds(range(count), rounds))
    done: list[Place] = []
    is_whole = False
    while not is_whole:
        is_whole = take_until(stops, every[len(done) :], done)
        assert is_whole or len(done) in stops
    assert done == every


@given(things=st.lists(st.integers(), unique=True), rounds=st.integers(1, 6))
def test_every_second_round_is_backwards_so_drift_affects_all_alike(
    things: list[int], rounds: int
) -> None:
    order = [[thing for at, thing in in_rounds(things, rounds) if at == n] for n in range(rounds)]
    assert order == [things if n % 2 == 0 else things[::-1] for n in range(rounds)]


def test_a_long_thing_that_checks_ends_early_and_counts_as_not_done() -> None:
    stop, heard, done = Stop(), Heard(), list[str]()

    def do(thing: str) -> None:
        if thing == "long":
            stop.set()
        stop.check()
        done.append(thing)

    assert not in_turn(["short", "long", "other"], do, stop=stop, progress=heard)
    assert done == ["short"]
    assert heard.words == ["begin short", "end", "begin long"]


def test_an_error_ends_it_unless_the_caller_notes_it() -> None:
    done: list[int] = []

    def do(thing: int) -> None:
        if thing == 2:
            raise XdplabError("not today")
        done.append(thing)

    with pytest.raises(XdplabError, match="not today"):
        in_turn([1, 2, 3], do)
    assert done == [1]
    failures: dict[int, str] = {}
    heard = Heard()
    assert in_turn(
        [1, 2, 3], do, failed=lambda n, error: failures.update({n: str(error)}), progress=heard
    )
    assert done == [1, 1, 3]
    assert failures == {2: "not today"}
    assert heard.words.count("end") == 3


def test_a_mistake_of_the_code_is_no_failure_of_a_thing() -> None:
    with pytest.raises(ZeroDivisionError):
        in_turn([1], lambda n: n / 0, failed=lambda _n, _error: None)


def test_the_first_interrupt_stops_after_the_present_thing_and_a_second_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    stop, done = Stop(), list[int]()

    def do(times: int) -> None:
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
        done.append(times)

    with stop.by_interrupt():
        assert not in_turn([0, 1, 0], do, stop=stop)
    assert done == [0, 1]
    stop.clear()
    with pytest.raises(KeyboardInterrupt), stop.by_interrupt():
        in_turn([0, 2, 0], do, stop=stop)
    assert done == [0, 1, 0]
    assert signal.getsignal(signal.SIGINT) is before


def test_the_newest_of_those_that_use_the_same_thing_ends_the_others() -> None:
    used, first, second = Heard(), Stop(), Stop()
    order: list[str] = []

    def use(name: str, stop: Stop, until: Callable[[], object]) -> None:
        with alone(used, stop):
            order.append(name)
            until()
            order.append(f"{name} ends")

    thread = threading.Thread(target=use, args=("first", first, lambda: first.wait(30)))
    thread.start()
    assert eventually(lambda: order == ["first"])
    use("second", second, lambda: None)
    thread.join(30)
    assert order == ["first", "first ends", "second", "second ends"]
    assert not second.is_set()


def test_in_the_background_it_is_stopped_and_continued() -> None:
    done: list[int] = []
    goes_on = threading.Event()

    def do(thing: int) -> None:
        done.append(thing)
        assert goes_on.wait(30)

    background = Background(lambda stop: in_turn(range(len(done), 4), do, stop=stop))
    background.start()
    assert eventually(lambda: done == [0])
    background.stop()
    assert background.stopping
    goes_on.set()
    assert background.wait(30)
    assert done == [0]
    background.start()
    assert background.wait(30)
    assert done == [0, 1, 2, 3]
    assert not background.running


def test_an_interrupt_of_the_wait_stops_what_it_waited_for() -> None:
    began = threading.Event()

    def work(stop: Stop) -> None:
        began.set()
        stop.wait()

    background = Background(work)
    background.start()
    began.wait()
    interrupt = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT])
    with pytest.raises(KeyboardInterrupt):
        interrupt.start()
        background.wait(60)
    assert eventually(lambda: not background.running)


def test_what_goes_wrong_in_the_background_is_told() -> None:
    def fail(_stop: Stop) -> None:
        raise RuntimeError("out of order")

    background = Background(fail)
    background.start()
    with pytest.raises(XdplabError, match="RuntimeError: out of order"):
        background.wait(30)


def test_a_bar_counts_what_is_done_from_where_it_stopped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with bar(3, done=1) as shown:
        in_turn(["b", "c"], lambda _thing: None, progress=shown)
    drawn = capsys.readouterr().err
    assert "1/3" in drawn
    assert "3/3" in drawn
    assert "c]" in drawn
    with bar(3, wanted=False) as shown:
        in_turn("abc", lambda _thing: None, progress=shown)
    with terminal_bar(3, "a benchmark") as shown:  # standard error is no terminal
        in_turn("abc", lambda _thing: None, progress=shown)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)  # not installed
    with bar(3) as shown:
        in_turn("abc", lambda _thing: None, progress=shown)
    assert capsys.readouterr().err == ""


def test_a_commands_bar_names_the_benchmark_and_its_entry(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with terminal_bar(2, "waits") as shown:
        in_turn(["spin", "poll"], lambda _thing: None, progress=shown)
    drawn = capsys.readouterr().err
    assert "waits: spin" in drawn
    assert "waits: poll" in drawn
    assert "50%" in drawn


def test_what_is_to_be_run_and_what_came_back_can_be_pickled() -> None:
    """Another process may take the runs that are left, and hand back their results."""
    runs = Runs(1, 2, {"batch": [16, 64]})
    runs.left[0].figures, runs.left[0].status = {"pps": 7.0}, "measured"
    copy = pickle.loads(pickle.dumps(runs))
    assert [str(run) for run in copy.left] == ["batch 64", "batch 64", "batch 16"]
    assert copy.median(0, "pps") == 7
    entry = pickle.loads(pickle.dumps(Received(1.0, 10, 9)))
    assert entry.lost_percent == 10
