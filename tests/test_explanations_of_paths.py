"""What else a ledger explains, of sockets' buffers, cores and what waits: typed as it stands."""

from __future__ import annotations

import re

import pytest
from support.explained import code, words_of
from support.waiting import eventually

from xdplab import Engine, Lab, Ledger, Memory, Stream, Traffic
from xdplab.ledger.account import Account
from xdplab.ledger.lines import Line

RATE = 20_000
BUFFER = 1 << 17  # the smallest

each_path = pytest.mark.parametrize("path", ["udp-epoll", "packet"])


def send(lab: Lab, engine: Engine, count: int = 4000, stopped: bool = False) -> Account:
    """Send frames to an engine, which may be stopped meanwhile."""
    if stopped:
        engine.stop()
    with_others = Ledger(engine)
    with Traffic(lab.peer, lab.port, rate=RATE, count=count) as traffic:
        assert traffic.wait(30)
    if stopped:
        engine.start()
    return with_others.settle(10)


@pytest.mark.kernel
@each_path
def test_a_buffer_that_a_stopped_worker_left_full(lab: Lab, path: str) -> None:
    engine = Engine(lab.port, path=path, memory=Memory(socket_buffer=BUFFER))
    ledger = Ledger(engine)
    send(lab, engine)
    account = ledger.settle()
    (start,) = code(words_of(account, Line.RING_FULL))
    waiting = account.packets(Line.WAITING)
    assert f"{waiting:,} packets waiting in the socket" in account.explain()
    exec(start, {"engine": engine})
    assert ledger.settle(10).packets(Line.RECEIVED) == waiting
    (larger,) = code(words_of(send(lab, engine, stopped=True), Line.RING_FULL))
    engine.close()
    more: dict[str, Engine] = {}
    exec(
        f"made = {larger}",
        {"Engine": lambda **settings: Engine(lab.port, **settings), "Memory": Memory},
        more,
    )
    with more["made"] as engine:
        # What was too much for a buffer of this size is a fourth of it.
        assert not send(lab, engine, count=100, stopped=True).packets(Line.RING_FULL)
        after = send(lab, engine, stopped=True)
    assert after.packets(Line.RECEIVED) > 2 * waiting


@pytest.mark.kernel
@each_path
def test_a_buffer_that_a_paced_worker_left_full(lab: Lab, path: str) -> None:
    with Engine(lab.port, path=path, memory=Memory(socket_buffer=BUFFER)) as engine:
        engine.pace = 0.5
        ledger = Ledger(engine)
        with Traffic(lab.peer, lab.port, rate=RATE, count=4000) as traffic:
            assert traffic.wait(30)
        (unpaced,) = code(words_of(ledger.read(), Line.RING_FULL))
        assert unpaced == "engine.pace = 0"
        exec(unpaced, {"engine": engine})
        account = ledger.settle(10)
        assert account.balanced
        assert not account.packets(Line.WAITING)


def test_generator_and_worker_on_one_core(lab: Lab) -> None:
    with Engine(lab.port, cpu=0, ring_size=64, batch=16) as engine:
        traffic = Traffic(lab.peer, lab.port, cpu=0, seconds=0.3)
        ledger = Ledger(engine, traffic)
        assert traffic.start().wait(30)
        words = words_of(ledger.settle(10), Line.RING_FULL)
        assert "share core 0" in words
        apart, larger, slower = code(words)
        again = Ledger(engine, traffic)
        for typed in (apart, larger):
            exec(typed, {"engine": engine})
        assert engine.cpu != traffic.cpu
        exec(slower, {"traffic": traffic})
        assert traffic.start().wait(30)
        account = again.settle(10)
        assert account.packets(Line.RECEIVED) > 0
        assert "share core" not in account.explain()
        traffic.close()


def test_a_generator_that_was_not_started(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=500)
        ledger = Ledger(engine, traffic)
        (start,) = code(ledger.explain())
        exec(start, {"traffic": traffic})
        assert eventually(lambda: ledger.read().packets(Line.RECEIVED) > 0)
        sending = ledger.explain().partition("Still sending")[2]
        (stop,) = code(sending.partition("\n")[0])
        exec(stop, {"traffic": traffic})
        # On a busy machine it sent less than it was asked for, which is said as well.
        assert re.match(r"Every packet (that was sent )?arrived\.", ledger.explain())
        traffic.close()


def test_a_stream_that_goes_on_and_an_engine_that_is_stopped(lab: Lab) -> None:
    with Engine(lab.port, stream=Stream(lab.peer, rate=RATE)) as engine, Engine(lab.peer):
        ledger = Ledger(engine)
        (end,) = code(ledger.explain().partition("Still sending")[2])
        exec(end, {"engine": engine})
        assert eventually(lambda: "Still sending" not in ledger.explain())
        assert ledger.settle(10).balanced
    with Engine(lab.port) as engine:
        ledger = Ledger(engine)
        engine.stop()
        send(lab, engine, 100)
        (start,) = code(ledger.explain())
        exec(start, {"engine": engine})
        assert ledger.explain() == "Every packet arrived."


@pytest.mark.kernel
def test_an_attach_mode_that_was_changed(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        ledger = Ledger(engine)
        engine.reconfigure(attach="skb")
        (at_once,) = code(ledger.explain().partition("While attach changed")[2])
        engine.close()
    made: dict[str, Engine] = {}
    exec(f"made = {at_once}", {"Engine": lambda **settings: Engine(lab.port, **settings)}, made)
    with made["made"] as engine:
        assert "While attach changed" not in Ledger(engine).explain()
