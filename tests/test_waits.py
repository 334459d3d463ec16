"""Each wait strategy delivers everything, and its counters show what it promises to cost."""

from __future__ import annotations

import gc
import random
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.loads import DEEP_RING, HOLDABLE_RATE, WIRE, lost_on_the_wire
from support.rings import fresh
from support.threads import threads_of
from support.waiting import eventually

from xdplab import (
    WAIT_STRATEGIES,
    Capture,
    ConfigurationError,
    Engine,
    Lab,
    Ledger,
    Stream,
    Traffic,
)
from xdplab.cli.terminal import _summary
from xdplab.experiments.measure import measure
from xdplab.native.records import SYSCALLS

# On veth, which does not tell an AF_XDP socket its NAPI.
INEFFECTIVE_ON_VETH = {"busy-poll", "epoll-napi", "irq-suspend"}
SLEEPERS = (
    *("poll", "epoll", "epoll-napi", "irq-suspend"),
    *("uring-oneshot", "uring-multishot", "uring-napi", "adaptive"),
)
OF_STRATEGY = {
    "spin": set(),
    "busy-poll": {"recvfrom", "settings"},
    "poll": {"poll"},
    "epoll": {"epoll_wait", "settings"},
    "uring-oneshot": {"io_uring_enter"},
    "uring-multishot": {"io_uring_enter"},
    "uring-sqpoll": set(),
    "uring-napi": {"io_uring_enter", "settings"},
    "adaptive": {"poll"},
    "timer": {"nanosleep"},
    "epoll-napi": {"epoll_wait", "settings"},
    "irq-suspend": {"epoll_wait", "settings"},
}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "wait=.* is ineffective here")
        yield


def settled(engine: Engine) -> Any:
    """Counters of a turn that began from now on, with the knobs as they are now.

    A turn reads the knobs before it publishes, and waits after that: so the first record from now
    on may be of a turn that began before.
    """
    fresh(engine)
    return fresh(engine)


def calls(counters: Any) -> dict[str, int]:
    made = {name: int(counters["syscalls"][kind]) for kind, name in enumerate(SYSCALLS)}
    return {name: count for name, count in made.items() if count and name != "publish"}


def holdable(wait: str, count: int, rate: float) -> tuple[int, float]:
    """Return how many frames to send a worker, and how fast: fewer to one that empties the wire.

    Those take as long as the others would, so that it is not away from its core all that time.
    """
    return (WIRE, rate * WIRE / count) if wait == "uring-napi" else (count, rate)


def capture(engine: Engine, lab: Lab, count: int, rate: float = 20_000) -> Any:
    """Let numbered frames come one by one, and return the counters once all have arrived."""
    before = engine.telemetry.counters()["rx_packets"]
    with Traffic(lab.peer, lab.port, rate=rate, count=count) as traffic:
        assert traffic.wait(30)
    assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == before + count)
    return settled(engine)


def test_the_table_is_in_the_designs_order() -> None:
    assert tuple(OF_STRATEGY) == WAIT_STRATEGIES


@pytest.mark.parametrize("wait", WAIT_STRATEGIES)
def test_a_strategy_makes_its_own_system_calls_and_no_others(lab: Lab, wait: str) -> None:
    count, rate = holdable(wait, 1_000, 2_000)
    with Engine(lab.port, wait=wait, ring_size=DEEP_RING, inspect=True) as engine:
        counters = capture(engine, lab, count, rate)
        drives_none = wait == "uring-napi" and wait in engine.wait_ineffective
    assert counters["stream_frames"] == count
    assert counters["stream_missing"] == counters["stream_late"] == 0
    # Where there is no NAPI to drive, as before Linux 6.13, there is none to be set.
    unset = {"settings"} if drives_none else set()
    assert set(calls(counters)) == OF_STRATEGY[wait] - unset
    assert counters["kicks"] == 0


@pytest.mark.parametrize("wait", SLEEPERS)
def test_a_strategy_that_sleeps_is_woken_by_packets_and_by_nothing_else(
    lab: Lab, wait: str
) -> None:
    count, rate = holdable(wait, 2_000, 2_000)
    with Engine(lab.port, wait=wait) as engine:
        engine.spin_microseconds = 0
        counters = capture(engine, lab, count, rate)
        assert 1 < counters["wakeups"] <= count + 10
        # Nothing comes: it sleeps from record to record.
        before = settled(engine)
        time.sleep(0.2)
        after = settled(engine)
    assert after["wakeups"] == before["wakeups"]
    assert after["timeouts"] > before["timeouts"]
    assert after["idle_ns"] == before["idle_ns"]


def test_by_the_timer_nobody_is_woken_and_all_arrives(lab: Lab) -> None:
    with Engine(lab.port, wait="timer", ring_size=DEEP_RING, inspect=True) as engine:
        counters = capture(engine, lab, 2_000, rate=2_000)
    assert counters["wakeups"] == counters["stream_missing"] == 0
    assert counters["timeouts"] >= calls(counters)["nanosleep"] > 1


def test_the_timer_sets_how_often_a_worker_looks(lab: Lab) -> None:
    with Engine(lab.port, wait="timer") as engine:
        engine.timer_microseconds = 10_000
        before = settled(engine)
        time.sleep(0.2)
        after = settled(engine)
        # It sleeps no less than it was told to, or until the next record.
        took = (after["time_ns"] - before["time_ns"]) / 1e6
        assert after["timeouts"] - before["timeouts"] <= took
        engine.timer_microseconds = 100
        enough = after["timeouts"] + 500
        assert eventually(lambda: engine.telemetry.counters()["timeouts"] > enough)


def slack_of(thread: int) -> int:
    """Return the timer slack of a thread of this process, in ns."""
    return int(Path(f"/proc/{thread}/timerslack_ns").read_text())


@pytest.mark.privilege  # to read another thread's slack takes CAP_SYS_NICE
@pytest.mark.parametrize("wait", ["timer", "adaptive"])
def test_a_strategy_with_a_timer_has_no_timer_slack_and_puts_it_back(lab: Lab, wait: str) -> None:
    before = threads_of()
    with Engine(lab.port, wait="poll") as engine:
        (worker,) = (
            thread
            for thread, name in threads_of().items()
            if thread not in before and name.startswith("xdplab-worker")
        )
        usual = slack_of(worker)
        assert usual > 1
        for _ in range(2):
            engine.wait = wait
            assert eventually(lambda: slack_of(worker) == 1)
            engine.wait = "poll"
            assert eventually(lambda: slack_of(worker) == usual)


@pytest.mark.parametrize("wait", ["timer", "adaptive"])
def test_the_timer_slack_of_a_captures_caller_stays(lab: Lab, wait: str) -> None:
    caller = threading.get_native_id()
    before = slack_of(caller)
    with Capture(lab.port, wait=wait) as capture:
        capture.recv(timeout=0.05)
        assert slack_of(caller) == before
    assert slack_of(caller) == before


@pytest.mark.parametrize("wait", ["uring-multishot", "uring-napi"])
def test_a_multishot_poll_is_armed_once_by_whoever_uses_it(lab: Lab, wait: str) -> None:
    with Engine(lab.port, wait=wait) as engine:
        engine.spin_microseconds = 0
        counters = capture(engine, lab, *holdable(wait, 2_000, 4_000))
    assert counters["wakeups"] > 1
    assert counters["rearms"] == 0


def test_a_oneshot_poll_is_armed_again_after_each_report(lab: Lab) -> None:
    with Engine(lab.port, wait="uring-oneshot", ring_size=DEEP_RING) as engine:
        counters = capture(engine, lab, 10_000)
    assert counters["wakeups"] > 1
    assert counters["wakeups"] - 1 <= counters["rearms"] <= counters["wakeups"]


@pytest.mark.kernel  # which sends; on the soft NIC it only wakes the wire
def test_what_a_submission_thread_sends_takes_its_time_and_not_the_workers(lab: Lab) -> None:
    with Engine(lab.port, wait="uring-sqpoll", ring_size=DEEP_RING) as engine:
        dropping = capture(engine, lab, 10_000)
        engine.action = "reflect"
        reflecting = capture(engine, lab, 10_000)
    # The worker makes a call only where it finds the thread asleep.
    assert calls(reflecting).get("io_uring_enter", 0) <= reflecting["kicks"]
    assert reflecting["sqpoll_ns"] > dropping["sqpoll_ns"]
    assert reflecting["idle_ns"] > dropping["idle_ns"]


@pytest.mark.parametrize("wait", WAIT_STRATEGIES)
def test_a_kick_goes_the_way_of_the_strategy(lab: Lab, wait: str) -> None:
    with Engine(lab.port, wait=wait, action="reflect", ring_size=DEEP_RING) as engine:
        engine.spin_microseconds = 0
        count = int(capture(engine, lab, *holdable(wait, 2_000, 4_000))["rx_packets"])
        assert eventually(lambda: engine.telemetry.counters()["completion_consumer"] == count)
        counters = settled(engine)
    made = calls(counters)
    assert counters["tx_consumer"] == counters["tx_packets"] == count
    assert 0 < counters["kicks"] <= count
    if "uring" not in wait:
        assert made["sendto"] == counters["kicks"]
        assert "io_uring_enter" not in made
    elif wait == "uring-sqpoll":
        # The worker makes a call only where it finds the submission thread asleep.
        assert made.get("io_uring_enter", 0) <= counters["kicks"]
        assert "sendto" not in made
    else:
        # One for each kick, and one for each sleep.
        slept = counters["wakeups"] + counters["timeouts"]
        assert made["io_uring_enter"] == counters["kicks"] + slept
        assert "sendto" not in made


@pytest.mark.parametrize("wait", WAIT_STRATEGIES)
def test_a_stream_of_ones_own_is_sent_the_same_way(lab: Lab, wait: str) -> None:
    stream = Stream(lab.port, rate=10_000, count=2_000)
    with (
        Engine(lab.port, inspect=True, ring_size=DEEP_RING) as receiver,
        Engine(lab.peer, stream=stream, wait=wait) as sender,
    ):
        assert eventually(lambda: receiver.telemetry.counters()["stream_frames"] == 2_000)
        received = receiver.telemetry.counters()
        assert eventually(lambda: sender.telemetry.counters()["completion_consumer"] == 2_000)
        assert sender.telemetry.counters()["tx_packets"] == 2_000
    assert received["stream_missing"] == received["stream_late"] == 0


def test_adaptive_learns_when_packets_are_due_and_is_awake_then(lab: Lab) -> None:
    with Engine(lab.port, wait="adaptive", ring_size=DEEP_RING) as engine:
        engine.spin_microseconds = 100_000  # far more than a busy machine disturbs the gaps
        capture(engine, lab, 1_000, rate=HOLDABLE_RATE)
        before = settled(engine)
        after = capture(engine, lab, 20_000, rate=HOLDABLE_RATE)
    assert after["wakeups"] - before["wakeups"] < 10_000
    assert after["idle_ns"] > before["idle_ns"]


@pytest.mark.parametrize(("knob", "value"), [("spin_microseconds", 0), ("spin_share", 0)])
def test_adaptive_never_spins_if_told(lab: Lab, knob: str, value: int) -> None:
    with Engine(lab.port, wait="adaptive") as engine:
        capture(engine, lab, 1_000, rate=2_000)
        setattr(engine, knob, value)
        before = settled(engine)
        after = capture(engine, lab, 1_000, rate=2_000)
    assert after["idle_ns"] == before["idle_ns"]
    assert after["wakeups"] > before["wakeups"]


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_adaptive_spins_for_no_more_than_its_share(lab: Lab, share: float) -> None:
    stretch = 10_000_000  # ns over which the share is reckoned: LONGEST_STRETCH_NS
    with (
        Engine(lab.port, wait="adaptive", ring_size=DEEP_RING) as engine,
        Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE) as traffic,
    ):
        engine.spin_microseconds = 1_000_000
        engine.spin_share = share
        before = settled(engine)
        time.sleep(1)
        after = settled(engine)
        assert traffic.running
    spun = int(after["idle_ns"] - before["idle_ns"])
    passed = int(after["time_ns"] - before["time_ns"])
    # A turn that ends with a packet is counted as spinning, too: a twentieth covers them.
    assert 0 < spun < (share + 0.05) * passed + 2 * stretch


@pytest.mark.kernel  # which has veth
def test_busy_poll_says_on_veth_that_it_can_do_nothing_and_what_would_help(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        assert set(engine.wait_ineffective) == INEFFECTIVE_ON_VETH
        assert engine.wait_note == ""
        with pytest.warns(UserWarning, match=r"wait='busy-poll' is ineffective here.*Use spin"):
            engine.wait = "busy-poll"
        assert engine.wait == "busy-poll"
        assert "NAPI" in engine.wait_note
        measurement, _ = measure(engine, Traffic(lab.peer, lab.port, rate=1000, count=10), 0.1)
        engine.wait = "spin"
        assert engine.wait_note == ""
    assert not measurement.as_dict()["wait_effective"]
    assert measurement.as_dict()["wait_note"] == _reason(_summary(measurement))


def _reason(summary: str) -> str:
    return summary.rpartition("wait=busy-poll is ineffective here: ")[2]


def asked(engine: Engine) -> int:
    """Count the calls of a strategy that is taken up, as it is when the worker first waits."""
    assert eventually(lambda: "settings" in calls(engine.telemetry.counters()))
    return calls(settled(engine))["settings"]


def test_what_busy_poll_asks_of_the_socket_follows_its_knobs_and_is_taken_back(lab: Lab) -> None:
    with Engine(lab.port, wait="busy-poll") as engine:
        before = asked(engine)
        engine.busy_poll_budget = 8
        assert eventually(lambda: calls(engine.telemetry.counters())["settings"] > before)
        again = calls(settled(engine))["settings"]
        assert again == 2 * before
        engine.wait = "poll"
        assert eventually(lambda: calls(engine.telemetry.counters())["settings"] == 3 * before)


@pytest.mark.parametrize("wait", ["epoll-napi", "irq-suspend"])
def test_what_epoll_is_told_of_busy_polling_follows_its_knobs(lab: Lab, wait: str) -> None:
    with Engine(lab.port, wait=wait) as engine:
        before = asked(engine)
        engine.busy_poll_budget = 8
        assert eventually(lambda: calls(engine.telemetry.counters())["settings"] == before + 1)
        engine.busy_poll_microseconds = 200
        after = before + 1 + (wait == "epoll-napi")
        assert eventually(lambda: calls(engine.telemetry.counters())["settings"] == after)
        assert calls(settled(engine))["settings"] == after


@pytest.mark.kernel  # which has veth
@pytest.mark.parametrize("wait", sorted(INEFFECTIVE_ON_VETH))
def test_a_strategy_without_napi_says_what_to_use_instead(lab: Lab, wait: str) -> None:
    with Engine(lab.port) as engine:
        reason = engine.wait_ineffective[wait]
    assert "NAPI" in reason
    assert re.search(r"Use (spin|that|epoll)\b", reason)


@pytest.mark.kernel  # which has NAPI
def test_uring_napi_drives_the_napi_of_its_queue(privileged: None) -> None:
    with Lab(queues=2) as lab, Engine(lab.port, queue=1, wait="uring-napi") as engine:
        assert "uring-napi" not in engine.wait_ineffective
        before = asked(engine)
        engine.busy_poll_microseconds = 200
        assert eventually(lambda: calls(engine.telemetry.counters())["settings"] == 2 * before)


@pytest.mark.kernel  # likewise
@pytest.mark.alone  # polls for at most 10 ms: a worker that has lost its core sleeps then
@pytest.mark.parametrize("wait", ["uring-napi", "uring-multishot"])
def test_uring_napi_waits_for_packets_without_leaving_its_core(lab: Lab, wait: str) -> None:
    with (
        Engine(lab.port, wait=wait) as engine,
        Traffic(lab.peer, lab.port, rate=2_000) as traffic,
    ):
        engine.busy_poll_microseconds = 10_000
        traffic.start()

        def sleeps() -> bool:
            before = settled(engine)
            assert eventually(lambda: settled(engine)["wakeups"] > before["wakeups"] + 100)
            after = settled(engine)
            slept = after["voluntary_switches"] - before["voluntary_switches"]
            return bool(slept > (after["wakeups"] - before["wakeups"]) / 2)

        # A busy machine takes the core from the worker or from the generator, but not always.
        assert eventually(lambda: sleeps() == (wait == "uring-multishot"))


@pytest.mark.parametrize(
    ("knob", "least", "most"),
    [
        ("spin_microseconds", 0, 1_000_000),
        ("spin_share", 0, 1),
        ("busy_poll_microseconds", 1, 10_000),
        ("busy_poll_budget", 1, 65_535),
        ("timer_microseconds", 1, 10_000),
    ],
)
def test_a_strategys_knob_keeps_to_its_bounds(lab: Lab, knob: str, least: int, most: int) -> None:
    with Engine(lab.port) as engine:
        for value in (least, most):
            setattr(engine, knob, value)
            assert getattr(engine, knob) == value
        for value in (least - 1, most + 1, 1.5):
            with pytest.raises(ConfigurationError, match=f"{knob}={re.escape(str(value))} must be"):
                setattr(engine, knob, value)
        assert getattr(engine, knob) == most


ALL_BUT_NAPI = tuple(wait for wait in WAIT_STRATEGIES if wait != "uring-napi")


@pytest.mark.parametrize("waits", [ALL_BUT_NAPI, WAIT_STRATEGIES], ids=["all-but-napi", "all"])
def test_a_thousand_switches_at_random_lose_repeat_and_reorder_nothing(
    lab: Lab, waits: tuple[str, ...]
) -> None:
    dice = random.Random(2)
    with Engine(lab.port, ring_size=DEEP_RING, inspect=True) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE)
        ledger = Ledger(engine, traffic)
        with traffic:
            for _ in range(1_000):
                engine.wait = dice.choice(waits)
                time.sleep(dice.choice([0, 0.001, 0.003]))
        account = ledger.settle(30)
        counters = engine.telemetry.counters()
        assert engine.error is None
    lost = lost_on_the_wire(account, *waits)
    assert account.balanced
    assert counters["stream_frames"] == counters["rx_packets"] == traffic.sent - lost > 0
    assert counters["stream_missing"] <= lost
    assert counters["stream_late"] == 0


_WITHOUT_IO_URING = """
import ctypes, struct, sys
# Classic BPF: load the number of the system call; io_uring_setup gets EPERM, all else passes.
SETUP, LOAD, EQUAL, RETURN = 425, 0x20, 0x15, 0x06
rules = [(LOAD, 0, 0, 0), (EQUAL, 0, 1, SETUP), (RETURN, 0, 0, 0x50001), (RETURN, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(rules), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0

from xdplab import WAIT_STRATEGIES, Engine, Lab, PermissionRefusedError, Traffic
import time
with Lab() as lab, Engine(lab.port) as engine:
    for wait in WAIT_STRATEGIES:
        try:
            engine.wait = wait
        except PermissionRefusedError as error:
            print(f"{wait}: {error}")
            continue
        before = engine.telemetry.counters()["rx_packets"]
        Traffic(lab.peer, lab.port, rate=10_000, count=100).start().wait(30)
        deadline = time.monotonic() + 30
        while engine.telemetry.counters()["rx_packets"] < before + 100:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        print(f"{wait}: captured")
"""


def test_where_io_uring_is_refused_the_other_strategies_work(privileged: None) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _WITHOUT_IO_URING],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert tuple(lines) == WAIT_STRATEGIES, done.stderr
    for wait, said in lines.items():
        if "uring" in wait:
            assert re.search(r"EPERM.*seccomp filter refuses io_uring.*wait='poll'", said)
        else:
            assert said == "captured"


def test_an_engine_leaves_no_descriptor_and_no_thread_of_the_kernels(lab: Lab) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def kernel_threads() -> set[int]:
        found = {number for number, name in threads_of().items() if name.startswith("iou-")}
        return found - others

    gc.collect()  # what other tests left, which would be closed meanwhile
    others: set[int] = set()  # of an engine that another test left in its handler
    before, others = descriptors(), kernel_threads()
    for wait in WAIT_STRATEGIES:
        with Engine(lab.port, wait=wait):
            assert kernel_threads()
    assert descriptors() == before
    # The kernel ends a submission thread in its own time.
    assert eventually(lambda: not kernel_threads())
