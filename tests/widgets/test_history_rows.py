"""Rows over time, against the engine's own counters."""

from __future__ import annotations

import socket
import time

import numpy as np
import pytest
from support.waiting import eventually

from xdplab import Engine, Lab, Sampling, Traffic
from xdplab.native import lib
from xdplab.telemetry.region import Records
from xdplab.widgets.base.feed import Columns, Update
from xdplab.widgets.history.feed import COLUMNS, STEPS, HistoryFeed
from xdplab.widgets.parts.engine_view import EngineView


def rows_of(engine: Engine, seconds: int = 10, worker: int | None = None) -> HistoryFeed:
    rows = HistoryFeed(EngineView(engine))
    rows.seconds, rows.worker = seconds, worker
    return rows


def whole(rows: HistoryFeed) -> Columns:
    update = rows(None)
    assert update is not None
    assert update.replace
    return update.columns


def area(columns: Columns, name: str, seconds: int = 10) -> float:
    """Add up what a rate means."""
    return float(np.nansum(columns[name])) * STEPS[seconds]


def settle(engine: Engine, traffic: Traffic) -> None:
    """Wait until the workers have published that they received all that was sent."""
    assert eventually(lambda: int(engine.telemetry.total()["rx_packets"]) == traffic.sent)


def test_areas_are_what_the_engine_counted(lab: Lab) -> None:
    with Engine(lab.port, action="reflect") as engine:
        with Traffic(lab.peer, lab.port, rate=5_000, count=2_000) as traffic:
            traffic.wait()
            settle(engine, traffic)
            assert eventually(lambda: int(engine.telemetry.total()["tx_packets"]) == traffic.sent)
        engine.stop()
        counted = engine.telemetry.total()
        for seconds in (10, 30, 60):
            columns = whole(rows_of(engine, seconds))
            assert set(columns) == set(COLUMNS)
            for name, counter in (("received", "rx_packets"), ("sent", "tx_packets")):
                assert area(columns, name, seconds) == pytest.approx(int(counted[counter]))
            assert area(columns, "bits_in", seconds) == pytest.approx(8 * int(counted["rx_bytes"]))
            packets = np.array(columns["received"]) * STEPS[seconds]
            spent = sum(np.nansum(packets * columns[part]) for part in ("user", "system", "idle"))
            assert 0 < spent <= int(counted["cpu_ns"]) * 1.001


def test_drops_are_told_by_their_reason_and_not_twice(lab: Lab) -> None:
    with Engine(lab.port, ring_size=64, batch=1) as engine:
        engine.pace = 0.05  # so that the RX ring overflows
        with Traffic(lab.peer, lab.port, rate=5_000):
            assert eventually(lambda: int(engine.telemetry.total()["rx_ring_full"]) > 1_000)
            # The worker looks how many wait only when it has taken all that it saw.
            assert eventually(lambda: engine.telemetry.history()[0]["rx_peak"].max() >= 63)
        engine.stop()
        columns = whole(rows_of(engine, 60))  # a busy machine may take more than 10 s for it
        counted = engine.telemetry.total()
    reasons = ("ring_full", "no_fill", "too_long")
    lost = int(counted["rx_ring_full"]) + int(counted["rx_dropped"])
    assert sum(area(columns, reason, 60) for reason in reasons) == pytest.approx(lost, rel=0.02)
    # Percent of 64; one may be missing that the worker had just taken.
    assert np.nanmax(columns["rx_most"]) > 98


def test_rows_do_not_depend_on_how_often_anybody_looks(lab: Lab) -> None:
    with Engine(lab.port) as engine, Traffic(lab.peer, lab.port, rate=2_000):
        rows, position, pieces = rows_of(engine), None, []
        for _ in range(20):
            time.sleep(0.06)
            update = rows(position)
            if update is not None:
                pieces.append(update.columns)
                position = update.position
        at_once = whole(rows_of(engine))
    seen = np.concatenate([piece["time"] for piece in pieces])
    assert list(seen) == list(at_once["time"][: len(seen)])
    for name in COLUMNS[1:]:
        column = np.concatenate([piece[name] for piece in pieces])
        np.testing.assert_allclose(column, at_once[name][: len(seen)], rtol=1e-6, atol=1e-6)


@pytest.mark.kernel  # whose sockets spread over the queues
def test_several_workers_add_up(privileged: None) -> None:
    with Lab(queues=2) as lab, Engine(lab.port, queue=[0, 1]) as engine:
        for _ in range(64):  # the sender's kernel chooses a queue for each socket
            with lab.peer.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                for _ in range(10):
                    udp.sendto(b"one of many", (lab.port.ipv4, 9))
        assert eventually(lambda: int(engine.telemetry.total()["rx_packets"]) == 640)
        engine.stop()
        each = [whole(rows_of(engine, worker=worker)) for worker in (0, 1)]
        both = whole(rows_of(engine))
        counted = [int(engine.telemetry.counters(worker)["rx_packets"]) for worker in (0, 1)]
    assert all(packets > 0 for packets in counted)
    for columns, packets in zip(each, counted, strict=True):
        assert area(columns, "received") == pytest.approx(packets)
    assert area(both, "received") == pytest.approx(sum(counted))


def test_worker_that_an_engine_does_not_have_has_no_rows(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        assert eventually(lambda: rows_of(engine)(None) is not None)
        assert rows_of(engine, worker=1)(None) is None


def test_standing_still_breaks_the_lines(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        assert eventually(lambda: rows_of(engine)(None) is not None)
        engine.stop()
        time.sleep(1)
        engine.start()
        assert eventually(lambda: _broken(rows_of(engine)(None)) is not None)
        columns = whole(rows_of(engine))
        records, _ = engine.telemetry.history()
    broken = np.isnan(columns["received"])
    assert not broken[0]
    assert not broken[-1]
    # All rows between the record of the stop and that of the start.
    stopped = records["state"][:-1] != lib.XDPLAB_STATE_RUNNING
    stood = np.diff(records["time_ns"].astype(np.int64))[stopped].sum() / 1e9
    assert stood >= 1
    assert 0 <= stood / STEPS[10] - broken.sum() < 2
    assert np.array_equal(broken, np.isnan(columns["fill"]))


def spanned(records: Records) -> float:
    """Return the seconds from the first record to the last one."""
    return float(int(records["time_ns"][-1]) - int(records["time_ns"][0])) / 1e9


def _broken(update: Update | None) -> bool | None:
    """Say whether there are rows after a break; None where there is no break yet."""
    if update is None:
        return None
    broken = np.isnan(update.columns["received"])
    return True if broken.any() and not broken[-1] else None


def test_the_highest_rate_between_two_records_is_in_the_band_of_every_range(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        with Traffic(lab.peer, lab.port, rate=20_000, count=300) as traffic:
            traffic.wait()
            settle(engine, traffic)
        time.sleep(0.3)
        engine.stop()
        records, _ = engine.telemetry.history()
        times, packets = (
            np.diff(records[name].astype(float)) for name in ("time_ns", "rx_packets")
        )
        usual = times >= 5e6  # a worker that starts or stops writes a record in between
        highest = (packets / times)[usual].max() * 1e9
        for seconds in (10, 30, 60):
            columns = whole(rows_of(engine, seconds))
            assert np.nanmax(columns["received_most"]) == pytest.approx(highest)
            assert np.nanmin(columns["received_least"]) == 0


def test_no_range_has_more_than_300_rows(lab: Lab) -> None:
    with Engine(lab.port, sampling=Sampling(publish_interval=0.001)) as engine:
        assert eventually(lambda: len(engine.telemetry.long_history()[0]) >= 2)
        assert eventually(lambda: len(engine.telemetry.history()[0]) > 600)
        for seconds, step in STEPS.items():
            assert seconds / step <= 300
            rows = rows_of(engine, seconds)
            assert eventually(lambda rows=rows: rows(None) is not None)
            assert 0 < len(whole(rows)["time"]) <= 300


def test_long_range_is_made_of_the_long_history(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        with Traffic(lab.peer, lab.port, rate=2_000):
            assert eventually(lambda: len(engine.telemetry.long_history()[0]) >= 4)
        engine.stop()
        records, _ = engine.telemetry.long_history()
        columns = whole(rows_of(engine, seconds=600))
    # Interpolated, the rows hold no more than the last record counted.
    assert area(columns, "received", 600) <= int(records[-1]["rx_packets"]) * (1 + 1e-9)
    assert abs(len(columns["time"]) - spanned(records) / STEPS[600]) < 2
    times, packets = (np.diff(records[name].astype(float)) for name in ("time_ns", "rx_packets"))
    highest = (packets / times).max() * 1e9
    assert 0.3 * highest < np.nanmax(columns["received"]) < 1.01 * highest


def test_what_the_fine_history_has_forgotten_is_made_of_the_long_one(lab: Lab) -> None:
    with Engine(lab.port, sampling=Sampling(publish_interval=0.001)) as engine:
        with Traffic(lab.peer, lab.port, rate=5_000, count=1_000) as traffic:
            traffic.wait()
            settle(engine, traffic)
        assert eventually(
            lambda: len(engine.telemetry.history()[0]) < engine.telemetry.history()[1]
        )
        time.sleep(2)
        engine.stop()
        columns = whole(rows_of(engine, seconds=60))
        (fine, _), (long, _) = engine.telemetry.history(), engine.telemetry.long_history()
    passed = spanned(np.concatenate((long[:1], fine[-1:])))
    assert 0 <= len(columns["time"]) - passed / STEPS[60] < 2
    assert np.isfinite(columns["received"]).all()
    assert area(columns, "received", 60) == pytest.approx(1_000)


def test_rows_outlive_their_engine(lab: Lab) -> None:
    engine = Engine(lab.port).start()
    rows = rows_of(engine)
    with Traffic(lab.peer, lab.port, rate=5_000, count=1_000) as traffic:
        traffic.wait()
        settle(engine, traffic)
    engine.close()
    before = whole(rows)
    del engine
    assert area(before, "received") == pytest.approx(1_000)
    np.testing.assert_array_equal(whole(rows)["received"], before["received"])


def reaches(engine: Engine, time_ns: int) -> bool:
    """Wait until the worker has written a record later than that."""
    return eventually(lambda: engine.telemetry.counters()["time_ns"] > time_ns)


def test_rows_end_where_they_are_told_to(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        rows = rows_of(engine)
        assert eventually(lambda: rows(None) is not None)
        rows.until = until = time.monotonic_ns()
        assert reaches(engine, until)
        update = rows(None)
        assert update is not None
        assert until - rows.step_ns < update.position <= until
        assert reaches(engine, until + 2 * rows.step_ns)
        assert rows(update.position) is None
        np.testing.assert_array_equal(whole(rows)["received"], update.columns["received"])


def test_ring_occupancy_is_that_of_the_ring_as_it_was(lab: Lab) -> None:
    with Engine(lab.port, ring_size=256) as engine:
        rows = rows_of(engine)
        assert reaches(engine, time.monotonic_ns() + 2 * rows.step_ns)
        engine.reconfigure(ring_size=1024)
        assert reaches(engine, time.monotonic_ns() + 2 * rows.step_ns)
        engine.stop()
        columns = whole(rows)
    fill = columns["fill"][np.isfinite(columns["fill"])]
    # Nothing was received: the fill ring holds all frames, before as after.
    assert fill[0] == pytest.approx(fill[-1])
