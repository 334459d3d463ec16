"""The in-kernel generator sends what it was asked for, and says how much."""

from __future__ import annotations

import struct
import time
from contextlib import closing

import pytest
from support.loads import DEEP_RING, HOLDABLE_RATE
from support.pings import all_answered
from support.waiting import eventually

from xdplab import (
    ConfigurationError,
    Engine,
    Lab,
    QueueBusyError,
    Sampling,
    Traffic,
    XdplabError,
)


@pytest.mark.parametrize("size", [60, 64, 777, 1514])
def test_frames_are_valid_udp_of_the_size_asked_for(lab: Lab, size: int) -> None:
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether

    with Engine(lab.port, sampling=Sampling(every=1, bytes=2048), ring_size=DEEP_RING) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, size=size, count=300, flows=3)
        assert traffic.start().wait(30)
        assert eventually(lambda: engine.telemetry.counters()["samples"] == 300)
        samples, _ = engine.telemetry.samples()
    for number, sample in enumerate(samples):
        raw = bytes(sample["bytes"][: sample["captured"]])
        frame = Ether(raw)
        assert len(raw) == sample["length"] == size
        assert (frame[IP].src, frame[IP].dst) == (lab.peer.ipv4, lab.port.ipv4)
        assert frame[IP].len == size - 14
        checksum = frame[IP].chksum
        del frame[IP].chksum
        assert Ether(frame.build())[IP].chksum == checksum
        assert frame[UDP].sport == 1024 + number % 3
        _, sequence, sent_ns = struct.unpack_from("=HQQ", raw, 42)
        assert sequence == number
        assert sent_ns == sample["sent_ns"] <= time.monotonic_ns()


def test_a_count_is_kept_exactly(lab: Lab) -> None:
    with Traffic(lab.peer, lab.port, rate="max", count=12_345) as traffic:
        assert traffic.wait(30)
        assert traffic.sent == 12_345
    assert traffic.sent == 12_345


def test_a_duration_ends_it(lab: Lab) -> None:
    with Traffic(lab.peer, lab.port, rate=500, seconds=2) as traffic:
        assert traffic.wait(30)
        assert 0 < traffic.sent <= 1_001


@pytest.mark.parametrize("rate", [4000, 50_000])
def test_a_rate_is_never_exceeded(lab: Lab, rate: int) -> None:
    with Engine(lab.port, sampling=Sampling(every=1), ring_size=DEEP_RING) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=rate, count=4000)
        assert traffic.start().wait(20)
        assert eventually(lambda: engine.telemetry.counters()["samples"] == 4000)
        samples, _ = engine.telemetry.samples()
    elapsed = int(samples["sent_ns"][-1] - samples["sent_ns"][0])
    # From the first frame on; up to 1,024 that it missed may be made up for.
    assert (len(samples) - 1 - 1024) * 10**9 / rate <= elapsed


def test_the_rate_can_be_changed_while_it_runs(lab: Lab) -> None:
    with Traffic(lab.peer, lab.port, rate=1) as traffic:
        traffic.rate = 100_000
        assert eventually(lambda: traffic.sent > 1000)
        assert traffic.rate == 100_000
        traffic.rate = "max"
        before = traffic.sent
        assert eventually(lambda: traffic.sent > before)


def test_the_size_can_be_changed_while_it_runs_and_the_numbers_go_on(lab: Lab) -> None:
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether

    sizes = (64, 1514, 60)
    with Engine(
        lab.port, sampling=Sampling(every=1, bytes=2048), inspect=True, ring_size=DEEP_RING
    ) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=500, size=sizes[0])
        ledger = engine.ledger(traffic)
        traffic.start()
        for size in sizes:
            traffic.size = size
            assert traffic.size == size
            before = traffic.sent
            assert eventually(lambda: traffic.sent > before + 200)  # noqa: B023 - called at once
        traffic.stop()
        account = ledger.settle(30)
        assert eventually(lambda: engine.telemetry.counters()["samples"] == traffic.sent)
        samples, _ = engine.telemetry.samples()
        counters = engine.telemetry.counters()
    assert account.balanced
    assert counters["stream_missing"] == counters["stream_late"] == 0
    assert tuple(dict.fromkeys(int(length) for length in samples["length"])) == sizes
    for number, sample in enumerate(samples):
        assert struct.unpack_from("=Q", bytes(sample["bytes"]), 44)[0] == number
    for size in sizes:
        (raw,) = (bytes(s["bytes"][:size]) for s in samples[samples["length"] == size][:1])
        frame = Ether(raw)
        checksum = frame[IP].chksum
        del frame[IP].chksum
        assert Ether(frame.build())[IP].chksum == checksum
        assert (frame[IP].len, frame[UDP].len) == (size - 14, size - 34)
    assert [(change.before, change.after) for change in traffic.journal.changes] == [
        (64, 1514),
        (1514, 60),
    ]


def test_frames_too_long_for_the_wire_are_counted_whatever_the_size_is_then(
    privileged: None,
) -> None:
    with Lab(mtu=1280) as lab, Engine(lab.port) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=2_000, size=1514)
        ledger = engine.ledger(traffic)
        traffic.start()
        assert eventually(lambda: traffic.too_long > 100)
        traffic.size = 64
        too_long = traffic.too_long
        assert eventually(lambda: traffic.sent > too_long + 200)
        traffic.close()
        account = ledger.settle(30)
    assert account.balanced
    assert account.packets("longer than the wire's MTU") == traffic.too_long < traffic.sent
    assert "Traffic(size=1294)" in account.explain()


@pytest.mark.parametrize("size", [59, 1515, "64"])
def test_a_size_that_can_not_work_is_refused_and_the_old_one_stays(lab: Lab, size: object) -> None:
    traffic = Traffic(lab.peer, lab.port, size=128)
    with pytest.raises(ConfigurationError, match="size"):
        traffic.size = size  # type: ignore[assignment]
    assert traffic.size == 128


def test_a_generator_goes_on_with_the_next_number(lab: Lab) -> None:
    with Engine(lab.port, inspect=True, ring_size=DEEP_RING) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE)
        for _ in range(3):
            traffic.start()
            before = traffic.sent
            assert eventually(lambda: traffic.sent > before)  # noqa: B023 - called at once
            traffic.stop()
        sent = traffic.sent
        assert eventually(lambda: engine.telemetry.counters()["stream_frames"] == sent)
        assert engine.telemetry.counters()["stream_missing"] == 0


@pytest.mark.kernel  # whose stack it is
def test_the_loopback_of_the_sender_still_works(lab: Lab) -> None:
    with Traffic(lab.peer, lab.port, rate=1000):
        assert all_answered(lab.peer, "127.0.0.1", 3)


def test_one_host_has_one_generator_at_a_time(lab: Lab) -> None:
    with (
        Traffic(lab.peer, lab.port),
        pytest.raises(QueueBusyError, match=r"EBUSY.*close it first"),
    ):
        Traffic(lab.peer, lab.port)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 59},
        {"size": 1515},
        {"rate": 0},
        {"rate": -1},
        {"rate": "fast"},
        {"rate": float("nan")},
        {"rate": 1e-9},
        {"rate": "recorded"},
        {"count": 0},
        {"seconds": 0},
        {"seconds": float("inf")},
        {"seconds": "1"},
        {"flows": 0},
        {"cpu": 10_000},
    ],
)
def test_what_can_not_work_is_refused_before_anything_is_touched(
    lab: Lab, wrong: dict[str, object]
) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Traffic(lab.peer, lab.port, **wrong)  # type: ignore[arg-type]
    Traffic(lab.peer, lab.port).close()


def test_a_sender_that_is_the_receiver_is_refused(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match=r"are both port0.*lab\.peer, lab\.port"):
        Traffic(lab.port, lab.port)


def test_nothing_starts_in_a_lab_that_was_closed(lab: Lab) -> None:
    with closing(Traffic(lab.peer, lab.port, count=1)) as traffic:
        lab.close()
        with pytest.raises(XdplabError, match="lab"):
            traffic.start()
        assert not traffic.running


def test_a_count_is_that_of_one_start(lab: Lab) -> None:
    traffic = Traffic(lab.peer, lab.port, rate="max", count=1000)
    for starts in (1, 2, 3):
        assert traffic.start().wait(30)
        assert traffic.sent == 1000 * starts
