"""A capture file sent again: its frames as they are, at its own times or at a rate."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from support.capture_files import FRAMES, pcap, pcapng
from support.frames import frames_of
from support.waiting import eventually

from xdplab import Sampling
from xdplab.core.errors import ConfigurationError
from xdplab.engine.engine import Engine
from xdplab.engine.traffic import Traffic
from xdplab.lab.lab import Lab


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Have 4 frames, 10 ms apart."""
    place = tmp_path / "four.pcap"
    place.write_bytes(pcap(times_ns=[1_000_000_000 + number * 10_000_000 for number in range(4)]))
    return place


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_frames_arrive_as_they_were_captured(lab: Lab, tmp_path: Path, kind: str) -> None:
    place = tmp_path / f"frames.{kind}"
    place.write_bytes(pcap() if kind == "pcap" else pcapng())
    with (
        Engine(lab.port, sampling=Sampling(every=1)) as engine,
        Traffic(lab.peer, lab.port, replay=place, rate="max") as traffic,
    ):
        assert traffic.wait(30)
        assert eventually(lambda: len(frames_of(engine)) == len(FRAMES))
        assert frames_of(engine) == FRAMES
        assert traffic.sent == len(FRAMES)
        assert traffic.size == max(map(len, FRAMES))
        assert f"frames.{kind}" in repr(traffic)
        assert ("[simulated]" in repr(traffic)) == lab.simulated


def test_frames_come_at_the_times_of_the_file(lab: Lab, file: Path) -> None:
    traffic = Traffic(lab.peer, lab.port, replay=file)
    assert traffic.rate == "recorded"
    with Engine(lab.port, sampling=Sampling(every=1)) as engine:
        began = time.monotonic_ns()
        with traffic:
            assert traffic.wait(30)
        assert eventually(lambda: len(frames_of(engine)) == len(FRAMES))
        samples, _ = engine.telemetry.samples()
    # Late is what a busy machine makes them; early they are never.
    for number, came in enumerate(samples["time_ns"]):
        assert int(came) - began >= number * 10_000_000


def test_a_replay_is_repeated_and_counted(lab: Lab, file: Path) -> None:
    with Engine(lab.port) as engine:
        traffic = Traffic(lab.peer, lab.port, replay=file, rate=5_000, repeat=100)
        ledger = engine.ledger(traffic)
        traffic.start()
        assert traffic.wait(30)
        account = ledger.settle(30)
        assert account.packets("sent by the generator") == 400
        assert account.packets("received by the worker") == 400
        assert account.balanced, account
        traffic.close()


def test_a_replay_goes_on_until_it_is_stopped_or_has_sent_its_count(lab: Lab, file: Path) -> None:
    with Traffic(lab.peer, lab.port, replay=file, rate="max", repeat=0) as traffic:
        assert eventually(lambda: traffic.sent > 100)
        assert traffic.running
    with Traffic(lab.peer, lab.port, replay=file, rate="max", repeat=0, count=10) as traffic:
        assert traffic.wait(30)
        assert traffic.sent == 10


def test_its_rate_can_be_turned_and_given_back(lab: Lab, file: Path) -> None:
    with Traffic(lab.peer, lab.port, replay=file, repeat=0) as traffic:
        traffic.rate = 100_000
        assert eventually(lambda: traffic.sent > 20_000)
        traffic.rate = "recorded"
        assert traffic.rate == "recorded"
        # At its own times so many would have taken minutes; it does not wait for these to come.
        sent = traffic.sent
        assert eventually(lambda: traffic.sent > sent + 4)
        with pytest.raises(ConfigurationError, match=r"four\.pcap are as long as they are"):
            traffic.size = 64
        with pytest.raises(ConfigurationError, match="rate='fast'"):
            traffic.rate = "fast"  # type: ignore[assignment]


# The latter as a sender's stack hands it to a NIC that cuts it into segments.
@pytest.mark.parametrize("length", [3000, 65_535])
def test_frames_too_long_for_the_wire_are_told(lab: Lab, tmp_path: Path, length: int) -> None:
    place = tmp_path / "long.pcap"
    place.write_bytes(pcap([bytes(length), bytes(100)], [0, 1]))
    with Engine(lab.port) as engine:
        traffic = Traffic(lab.peer, lab.port, replay=place, rate="max")
        ledger = engine.ledger(traffic)
        traffic.start().wait(30)
        account = ledger.settle(30)
        traffic.close()
    assert account.packets("longer than the wire's MTU") == 1
    assert account.packets("received by the worker") == 1
    assert account.balanced, account
    assert f"Lab(mtu={length - 14}) takes them" in account.explain()


@pytest.mark.parametrize("jitter", [0, 0.001])
def test_a_wire_with_a_large_mtu_carries_the_longest_frames(
    privileged: None, tmp_path: Path, jitter: float
) -> None:
    place = tmp_path / "long.pcap"
    place.write_bytes(pcap([bytes(65_535)], [0]))
    with Lab(mtu=65_535, backend="soft" if jitter else None) as lab:
        if jitter:
            lab.port.faults.jitter = jitter
        with Traffic(lab.peer, lab.port, replay=place, rate=1000, repeat=100) as traffic:
            assert traffic.wait(30)
            assert (traffic.sent, traffic.too_long, traffic.remarks) == (100, 0, ())
        assert eventually(lambda: lab.port.interface.link_statistics()["rx_packets"] >= 100)


def test_without_a_replay_there_are_no_recorded_times(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match="rate='recorded'"):
        Traffic(lab.peer, lab.port, rate="recorded")


def test_what_is_no_capture_file_leaves_the_sender_free(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't replay"):
        Traffic(lab.peer, lab.port, replay=tmp_path / "nothing.pcap")
    with pytest.raises(ConfigurationError, match="repeat=-1"):
        Traffic(lab.peer, lab.port, repeat=-1)
    Traffic(lab.peer, lab.port).close()
