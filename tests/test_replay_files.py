"""What a capture file holds is read as it is, and what is no capture file is refused in words."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest
from support.capture_files import FRAMES, RAW_IP, TIMES_NS, held, pcap, pcapng

from xdplab.core.errors import ConfigurationError
from xdplab.send.replay import Replay

MOST = (1 << 32) - 1


@pytest.mark.parametrize(
    "file",
    [pcap(), pcap(order=">"), gzip.compress(pcap()), pcapng()],
    ids=["pcap", "of the other byte order", "gzipped", "pcapng"],
)
def test_frames_and_their_times_are_read_as_they_are(tmp_path: Path, file: bytes) -> None:
    place = tmp_path / "frames"
    place.write_bytes(file)
    replay = Replay.read(place)
    assert held(replay).frames == b"".join(FRAMES)
    assert held(replay).lengths.tolist() == [100, 140, 180, 220]
    assert held(replay).times_ns.tolist() == [time - TIMES_NS[0] for time in TIMES_NS]
    assert (replay.name, replay.longest) == ("frames", 220)


def test_zeros_stand_for_what_was_not_captured_of_a_frame(tmp_path: Path) -> None:
    place = tmp_path / "cut.pcap"
    place.write_bytes(pcap(cut_to=64))
    replay = Replay.read(place)
    assert held(replay).lengths.tolist() == [100, 140, 180, 220]
    assert held(replay).frames == b"".join(frame[:64].ljust(len(frame), b"\0") for frame in FRAMES)


def test_a_time_that_goes_back_is_that_of_the_frame_before(tmp_path: Path) -> None:
    place = tmp_path / "back.pcap"
    place.write_bytes(pcap(times_ns=[5000, 7000, 6000, 8000]))
    assert held(Replay.read(place)).times_ns.tolist() == [0, 2000, 2000, 3000]


@pytest.mark.parametrize("file", [pcap(), pcapng()], ids=["pcap", "pcapng"])
def test_a_last_frame_that_is_not_whole_is_left_out(tmp_path: Path, file: bytes) -> None:
    place = tmp_path / "ends.early"
    place.write_bytes(file[:-30])
    assert held(Replay.read(place)).frames == b"".join(FRAMES[:-1])


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"", "it is empty. Choose another file"),
        (b"a text, and a long one", "no pcap or pcapng file"),
        (pcap()[:24], "no frame to send"),
        (pcap(link=RAW_IP), "not Ethernet's"),
        (pcap([b"short"], [0]), r"shorter than the 14 bytes .* \(frame 1\)"),
        (pcap([b""], [0]), r"shorter than the 14 bytes .* \(frame 1\)"),
        (pcap([], []) + struct.pack("<IIII", 0, 0, 60, MOST) + bytes(60), "longer than the 65,553"),
        (pcap([], []) + struct.pack("<IIII", 0, 0, MOST, 60) + bytes(60), f"{MOST:,} bytes"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_words(tmp_path: Path, file: bytes, words: str) -> None:
    place = tmp_path / "other"
    place.write_bytes(file)
    with pytest.raises(ConfigurationError, match=words):
        Replay.read(place)


def test_the_command_that_converts_a_file_quotes_its_name(tmp_path: Path) -> None:
    place = tmp_path / "a file of mine"
    place.write_bytes(b"a text, and a long one")
    with pytest.raises(ConfigurationError, match=rf"`editcap '{place}' other.pcapng`"):
        Replay.read(place)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        Replay.read(tmp_path / "nothing.pcap")
