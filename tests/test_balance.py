"""The ledger adds up to the packet whatever is done to the engine while packets flow."""

from __future__ import annotations

import re
import signal
import threading
import time
from contextlib import closing
from typing import Any

import pytest
from support.actions import act
from support.loads import DEEP_RING
from support.waiting import eventually

from xdplab import Engine, KernelError, Lab, Memory, Stream, Traffic
from xdplab.configuration.keywords import grouped
from xdplab.engine import reconfiguring
from xdplab.engine.native_engine import NativeEngine
from xdplab.ledger.account import Account
from xdplab.ledger.explain import explain
from xdplab.ledger.ledger import Ledger
from xdplab.ledger.lines import Line
from xdplab.ledger.situation import Situation

RATE = 20_000
MEANWHILE = "while it was reconfigured"


def some_flow(engine: Engine) -> None:
    """Wait until the engine has received some more packets."""
    before = engine.verdicts().redirected
    assert eventually(lambda: engine.verdicts().redirected > before + 100)


def came_meanwhile(ledger: Ledger) -> bool:
    """Tell whether packets came while the engine was reconfigured.

    On a busy machine a generator may lose its core for longer than that takes, so a test
    reconfigures until some did.
    """
    return any(line.stage == MEANWHILE and line.packets for line in ledger.read().stages)


def balance(ledger: Ledger, traffic: Traffic) -> Account:
    traffic.stop()
    account = ledger.settle(10)
    assert account.balanced, f"{account}\n{account.explain()}"
    return account


@pytest.mark.parametrize("action", ["drop", "reflect"])
@pytest.mark.parametrize(
    "change",
    [
        {"ring_size": 1024},
        {"frame_size": 4096, "headroom": 64},
        {"unaligned": True, "frame_size": 3000},
        pytest.param({"multi_buffer": True}, marks=pytest.mark.kernel),
        {"huge_pages": "auto"},
        {"bind": "copy"},
        {"attach": "skb"},
        {"cpu": 0},
    ],
)
def test_what_came_while_it_was_reconfigured_is_a_line_of_the_ledger(
    lab: Lab, action: str, change: dict[str, Any]
) -> None:
    with Engine(lab.port, action=action, ring_size=4096) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=RATE)
        ledger = engine.ledger(traffic)
        traffic.start()
        some_flow(engine)
        while not came_meanwhile(ledger):
            engine.reconfigure(**change)
        some_flow(engine)
        account = balance(ledger, traffic)
        assert account.packets("no socket on the queue") == 0
        words = account.explain()
        assert "made new sockets, and went to the stack" in words
        assert "queue=" not in words  # there is but one
        # What it advises is what was changed.
        advised = re.search(r"Engine\((.*?)\)\.", words)
        if advised:
            typed = eval(f"dict({advised[1]})", {"Memory": Memory})
            assert typed.items() <= grouped(change).items()
        traffic.close()


def test_several_reconfigurations_back_and_forth_add_up(lab: Lab) -> None:
    with Engine(lab.port, action="reflect") as engine:
        traffic = Traffic(lab.peer, lab.port, rate=RATE)
        ledger = engine.ledger(traffic)
        traffic.start()
        for change in ({"ring_size": 64}, {"attach": "skb"}, {"frame_size": 4096}, {"cpu": 0}):
            some_flow(engine)
            engine.reconfigure(**change)
        engine.reconfigure(attach="native", ring_size=4096)
        engine.stop()
        engine.reconfigure(ring_size=512)
        engine.start()
        while not came_meanwhile(ledger):
            engine.reconfigure(ring_size=256)
        some_flow(engine)
        assert balance(ledger, traffic).packets(MEANWHILE) > 0
        traffic.close()


def test_a_queue_that_is_left_is_named_and_the_rest_is_the_reconfigurations(
    privileged: None,
) -> None:
    with Lab(queues=2) as lab, Engine(lab.port, queue=0) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=RATE, cpu=0)
        ledger = engine.ledger(traffic)
        traffic.start()
        some_flow(engine)
        engine.reconfigure(queue=1)
        while not came_meanwhile(ledger):
            engine.reconfigure(queue=0)
            some_flow(engine)
            engine.reconfigure(queue=1)
        assert eventually(lambda: engine.verdicts().no_socket > 100)
        account = balance(ledger, traffic)
        assert account.packets(MEANWHILE) > 0
        assert account.packets("no socket on the queue") == engine.verdicts().no_socket
        assert "Engine(queue=[0, 1]) captures on all of them" in account.explain()
        traffic.close()


@pytest.mark.parametrize("refused", [{"bind": "zero-copy"}, {"frame_size": 3000}])
def test_a_refused_reconfiguration_adds_up(lab: Lab, refused: dict[str, Any]) -> None:
    with Engine(lab.port) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=RATE)
        ledger = engine.ledger(traffic)
        traffic.start()
        some_flow(engine)
        while not came_meanwhile(ledger):
            with pytest.raises(KernelError):
                engine.reconfigure(**refused)
        some_flow(engine)
        account = balance(ledger, traffic)
        assert "came while engine.reconfigure() made new sockets" in account.explain()
        traffic.close()


def test_an_interrupted_reconfiguration_adds_up(lab: Lab) -> None:
    with Engine(lab.port, action="reflect") as engine:
        traffic = Traffic(lab.peer, lab.port, rate=RATE)
        ledger = engine.ledger(traffic)
        traffic.start()
        for delay in (0.0, 0.01, 0.03, 0.06):
            some_flow(engine)
            main = threading.main_thread().ident or 0
            interrupt = threading.Timer(delay, signal.pthread_kill, (main, signal.SIGINT))
            with pytest.raises(KeyboardInterrupt):
                interrupt.start()
                engine.reconfigure(ring_size=1024)
                time.sleep(5)  # it was through already
        some_flow(engine)
        balance(ledger, traffic)
        traffic.close()


def test_a_ledger_that_begins_amid_a_reconfiguration_adds_up(lab: Lab) -> None:
    with Engine(lab.port) as engine, Traffic(lab.peer, lab.port, rate=RATE) as traffic:
        some_flow(engine)
        changing = threading.Thread(target=engine.reconfigure, kwargs={"ring_size": 1024})
        changing.start()
        ledger = engine.ledger(traffic)
        changing.join()
        some_flow(engine)
        balance(ledger, traffic)


def test_two_joined_interfaces_are_reconfigured_without_losing_count(privileged: None) -> None:
    with (
        Lab() as left,
        Lab(number=1) as right,
        Engine(left.port, forward_to=right.port) as engine,
    ):
        traffic = Traffic(left.peer, left.port, rate=RATE)
        back = Traffic(right.peer, right.port, rate=RATE)
        ledger = engine.ledger(traffic)
        traffic.start()
        back.start()
        some_flow(engine)
        while not came_meanwhile(ledger):
            engine.reconfigure(ring_size=1024)
        some_flow(engine)
        back.stop()
        account = balance(ledger, traffic)
        assert account.packets(MEANWHILE) > 0
        back.close()
        traffic.close()


def test_a_paced_engine_is_reconfigured_without_losing_count(lab: Lab) -> None:
    with Engine(lab.port, ring_size=1024, action="reflect") as engine:
        engine.pace = 0.05
        traffic = Traffic(lab.peer, lab.port, rate=RATE)
        ledger = engine.ledger(traffic)
        traffic.start()
        some_flow(engine)
        while not came_meanwhile(ledger):
            engine.reconfigure(ring_size=64)
        some_flow(engine)
        traffic.stop()
        engine.pace = 0
        assert balance(ledger, traffic).packets(MEANWHILE) > 0
        traffic.close()


def test_a_generating_engine_loses_no_frame_of_its_stream(lab: Lab) -> None:
    sender = Engine(lab.port, stream=Stream(lab.peer, rate=RATE))
    with Engine(lab.peer, ring_size=DEEP_RING) as receiver, closing(sender):
        ledger, arrivals = sender.ledger(), receiver.ledger()
        sender.start()
        some_flow(receiver)
        sender.reconfigure(ring_size=1024)
        some_flow(receiver)
        act(sender, "drop")
        account = ledger.settle(10)
        assert account.balanced, account
        handed = account.packets("handed to the TX ring")
        assert handed == account.packets("received at the far end")
        arrived = arrivals.settle(10)
        assert arrived.balanced, arrived
        assert arrived.packets("received by the worker") == handed


def test_a_stream_goes_on_where_it_was(lab: Lab) -> None:
    stream = Stream(lab.peer, rate=RATE, count=RATE // 2)
    with (
        Engine(lab.peer, inspect=True, ring_size=DEEP_RING) as receiver,
        Engine(lab.port, stream=stream) as sender,
    ):
        some_flow(receiver)
        sender.reconfigure(ring_size=1024)
        sender.reconfigure(frame_size=4096)
        sent = sender.telemetry.total
        assert eventually(lambda: sent()["tx_packets"] >= stream.count and not sent()["streams"])
        assert eventually(lambda: receiver.telemetry.total()["stream_frames"] >= stream.count)
        assert sent()["tx_packets"] == stream.count
        assert receiver.telemetry.total()["stream_missing"] == 0
        assert receiver.telemetry.total()["stream_late"] == 0


@pytest.mark.kernel
def test_frames_that_could_not_be_sent_before_the_ring_was_closed_are_told(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def set_link(state: str) -> None:
        assert lab.port.command(["ip", "link", "set", "port0", state]).returncode == 0

    def drain(engine: Engine, native: NativeEngine) -> None:
        usual(engine, native)
        set_link("up")  # or no socket could be bound

    usual = reconfiguring._drain
    monkeypatch.setattr(reconfiguring, "_drain", drain)
    with closing(Engine(lab.port, stream=Stream(lab.peer), ring_size=64)) as engine:
        ledger = engine.ledger()
        set_link("down")
        engine.start()
        assert eventually(lambda: engine.telemetry.total()["tx_producer"] == 63)
        engine.reconfigure(ring_size=128)
        engine.action = "drop"
        account = ledger.settle(10)
        assert account.balanced, account
        assert account.packets("in a TX ring that was closed") == 63
        assert "could not be sent by then" in account.explain()


def test_a_stream_that_is_still_sending_when_the_ledger_settles_is_named(lab: Lab) -> None:
    sender = Engine(lab.port, stream=Stream(lab.peer, rate=RATE))
    with Engine(lab.peer, ring_size=DEEP_RING) as receiver, closing(sender):
        ledger, arrivals = sender.ledger(), receiver.ledger()
        sender.start()
        some_flow(receiver)
        account = ledger.settle()
        assert "Still sending: its own Stream (engine.action = 'drop' ends it)" in account.explain()
        assert account.remainder == ("in flight" if account.unaccounted else "unaccounted")
        words = arrivals.explain()
        assert "Still sending: the Stream of the engine on port0" in words
        sender.action = "drop"  # its worker goes on, and sends what waits in the TX ring
        for each in (ledger, arrivals):
            account = each.settle(30)
            assert account.balanced, account
            # A busy machine may begin the second ledger late, which its words then say.
            assert account.explain().startswith("Every packet arrived.")


def test_a_generator_that_is_still_sending_is_named(lab: Lab) -> None:
    with Engine(lab.port) as engine, Traffic(lab.peer, lab.port, rate=RATE) as traffic:
        ledger = engine.ledger(traffic)
        assert "its generator (traffic.stop() ends it)" in ledger.explain()
        traffic.stop()
        assert "Still sending" not in balance(ledger, traffic).explain()


def test_nobody_is_told_to_take_queues_that_there_are_not() -> None:
    counts = {Line.DEVICE: 10, Line.NO_SOCKET: 10}
    (words,) = explain(counts, 0, Situation(queue_count=1))
    assert "queue=" not in words
    assert "engine.reconfigure() puts it back" in words


def test_frames_that_a_link_without_carrier_dropped_are_put_down_to_it() -> None:
    counts = {Line.HANDED: 10, Line.COMPLETED: 10, Line.TX_DROPPED: 4}
    said = "\n".join(explain(counts, 0, Situation(sends=True, carrier_losses={"b0": 1})))
    assert "b0 was without carrier once" in said
    assert "as it does while a link is without carrier" in said
    assert "at a lower rate" not in said
    (_, said) = explain({}, 5, Situation(carrier_losses={"b0": 1}))
    assert "5 packets unaccounted: a link that is without carrier, as one was" in said


def test_an_interface_that_is_gone_is_the_reason_for_what_its_device_dropped() -> None:
    counts = {Line.HANDED: 9, Line.TX_DROPPED: 9}
    queueing = ("tc qdisc replace dev b0 root pfifo",)
    said = "\n".join(explain(counts, 0, Situation(sends=True, gone=("b0",), queueing=queueing)))
    assert "the device dropped them: an interface is gone (above)" in said
    assert "qdisc" not in said


@pytest.mark.kernel
def test_what_nobody_counts_while_the_attach_mode_changes_is_said(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        ledger = engine.ledger()  # without a generator, a veth in SKB mode need not count
        engine.reconfigure(attach="skb")
        account = ledger.settle(30)
        assert account.balanced
        assert "port0 was without an XDP program for a moment" in account.explain()
        assert "Engine(attach='skb')" in account.explain()
