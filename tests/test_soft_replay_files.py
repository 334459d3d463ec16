"""What a capture file holds is read as it is, and what is no capture file is refused in words."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from xdplab.core.errors import ConfigurationError
from xdplab.send.replay import Replay

ETHERNET, RAW_IP = 1, 101
MOST = (1 << 32) - 1
FRAMES = [bytes([number]) * (60 + 40 * number) for number in range(1, 5)]
TIMES_NS = [1_700_000_000_000_000_000 + 250_000_000 * number for number in range(4)]


def pcap(
    frames: Sequence[bytes] = FRAMES,
    times_ns: Sequence[int] = TIMES_NS,
    *,
    link: int = ETHERNET,
    cut_to: int = 1 << 16,
    order: str = "<",
) -> bytes:
    """Build a pcap file with nanoseconds, byte for byte."""
    file = struct.pack(f"{order}IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 16, link)
    for frame, time_ns in zip(frames, times_ns, strict=True):
        kept = frame[:cut_to]
        seconds, rest = divmod(time_ns, 10**9)
        file += struct.pack(f"{order}IIII", seconds, rest, len(kept), len(frame)) + kept
    return file


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """Build a block of a pcapng file."""
    body += bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + length + body + length


def option(code: int, value: bytes, order: str = "<") -> bytes:
    """Build an option of a block."""
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<") -> bytes:
    """Build the header of a section."""
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(
    *options: bytes, link: int = ETHERNET, snapshot: int = 1 << 18, order: str = "<"
) -> bytes:
    """Build the description of an interface."""
    body = struct.pack(f"{order}HHI", link, 0, snapshot) + b"".join(options)
    return block(1, body, order)


def packet(
    frame: bytes,
    ticks: int = 0,
    *options: bytes,
    number: int = 0,
    length: int | None = None,
    order: str = "<",
) -> bytes:
    """Build a block of a frame."""
    high, low = divmod(ticks, 1 << 32)
    length = len(frame) if length is None else length
    body = struct.pack(f"{order}IIIII", number, high, low, len(frame), length) + frame
    return block(6, body + bytes(-len(frame) % 4) + b"".join(options), order)


def pcapng() -> bytes:
    """Build a pcapng file, its times in microseconds."""
    packets = (packet(frame, time // 1000) for frame, time in zip(FRAMES, TIMES_NS, strict=True))
    return section() + interface() + b"".join(packets)


@pytest.mark.parametrize(
    "file",
    [pcap(), pcap(order=">"), gzip.compress(pcap()), pcapng()],
    ids=["pcap", "of the other byte order", "gzipped", "pcapng"],
)
def test_frames_and_their_times_are_read_as_they_are(tmp_path: Path, file: bytes) -> None:
    place = tmp_path / "frames"
    place.write_bytes(file)
    replay = Replay.read(place)
    assert replay.frames == b"".join(FRAMES)
    assert replay.lengths.tolist() == [100, 140, 180, 220]
    assert replay.times_ns.tolist() == [time - TIMES_NS[0] for time in TIMES_NS]
    assert (replay.name, replay.longest) == ("frames", 220)


def test_zeros_stand_for_what_was_not_captured_of_a_frame(tmp_path: Path) -> None:
    place = tmp_path / "cut.pcap"
    place.write_bytes(pcap(cut_to=64))
    replay = Replay.read(place)
    assert replay.lengths.tolist() == [100, 140, 180, 220]
    assert replay.frames == b"".join(frame[:64].ljust(len(frame), b"\0") for frame in FRAMES)


def test_a_time_that_goes_back_is_that_of_the_frame_before(tmp_path: Path) -> None:
    place = tmp_path / "back.pcap"
    place.write_bytes(pcap(times_ns=[5000, 7000, 6000, 8000]))
    assert Replay.read(place).times_ns.tolist() == [0, 2000, 2000, 3000]


@pytest.mark.parametrize("file", [pcap(), pcapng()], ids=["pcap", "pcapng"])
def test_a_last_frame_that_is_not_whole_is_left_out(tmp_path: Path, file: bytes) -> None:
    place = tmp_path / "ends.early"
    place.write_bytes(file[:-30])
    assert Replay.read(place).frames == b"".join(FRAMES[:-1])


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
