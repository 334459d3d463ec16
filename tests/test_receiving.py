"""Every way to receive in Python gives every packet once, in order, and says when it can't."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from support.batches import consecutive, numbers
from support.child_programs import line, python
from support.loads import HOLDABLE_RATE, RING, WIRE
from support.waiting import eventually

from xdplab import (
    WAIT_STRATEGIES,
    Capture,
    ClosedError,
    ConfigurationError,
    Engine,
    InterfaceGoneError,
    Lab,
    Traffic,
)
from xdplab.capture.batch import Batch
from xdplab.capture.receiver import Receiver

# Some strategies can do nothing on veth, and say so; they deliver nonetheless.
pytestmark = pytest.mark.filterwarnings("ignore:.* is ineffective here")

COUNT = 2000  # less than a ring, so that none is lost while a busy machine does something else
PATIENCE = 30


def by_trying(receiver: Receiver | Capture) -> Iterator[Batch]:
    while True:
        yield receiver.try_recv()


def by_waiting(receiver: Receiver | Capture) -> Iterator[Batch]:
    while True:
        yield receiver.recv(timeout=0.01)


def by_iterating(receiver: Receiver | Capture) -> Iterator[Batch]:
    yield from receiver


PATTERNS = (by_trying, by_waiting, by_iterating)


@contextmanager
def sent(lab: Lab, count: int = COUNT) -> Iterator[Traffic]:
    with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, count=count) as traffic:
        yield traffic


def received(batches: Iterator[Batch], count: int = COUNT) -> list[int]:
    found: list[int] = []
    deadline = time.monotonic() + PATIENCE
    for batch in batches:
        found += numbers(batch)
        if len(found) >= count or time.monotonic() > deadline:
            break
    return found


@pytest.mark.parametrize("pattern", PATTERNS)
def test_each_pattern_gives_every_packet_once_and_in_order(
    lab: Lab, pattern: Callable[[Capture], Iterator[Batch]]
) -> None:
    with Capture(lab.port, ring_size=RING) as capture:
        ledger = capture.ledger()
        with sent(lab):
            assert consecutive(received(pattern(capture)), COUNT)
        assert not len(capture.try_recv())
        account = ledger.settle(30)
        assert account.packets("received by the worker") == COUNT
        assert account.unaccounted == 0


@pytest.mark.parametrize("wait", WAIT_STRATEGIES)
def test_each_wait_strategy_wakes_a_caller(lab: Lab, wait: str) -> None:
    with Capture(lab.port, wait=wait, ring_size=RING) as capture:
        assert not len(capture.recv(timeout=0.05))
        count = WIRE if wait == "uring-napi" else COUNT
        with sent(lab, count):
            assert consecutive(received(iter(capture), count), count)


def test_knobs_take_effect_on_the_next_batch(lab: Lab) -> None:
    with Capture(lab.port, batch=64, ring_size=RING) as capture, sent(lab) as traffic:
        traffic.wait()
        assert len(capture.recv()) == 64
        capture.batch = 7
        assert len(capture.recv()) == 7
        capture.wait = "spin"
        capture.recv()
        assert eventually(lambda: len(capture.recv(0)) == 0)
        assert eventually(lambda: capture.recv(0.05) is not None and capture.wait == "spin")


def test_a_function_is_called_with_each_batch_on_its_own_thread(lab: Lab) -> None:
    found: list[int] = []
    threads: set[int] = set()

    def take(batch: Batch) -> None:
        found.extend(numbers(batch))
        threads.add(threading.get_ident())

    with Capture(lab.port, ring_size=RING) as capture:
        with capture.on_batch(take) as running, sent(lab):
            assert eventually(lambda: len(found) >= COUNT)
            assert running.running
        assert not running.running
        assert consecutive(found, COUNT)
        assert threads.isdisjoint({threading.get_ident()})
        with sent(lab, 1):
            assert len(capture.recv(PATIENCE)) == 1  # again by this thread


def test_what_a_function_raises_is_raised_where_it_was_begun(lab: Lab) -> None:
    def fail(_batch: Batch) -> None:
        raise LookupError("no such host")

    with Capture(lab.port) as capture, sent(lab, 1):
        calling = capture.on_batch(fail)
        assert eventually(lambda: not calling.running)
        with pytest.raises(LookupError, match="no such host"):
            calling.stop()


def test_each_queue_has_a_receiver_for_a_thread_of_its_own(privileged: None) -> None:
    with Lab(queues=2) as lab, Capture(lab.port, queue=[0, 1], ring_size=RING) as capture:
        with pytest.raises(ConfigurationError, match=r"capture\.receivers\[0\]\.recv\(\)"):
            capture.recv()
        with sent(lab):
            found = [0, 0]

            def take(number: int) -> None:
                while sum(found) < COUNT:
                    batch = capture.receivers[number].recv(timeout=0.1)
                    assert set(batch.queues) <= {number}
                    found[number] += len(batch)

            threads = [threading.Thread(target=take, args=(number,)) for number in (0, 1)]
            for each in threads:
                each.start()
            for each in threads:
                each.join(PATIENCE)
        assert sum(found) == COUNT


def test_a_queue_takes_one_call_at_a_time(lab: Lab) -> None:
    with Capture(lab.port) as capture:
        waiting = threading.Thread(target=capture.recv)
        waiting.start()
        assert eventually(lambda: capture.receivers[0]._gate.in_call)
        with pytest.raises(ConfigurationError, match="in use by another thread"):
            capture.try_recv()
        with sent(lab, 1):
            waiting.join(PATIENCE)
        assert not waiting.is_alive()


def test_who_receives_is_not_disturbed_by_looks_and_changes(lab: Lab) -> None:
    found: list[int] = []
    with Capture(lab.port, ring_size=RING) as capture:
        ledger = capture.ledger()
        with capture.on_batch(lambda batch: found.extend(numbers(batch))) as calling:
            with sent(lab):
                while len(found) < COUNT and calling.running:
                    capture.refresh()
                    capture.filter("udp")
                    ledger.read()
            capture.reconfigure(ring_size=RING // 2)
            with sent(lab):
                assert eventually(lambda: len(found) >= 2 * COUNT or not calling.running)
        assert found == [*range(COUNT), *range(COUNT)]


def test_closing_ends_what_waits_and_refuses_what_comes(lab: Lab) -> None:
    capture = Capture(lab.port)
    ends: list[object] = []

    def wait() -> None:
        ends.append([len(batch) for batch in capture])

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.05)
    capture.close()
    waiting.join(PATIENCE)
    assert ends == [[]]
    for call in (capture.recv, capture.try_recv, lambda: capture.send([])):
        with pytest.raises(ClosedError, match=r"Capture\(lab\.port\)"):
            call()
    assert list(capture) == []


RECEIVES_FOR_EVER = """
import threading
from xdplab import Capture, Lab, Traffic
lab = Lab()
capture = Capture(lab.port)
first = threading.Event()
calling = capture.on_batch(lambda batch: first.set())
traffic = Traffic(lab.peer, lab.port, rate=1000)
traffic.start()
assert first.wait(30)
print("received", flush=True)
"""


def test_a_process_may_end_amid_a_call(privileged: None) -> None:
    with python(RECEIVES_FOR_EVER) as process:
        assert line(process) == "received"
        assert process.wait(PATIENCE) == 0


def test_an_interrupt_ends_the_wait_and_loses_nothing(lab: Lab) -> None:
    with Capture(lab.port, ring_size=RING) as capture:

        def interrupt() -> None:
            eventually(lambda: capture.receivers[0]._gate.in_call)
            signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            threading.Thread(target=interrupt).start()
            capture.recv()
        with sent(lab):
            assert consecutive(received(iter(capture)), COUNT)


def test_only_a_capture_delivers_and_it_does_nothing_else(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match=r"make a Capture\(interface\)"):
        Engine(lab.port, action="deliver")
    with Capture(lab.port) as capture:
        with pytest.raises(ConfigurationError, match="only action is 'deliver'"):
            capture.action = "drop"
        with pytest.raises(ConfigurationError, match="no worker that could be stopped"):
            capture.stop()
        assert capture.start() is capture
        assert capture.running
        assert "Capture on" in repr(capture)


def test_new_sockets_go_on_where_the_old_ones_were(lab: Lab) -> None:
    with Capture(lab.port, ring_size=RING) as capture:
        with sent(lab):
            assert consecutive(received(iter(capture)), COUNT)
        capture.reconfigure(ring_size=RING // 2)
        with sent(lab):
            assert consecutive(received(iter(capture)), COUNT)


@pytest.mark.kernel
@pytest.mark.privilege
def test_an_interface_that_is_gone_ends_a_capture_with_the_reason(lab: Lab) -> None:
    with Capture(lab.port) as capture:
        assert lab.peer.command(["ip", "link", "del", "peer0"]).returncode == 0
        with pytest.raises(InterfaceGoneError, match="go on capturing"):
            while True:
                capture.recv(timeout=1)
        assert capture.state == "ended"
