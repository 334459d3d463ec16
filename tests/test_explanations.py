"""Each explanation of a ledger: the loss is provoked, its remedy is typed, and the loss is gone."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.explained import code, words_of
from support.napi import thread_napi
from support.typed_remedies import commands, shell
from support.waiting import eventually
from support.xskmaps import TO_SOCKET, steering

from xdplab import Engine, Lab, Ledger, Memory, Program, Stream, Traffic, Worker
from xdplab.ledger.account import Account, Stage
from xdplab.ledger.lines import Line

Trial = Callable[..., None]

TRIALS: dict[Line, list[Trial]] = {}
"""What provokes the losses of a line, and types what its words say."""

ELSEWHERE: dict[Line, tuple[str, str]] = {
    Line.ASKED: (
        "test_ledger",
        "test_what_was_asked_stands_beside_what_was_sent_where_that_was_less",
    ),
    Line.TOO_LARGE: (
        "test_large_frames",
        "test_the_advice_for_a_packet_that_is_too_large_lets_it_through",
    ),
    Line.TOO_MANY: (
        "test_large_frames",
        "test_the_advice_for_a_packet_that_is_too_large_lets_it_through",
    ),
    Line.HANDLER_REFUSED: (
        "test_handlers",
        "test_what_an_engine_can_not_do_is_dropped_counted_and_told",
    ),
    Line.HANDLER_UNKNOWN: (
        "test_handlers",
        "test_what_an_engine_can_not_do_is_dropped_counted_and_told",
    ),
    Line.FINISHED: ("test_plain_veth", "test_the_remedy_that_the_ledger_names_works_as_typed"),
    Line.UNFINISHED: ("test_plain_veth", "test_the_remedy_that_the_ledger_names_works_as_typed"),
    Line.LEFT_TO_DEVICE: (
        "test_plain_veth",
        "test_what_is_left_to_the_device_arrives_and_the_worker_does_not_finish_it",
    ),
    Line.OVERSIZED: (
        "test_plain_veth",
        "test_packets_longer_than_the_mtu_are_told_with_the_remedy",
    ),
}
"""Lines whose words another test types: in which module, and its name."""

NOT_HERE: dict[Line, str] = {
    Line.RX_CLOSED: "a worker that can't empty its ring in a second, while a link goes up again",
    Line.TX_CLOSED: "the link has to go up between two calls within engine.reconfigure()",
}
"""Lines whose loss can't be provoked by what a user types, and what it takes."""

RATE = 20_000


def explains(line: Line) -> Callable[[Trial], Trial]:
    """Mark a test as the trial of a line's words."""

    def mark(trial: Trial) -> Trial:
        TRIALS.setdefault(line, []).append(trial)
        return trial

    return mark


class Bench:
    """A lab, and what one types at it: arguments that a call names are added to one's own."""

    def __init__(self, lab: Lab, **settings: Any) -> None:
        self.lab, self.settings = lab, settings
        self.engine = Engine(lab.port, **settings)
        self.traffic: Traffic | None = None

    def another_engine(self, **settings: Any) -> Engine:
        """Make the engine anew, running if it was."""
        running = self.engine.running
        self.engine.close()
        self.engine = Engine(self.lab.port, **{**self.settings, **settings})
        return self.engine.start() if running else self.engine

    def another_traffic(self, **settings: Any) -> Traffic:
        """Make the generator anew."""
        if self.traffic is not None:
            self.traffic.close()
        self.traffic = Traffic(self.lab.peer, self.lab.port, **{"rate": RATE, **settings})
        return self.traffic

    def send(self, count: int = 2000) -> Account:
        """Send frames, and return the account of them."""
        assert self.traffic is not None
        ledger = Ledger(self.engine, self.traffic)
        before = self.traffic.sent
        self.traffic.start()
        assert eventually(lambda: self.traffic.sent - before >= count)
        self.traffic.stop()
        account = ledger.settle(10)
        assert account.balanced, account
        return account

    def type(self, words: str) -> None:
        """Type a line of Python."""
        names = {
            "engine": self.engine,
            "traffic": self.traffic,
            "lab": self.lab,
            "Engine": self.another_engine,
            "Traffic": self.another_traffic,
            "Memory": Memory,
            "Worker": Worker,
        }
        exec(words, names)

    def close(self) -> None:
        """Close engine and generator."""
        if self.traffic is not None:
            self.traffic.close()
        self.engine.close()


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(lab: Lab, **settings: Any) -> Bench:
        made.append(Bench(lab, **settings))
        made[-1].another_traffic()
        return made[-1]

    yield make
    for each in made:
        each.close()


Make = Callable[..., Bench]


def test_every_line_of_losses_has_a_trial() -> None:
    told = {line for line in Line if Stage(line, 1).lost or Stage(line, 1).note}
    assert told == TRIALS.keys() | ELSEWHERE.keys() | NOT_HERE.keys()
    assert not NOT_HERE.keys() & (TRIALS.keys() | ELSEWHERE.keys())
    for module, name in ELSEWHERE.values():
        assert hasattr(importlib.import_module(module), name)


@explains(Line.TOO_LONG)
@pytest.mark.parametrize("number", [0, 1])
def test_frames_longer_than_the_mtu(privileged: None, bench: Make, number: int) -> None:
    with Lab(mtu=1280) as lab:
        table = bench(lab)
        table.another_traffic(size=1514)
        remedies = code(words_of(table.send(), Line.TOO_LONG))
        assert len(remedies) == 2
        if remedies[number].startswith("Traffic"):
            table.type(remedies[number])
            assert not table.send().packets(Line.TOO_LONG)
        table.close()
    if remedies[number].startswith("Lab"):
        with eval(remedies[number]) as larger:
            table = bench(larger)
            table.another_traffic(size=1514)
            assert not table.send().packets(Line.TOO_LONG)
            table.close()


@explains(Line.WIRE_FULL)
@pytest.mark.kernel
@pytest.mark.privilege
@pytest.mark.alone  # a thread that takes frames off a wire of 256 must not wait for a core
@pytest.mark.parametrize("number", [0, 1])
def test_a_full_wire(lab: Lab, bench: Make, number: int) -> None:
    table = bench(lab, ring_size=1 << 15)
    thread_napi(lab.port)
    table.another_traffic(rate="max")
    words = words_of(table.send(200_000), Line.WIRE_FULL)
    slower, unthreaded = code(words)
    assert slower.startswith("traffic.rate")
    table.type((slower, unthreaded)[number])
    assert not table.send(2000 if number == 0 else 200_000).packets(Line.WIRE_FULL)


@explains(Line.PROGRAM_DROPPED)
@pytest.mark.kernel
def test_packets_that_a_program_of_ones_own_dropped(lab: Lab, bench: Make) -> None:
    drops = "if (bpf_xdp_get_buff_len(context) == 100) return XDP_DROP;"
    with Program(steering(f"{drops} {TO_SOCKET}"), lab.port) as own:
        table = bench(lab, program=own)
        table.another_traffic(size=100)
        (call,) = code(words_of(table.send(), Line.PROGRAM_DROPPED))
        assert eval(call, {"program": own, "frame": bytes(100)})[0].verdict == "DROP"
        table.another_traffic(size=101)
        assert not table.send().packets(Line.PROGRAM_DROPPED)
        table.close()


@explains(Line.RECONFIGURING)
def test_what_came_during_a_reconfiguration(lab: Lab, bench: Make) -> None:
    table = bench(lab)
    ledger = Ledger(table.engine, table.traffic)
    table.type("traffic.start()")
    while Line.RECONFIGURING not in {line.stage for line in ledger.read().stages}:
        # Once more, where the generator had lost its core meanwhile.
        table.type("engine.reconfigure(ring_size=1024)")
    table.type("traffic.stop()")
    change, stop, start, at_once = code(words_of(ledger.settle(10), Line.RECONFIGURING))
    ledger = Ledger(table.engine, table.traffic)
    table.type("traffic.start()")
    for typed in (stop, change, start, stop):
        table.type(typed)
    account = ledger.settle(10)
    assert account.balanced
    assert Line.RECONFIGURING not in {line.stage for line in account.stages}
    table.type(at_once)
    assert table.engine.ring_size == 1024


@explains(Line.NO_SOCKET)
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("queue", [0, 1])
def test_packets_on_a_queue_without_an_engine(
    privileged: None, bench: Make, number: int, queue: int
) -> None:
    with Lab(queues=2) as lab:
        table = bench(lab, queue=queue)
        table.another_traffic(cpu=1 - queue)
        remedies = code(words_of(table.send(), Line.NO_SOCKET))
        assert len(remedies) == 2
        table.type(remedies[number])
        table.engine.start()
        account = table.send()
        assert not account.packets(Line.NO_SOCKET)
        assert account.packets(Line.RECEIVED) >= 2000
        table.close()


@explains(Line.RING_FULL)
def test_a_ring_that_a_stopped_worker_filled(lab: Lab, bench: Make) -> None:
    table = bench(lab, ring_size=512)
    (start,) = code(words_of(table.send(), Line.RING_FULL))
    ledger = Ledger(table.engine)
    table.type(start)
    account = ledger.settle(10)
    assert account.packets(Line.RECEIVED) == 512
    (larger,) = code(words_of(account_of_a_stop(table), Line.RING_FULL))
    table.type(larger)
    assert not account_of_a_stop(table).packets(Line.RING_FULL)


def account_of_a_stop(table: Bench) -> Account:
    """Send 1,000 frames to a stopped worker, and start it then."""
    ledger = Ledger(table.engine, table.another_traffic(count=1000))
    table.engine.stop()
    table.send(1000)
    table.engine.start()
    return ledger.settle(10)


@explains(Line.RING_FULL)
@pytest.mark.parametrize("number", [0, 1])
def test_a_ring_that_filled_while_the_worker_slept_by_its_timer(
    lab: Lab, bench: Make, number: int
) -> None:
    table = bench(lab, ring_size=128, wait="timer")
    table.engine.start().timer_microseconds = 10_000
    table.another_traffic()
    said = [""]

    def blames_the_sleep() -> bool:
        """Send once more: where others have the core for most of the time, it says that instead."""
        account = table.send()
        said.append(words_of(account, Line.RING_FULL) if account.packets(Line.RING_FULL) else "")
        return "engine.timer_microseconds" in said[-1]

    assert eventually(blames_the_sleep), said
    shorter, larger = code(said[-1])
    table.type((shorter, larger)[number])
    assert (table.engine.timer_microseconds, table.engine.ring_size) != (10_000, 128)
    assert eventually(lambda: not blames_the_sleep()), said


@explains(Line.RING_FULL)
def test_a_ring_that_a_paced_worker_did_not_empty(lab: Lab, bench: Make) -> None:
    table = bench(lab, ring_size=512)
    table.engine.start().pace = 0.5
    (unpaced,) = code(words_of(table.send(), Line.RING_FULL))
    table.type(unpaced)
    assert table.engine.pace == 0
    ledger = Ledger(table.engine)
    assert eventually(lambda: not ledger.read().packets(Line.WAITING))
    table.engine.reconfigure(ring_size=8192)  # or a moment without its core fills it
    table.another_traffic(count=2000)
    assert not table.send().packets(Line.RING_FULL)


@explains(Line.RING_FULL)
@explains(Line.NO_FILL)
@explains(Line.TX_INVALID)
@pytest.mark.parametrize("side", ["port", "peer"])
@pytest.mark.parametrize("line", [Line.RING_FULL, Line.NO_FILL, Line.TX_INVALID])
def test_a_loss_that_a_simulated_card_was_told_to_have(line: Line, side: str) -> None:
    faults = {
        Line.RING_FULL: "ring_full_every",
        Line.NO_FILL: "no_fill_every",
        Line.TX_INVALID: "bad_descriptor_every",
    }
    with Lab(backend="soft") as lab:
        here, there = (lab.port, lab.peer) if side == "port" else (lab.peer, lab.port)
        setattr(here.faults, faults[line], 10)
        with Engine(here, action="reflect", ring_size=8192) as engine:

            def send() -> Account:
                traffic = Traffic(there, here, rate=RATE, count=1000)
                ledger = Ledger(engine, traffic)
                assert traffic.start().wait(30)
                account = ledger.settle(10)
                traffic.close()
                return account

            (off,) = code(words_of(send(), line))
            exec(off, {"lab": lab})
            assert not send().packets(line)


@explains(Line.TX_DROPPED)
@pytest.mark.kernel
@pytest.mark.privilege
@pytest.mark.alone  # likewise
@pytest.mark.parametrize("number", [0, 1])
def test_a_far_end_that_does_not_take_what_is_sent(lab: Lab, number: int) -> None:
    thread_napi(lab.peer)

    def send(rate: object) -> tuple[Engine, Account]:
        engine = Engine(lab.port, stream=Stream(lab.peer, seconds=0.3))
        ledger = engine.ledger()
        if rate:
            exec(str(rate), {"engine": engine})
        engine.start()
        assert eventually(lambda: engine.telemetry.total()["streams"])
        assert eventually(lambda: not engine.telemetry.total()["streams"])
        account = ledger.settle(10)
        engine.close()
        return engine, account

    _, account = send(None)
    words = words_of(account, Line.TX_DROPPED)
    (slower,), (queueing,) = code(words), commands(words)
    if number == 0:
        _, account = send(slower)
    else:
        shell(queueing)
        _, account = send(None)
    assert not account.packets(Line.TX_DROPPED)
