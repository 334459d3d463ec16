"""Batches in capture files: written whole, appended, and read back as they were."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.utils import PcapNgReader, rdpcap, wrpcap
from support.batches import batch_of

from xdplab import Capture, ClosedError, ConfigurationError, KernelError

PACKETS = [bytes(range(14)) + bytes([number]) * (46 + 7 * number) for number in range(20)]


def of_file(path: Path) -> list[bytes]:
    return [bytes(packet) for packet in rdpcap(str(path))]


def test_packets_are_written_whole_with_their_times(tmp_path: Path) -> None:
    path = tmp_path / "some.pcapng"
    before = time.time()
    saved = batch_of(PACKETS).to_pcapng(path)
    assert of_file(path) == PACKETS
    assert (saved.path, saved.rows) == (path, len(PACKETS))
    with PcapNgReader(str(path)) as reader:
        assert all(before - 1 < float(packet.time) < time.time() + 1 for packet in reader)


def test_each_call_appends(tmp_path: Path) -> None:
    path = tmp_path / "some.pcapng"
    batch = batch_of(PACKETS)
    batch[:3].to_pcapng(path)
    batch[[7, 5]].to_pcapng(str(path))
    batch[:0].to_pcapng(path)
    assert of_file(path) == [*PACKETS[:3], PACKETS[7], PACKETS[5]]


def test_a_long_packet_is_one_packet_of_the_file(tmp_path: Path) -> None:
    batch = batch_of(PACKETS[:4])
    batch._loan.frames["options"] = [1, 1, 0, 0]
    batch.to_pcapng(tmp_path / "some.pcapng")
    assert of_file(tmp_path / "some.pcapng") == [b"".join(PACKETS[:3]), PACKETS[3]]
    assert [bytes(each) for each in batch.to_scapy()] == [b"".join(PACKETS[:3]), PACKETS[3]]


def test_what_is_no_pcapng_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.pcapng"
    path.write_text("some notes")
    with pytest.raises(ConfigurationError, match="is no pcapng file"):
        batch_of(PACKETS).to_pcapng(path)
    assert path.read_text() == "some notes"
    with pytest.raises(ConfigurationError, match="is no regular file"):
        batch_of(PACKETS).to_pcapng(tmp_path)
    with pytest.raises(ConfigurationError, match=r"must end in \.pcapng"):
        batch_of(PACKETS).to_pcapng(tmp_path / "some.pcap")
    assert not (tmp_path / "some.pcap").exists()
    with pytest.raises(KernelError, match="ENOENT"):
        batch_of(PACKETS).to_pcapng(tmp_path / "no" / "folder.pcapng")


def test_where_there_is_no_room_the_file_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "some.pcapng"
    batch_of(PACKETS).to_pcapng(path)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
    try:
        with pytest.raises(KernelError, match="EFBIG"):
            batch_of(PACKETS).to_pcapng(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_a_file_is_read_in_batches(tmp_path: Path, batch: int) -> None:
    path = tmp_path / "some.pcapng"
    written = batch_of(PACKETS)
    written.to_pcapng(path)
    with Capture.from_pcap(path, batch=batch) as capture:
        batches = list(capture)
        assert [bytes(packet) for each in batches for packet in each] == PACKETS
        assert [len(each) for each in batches[:-1]] == [batch] * (len(batches) - 1)
        times = np.concatenate([each.timestamps for each in batches])
        assert (times == written.timestamps).all()
        assert not len(capture.try_recv())
        assert capture.left_out == 0
    with pytest.raises(ClosedError, match="Open it again"):
        capture.recv()
    assert "closed" in repr(capture)


def test_a_file_of_others_is_read_filtered_and_sorted_out(tmp_path: Path) -> None:
    path = tmp_path / "some.pcap"
    wrpcap(str(path), [bytes(12) + b"\x08\x06" + bytes(46), *PACKETS], linktype=1)
    with Capture.from_pcap(path) as capture:
        capture.filter("arp")
        assert len(capture.recv()) == 1
    damaged = tmp_path / "damaged.pcap"
    damaged.write_bytes(path.read_bytes()[:-10])
    with Capture.from_pcap(damaged) as capture:
        assert sum(map(len, capture)) == len(PACKETS)
        assert capture.damage


def test_what_is_no_capture_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("some notes")
    with pytest.raises(ConfigurationError, match="no pcap or pcapng file"):
        Capture.from_pcap(path)
    with pytest.raises(KernelError, match="ENOENT"):
        Capture.from_pcap(tmp_path / "no.pcap")
    for batch in (0, "many", None):
        with pytest.raises(ConfigurationError, match="batch"):
            Capture.from_pcap(path, batch=batch)  # type: ignore[arg-type]


@given(st.lists(st.binary(min_size=14, max_size=300), max_size=20))
@settings(max_examples=50)
def test_any_packets_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, packets: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("any") / "some.pcapng"
    batch_of(packets).to_pcapng(path)
    with Capture.from_pcap(path) as capture:
        assert [bytes(packet) for batch in capture for packet in batch] == packets
