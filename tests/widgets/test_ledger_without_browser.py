"""What of the ledger widget needs no browser: what it shows is what the book says."""

from __future__ import annotations

import gc
import itertools
import threading
import time

import pytest
from support.waiting import eventually

from xdplab import ClosedError, ConfigurationError, Engine, Lab, Stream, Traffic
from xdplab import Ledger as Book
from xdplab.ledger.account import Account
from xdplab.widgets import LedgerView
from xdplab.widgets.ledger.feeds import LedgerFeeds
from xdplab.widgets.ledger.flow import MADE, Kind, flow_of
from xdplab.widgets.ledger.layout import lay_out
from xdplab.widgets.ledger.reader import LedgerReader
from xdplab.widgets.pictures.picture import pictured

DEEP_RING = 1 << 15


def send(lab: Lab, count: int, rate: int = 20_000) -> Traffic:
    traffic = Traffic(lab.peer, lab.port, rate=rate, count=count)
    assert traffic.start().wait(30)
    return traffic


def receives(engine: Engine, count: int) -> bool:
    """Wait until it has received so many in all: what waits for it is not a new ledger's."""
    return eventually(lambda: engine.telemetry.total()["rx_packets"] == count)


def readers() -> int:
    return sum(thread.name == "xdplab-ledger" for thread in threading.enumerate())


def test_a_loss_is_drawn_with_the_packets_that_the_book_has(lab: Lab) -> None:
    with Engine(lab.port, ring_size=64) as engine:
        engine.pace = 0.02
        traffic = Traffic(lab.peer, lab.port, rate=20_000, count=10_000)
        book = engine.ledger(traffic)
        assert traffic.start().wait(30)
        engine.pace = 0
        account = book.settle(30)
        widget = LedgerView(book)
        assert widget.account.stages == account.stages
        assert account.packets("RX ring full") > 0
        flow = flow_of(account)
        (way,) = (way for way in flow.ways_out if way.kind == Kind.LOST)
        assert way.packets == account.packets("RX ring full")
        picture = LedgerFeeds()
        picture.draw(lay_out(flow))
        (text,) = picture.feeds["out words"].columns["text"]
        assert text.startswith(f"lost: RX ring full\n{way.packets:,} (")
        said = repr(widget)
    assert "settled: every packet accounted for" in said
    assert str(account) in said
    assert "engine.pace = 0 lets it run" in said


def test_a_generating_worker_makes_what_it_sends(lab: Lab) -> None:
    stream = Stream(lab.peer, rate=10_000, count=1000)
    engine = Engine(lab.port, stream=stream, ring_size=DEEP_RING)
    reader = LedgerReader(engine.ledger())
    engine.start()

    def completed() -> bool:
        return reader.read().account.packets("completed") == 1000

    assert eventually(completed)
    reading = reader.read()
    flow = flow_of(reading.account, generates=reading.generates)
    assert {way.name: way.packets for way in flow.ways_in}[MADE] == 1000
    engine.close()


def test_a_static_picture_shows_the_moment_at_which_it_is_taken(lab: Lab) -> None:
    with Engine(lab.port, ring_size=DEEP_RING) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=20_000, count=123)
        (figure,) = pictured(LedgerView(engine, traffic))
        assert figure.static_picture()
        assert traffic.start().wait(30)
        assert eventually(lambda: engine.telemetry.total()["rx_packets"] == 123)
        assert figure.static_picture()
        _, rows, _ = figure.present()
        texts = (source["texts"].get("text", []) for source in rows["sources"])
        assert "received by\nthe worker\n123" in itertools.chain(*texts)
        traffic.close()


def test_begin_anew_counts_from_then_on_and_takes_another_generator(lab: Lab) -> None:
    with Engine(lab.port, ring_size=DEEP_RING) as engine:
        first = send(lab, 100)
        assert receives(engine, 100)
        widget = LedgerView(engine, first)
        first.start().wait(30)
        assert eventually(lambda: widget.account.packets("received by the worker") == 100)
        widget.begin_anew()
        assert widget.account.packets("received by the worker") == 0
        first.close()
        second = Traffic(lab.peer, lab.port, rate=20_000, count=50)
        widget.begin_anew(second)
        assert widget.account.packets("sent by the generator") == 0
        second.start().wait(30)
        assert eventually(lambda: widget.account.packets("received by the worker") == 50)
        assert widget.account.packets("sent by the generator") == 50


def test_it_begins_anew_at_the_moment_of_the_call(lab: Lab) -> None:
    with Engine(lab.port, ring_size=DEEP_RING) as engine:
        widget = LedgerView(engine)
        send(lab, 100)
        assert receives(engine, 100)
        widget.begin_anew()
        send(lab, 50)
        assert eventually(lambda: widget.account.packets("received by the worker") == 50)


def test_a_ledger_that_begins_while_packets_flow_knows_of_no_other_sender(lab: Lab) -> None:
    with Engine(lab.port, ring_size=DEEP_RING) as engine:
        traffic = Traffic(lab.peer, lab.port, rate="max").start()
        assert eventually(lambda: traffic.sent > 0)
        for _ in range(3):
            ledger = engine.ledger(traffic)
            account = ledger.read()
            assert not account.situation.began_quiet
            assert account.packets("sent by others") == 0
        traffic.stop()
        assert ledger.settle(30).packets("sent by others") == 0


def test_readings_leave_no_thread_and_end_while_nothing_moves(lab: Lab) -> None:
    with Engine(lab.port, ring_size=DEEP_RING) as engine:
        reader = LedgerReader(engine.ledger())

        def seen() -> Account:
            reader.look()
            return reader.reading.account

        send(lab, 500)
        assert eventually(lambda: seen().packets("received by the worker") == 500)
        assert eventually(lambda: seen().balanced and not seen().situation.flowing)
        assert eventually(lambda: not readers())
        last = reader.reading
        until = time.monotonic() + 2
        while time.monotonic() < until:
            seen()
            time.sleep(0.02)
        assert reader.reading is last
        send(lab, 1)
        assert eventually(lambda: seen().packets("received by the worker") == 501)
    assert eventually(lambda: not readers())


def test_of_a_closed_engine_it_shows_the_last_that_was_read(lab: Lab) -> None:
    engine = Engine(lab.port, ring_size=DEEP_RING).start()
    widget = LedgerView(engine)
    send(lab, 100)
    assert eventually(lambda: widget.account.packets("received by the worker") == 100)
    engine.close()
    assert widget.account.packets("received by the worker") == 100
    assert "engine is closed" in repr(widget)
    with pytest.raises(ClosedError):
        LedgerView(engine)


def test_it_keeps_neither_engine_nor_generator_alive(lab: Lab) -> None:
    engine = Engine(lab.port, ring_size=DEEP_RING).start()
    traffic = send(lab, 100)
    widget = LedgerView(engine, traffic)
    del traffic
    gc.collect()
    assert "nothing holds the generator any more" in repr(widget)
    widget.begin_anew()
    assert "nothing holds" not in repr(widget)
    assert "sent by the generator" not in repr(widget)
    del engine
    gc.collect()
    assert "nothing held it any more" in repr(widget)


def test_a_book_that_is_read_weakly_begins_where_its_original_did(lab: Lab) -> None:
    with Engine(lab.port, ring_size=DEEP_RING) as engine:
        book = Book(engine)
        send(lab, 100)
        assert book.weakly().settle(30).stages == book.settle(30).stages
        assert book.engine is engine
        assert book.traffic is None
        with pytest.raises(ConfigurationError, match="generator already"):
            LedgerView(book, send(lab, 1))
