"""Of a capture file every frame is sent, or it is said which is not, and why."""

from __future__ import annotations

import gzip
import os
import random
import struct
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.capture_files import (
    FRAMES,
    RAW_IP,
    TIMES_NS,
    block,
    held,
    interface,
    option,
    packet,
    pcap,
    pcapng,
    section,
)
from support.waiting import eventually

from xdplab import Capture, Engine, Lab, Traffic, XdplabError
from xdplab.core.errors import ConfigurationError
from xdplab.send.replay import Replay

SECOND = 10**9
IF_TSRESOL, IF_FCSLEN, IF_TSOFFSET = 9, 13, 14
SHORT, LONGEST = 13, 65_553


def with_fcs(frame: bytes) -> bytes:
    return frame + zlib.crc32(frame).to_bytes(4, "little")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "frames.cap"


def read(place: Path, content: bytes) -> Replay:
    place.write_bytes(content)
    return Replay.read(place)


def lengths(replay: Replay) -> list[int]:
    assert sum(held(replay).lengths) == len(held(replay).frames)
    return [int(length) for length in held(replay).lengths]


@pytest.mark.parametrize("length", [65_535, 65_536, 65_549, LONGEST])
@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_frames_above_65_535_bytes_are_read_and_those_behind_them(
    place: Path, length: int, kind: str
) -> None:
    frames = [bytes(60)] * 10 + [bytes(length)] + [bytes(60)] * 1000
    if kind == "pcap":
        file = pcap(frames, range(1011), cut_to=1 << 20)
    else:
        file = section() + interface() + b"".join(map(packet, frames))
    replay = read(place, file)
    assert lengths(replay) == [len(frame) for frame in frames]
    assert (replay.left_out, replay.remarks) == (0, ())


def test_a_frame_that_no_mtu_here_takes_is_told_by_the_ledger(place: Path) -> None:
    place.write_bytes(pcap([bytes(60), bytes(65_549), bytes(60)], [0, 1, 2], cut_to=1 << 20))
    with Lab(backend="soft") as lab, Engine(lab.port) as engine:
        traffic = Traffic(lab.peer, lab.port, replay=place, rate="max")
        ledger = engine.ledger(traffic)
        assert traffic.start().wait(30)
        account = ledger.settle(30)
        traffic.close()
    assert (account.packets("sent by the generator"), account.balanced) == (3, True)
    assert "1 packet of 3" in account.explain()
    assert "Lab(mtu=65535) takes them" in account.explain()


def test_which_it_does(place: Path) -> None:
    place.write_bytes(pcap([bytes(60), bytes(65_549), bytes(LONGEST)], [0, 1, 2], cut_to=1 << 20))
    with Lab(backend="soft", mtu=65_535) as lab:
        with Traffic(lab.peer, lab.port, replay=place, rate="max") as traffic:
            assert traffic.wait(30)
            assert (traffic.sent, traffic.too_long) == (3, 0)
        assert eventually(lambda: lab.port.interface.link_statistics()["rx_packets"] == 3)


def test_what_cannot_be_sent_is_left_out_alone_and_the_ledger_says_so(place: Path) -> None:
    frames = [*FRAMES, b"", bytes(SHORT), bytes(14), bytes(LONGEST + 1), bytes(300_000)]
    place.write_bytes(pcap(frames, range(9), cut_to=1 << 20))
    with Lab(backend="soft") as lab, Engine(lab.port) as engine:
        traffic = Traffic(lab.peer, lab.port, replay=place, rate="max")
        assert traffic.left_out == 4
        assert "frames.cap but for 4 of its frames" in repr(traffic)
        ledger = engine.ledger(traffic)
        assert traffic.start().wait(30)
        account = ledger.settle(30)
        traffic.close()
    assert account.packets("received by the worker") == 5
    said = account.explain()
    assert "Every packet arrived" not in said
    assert "Every packet that was sent arrived" in said
    assert "2 of 9 frames were left out, shorter than the 14 bytes" in said
    assert "(frames 5, 6)" in said
    assert "2 of 9 frames were left out, longer than the 65,553 bytes" in said
    assert "(frames 8, 9)" in said


def test_what_is_sent_otherwise_than_it_was_captured_is_told(place: Path) -> None:
    replay = read(place, pcap(times_ns=[0, 5, 3, 7], cut_to=120))
    assert replay.left_out == 0
    cut, back = replay.remarks
    assert cut == (
        "3 of 4 frames were captured in part, and zeros stand for the rest (frames 2, 3, 4)."
    )
    assert back.startswith("1 of 4 frames was captured before the frame in front of it")
    assert back.endswith("(frame 3).")


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("magic", "units"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1), (0xA1B2CD34, 1000)]
)
def test_every_kind_of_pcap_file_is_read(place: Path, order: str, magic: int, units: int) -> None:
    file = struct.pack(f"{order}IHHIIII", magic, 2, 4, 0, 0, 1 << 16, 1)
    for frame, time in zip(FRAMES, TIMES_NS, strict=True):
        seconds, rest = divmod(time, SECOND)
        file += struct.pack(f"{order}IIII", seconds, rest // units, len(frame), len(frame))
        file += (bytes(8) if magic == 0xA1B2CD34 else b"") + frame
    for content in (file, gzip.compress(file)):
        replay = read(place, content)
        assert bytes(held(replay).frames) == b"".join(FRAMES)
        assert held(replay).times_ns.tolist() == [time - TIMES_NS[0] for time in TIMES_NS]
        assert replay.remarks == ()


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("network", [0x24000001, 0x34000001, 0x44000001, 0x54000001, 0x50000001])
def test_a_frame_check_sequence_is_taken_off(place: Path, order: str, network: int) -> None:
    replay = read(place, pcap([with_fcs(f) for f in FRAMES], link=network, order=order))
    assert bytes(held(replay).frames) == b"".join(FRAMES)
    (remark,) = replay.remarks
    assert "4 of 4 frames were sent without the frame check sequence" in remark


@pytest.mark.parametrize("network", [0x04000001, 0x54000001, 0x44000001, 0x10000001, 0x00010001])
def test_bits_beside_the_link_type_do_not_make_it_another(place: Path, network: int) -> None:
    replay = read(place, pcap(link=network))
    assert bytes(held(replay).frames) == b"".join(FRAMES)
    assert replay.remarks == ()


def test_of_a_frame_that_was_cut_the_check_sequence_was_not_captured(place: Path) -> None:
    replay = read(place, pcap([with_fcs(f) for f in FRAMES], link=0x24000001, cut_to=102))
    assert lengths(replay) == [len(frame) for frame in FRAMES]
    assert bytes(held(replay).frames).startswith(FRAMES[0] + FRAMES[1][:102])


@pytest.mark.parametrize(
    "length", [32, 4]
)  # bits, as the format has it, and bytes, as some read it
def test_pcapng_says_so_of_an_interface_or_of_a_frame(place: Path, length: int) -> None:
    frames = [with_fcs(frame) for frame in FRAMES]
    of_interface = section() + interface(option(IF_FCSLEN, bytes([length])))
    of_interface += b"".join(map(packet, frames))
    flags = option(2, struct.pack("<I", 4 << 5 | 1))
    of_frame = section() + interface() + b"".join(packet(frame, 0, flags) for frame in frames)
    for file in (of_interface, of_frame):
        assert bytes(held(read(place, file)).frames) == b"".join(FRAMES)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("resolution", "ticks"), [(None, 10**6), (9, 10**9), (3, 10**3), (0x80 | 10, 1024), (0, 1)]
)
def test_times_have_the_interfaces_unit_and_offset(
    place: Path, order: str, resolution: int | None, ticks: int
) -> None:
    unit = [] if resolution is None else [option(IF_TSRESOL, bytes([resolution]), order)]
    offset = option(IF_TSOFFSET, struct.pack(f"{order}q", -1000), order)
    file = section(order) + interface(*unit, order=order) + interface(*unit, offset, order=order)
    file += packet(FRAMES[0], 5 * ticks, order=order)
    file += packet(FRAMES[1], 1007 * ticks, number=1, order=order)
    replay = read(place, file)
    assert held(replay).times_ns.tolist() == [0, 2 * SECOND]
    assert replay.remarks == ()


def test_sections_may_have_different_byte_orders_and_interfaces(place: Path) -> None:
    file = section("<") + interface(order="<") + packet(FRAMES[0], 1, order="<")
    file += section(">") + interface(link=RAW_IP, order=">") + interface(order=">")
    file += packet(FRAMES[1], 2, number=0, order=">")
    file += packet(FRAMES[2], 3, number=1, order=">")
    file += section("<") + packet(FRAMES[3], 4)  # which describes no interface
    replay = read(place, file)
    assert bytes(held(replay).frames) == FRAMES[0] + FRAMES[2]
    assert replay.left_out == 2
    foreign, unknown = replay.remarks
    assert foreign == "1 of 4 frames was left out, not Ethernet's (link type 101) (frame 2)."
    assert "does not describe (frame 4)" in unknown


def test_simple_and_old_blocks_are_read_and_other_blocks_are_not_missed(place: Path) -> None:
    cut = FRAMES[1][:128]
    file = section() + interface(snapshot=128)
    file += block(3, struct.pack("<I", len(FRAMES[0])) + FRAMES[0])
    file += block(3, struct.pack("<I", len(FRAMES[1])) + cut)
    file += block(0x0BAD, b"whatever") + block(5, bytes(12)) + block(10, bytes(8))
    old = struct.pack("<HHIIII", 0, 7, 0, 5_000_000, len(FRAMES[2]), len(FRAMES[2]))
    file += block(2, old + FRAMES[2]) + packet(FRAMES[3], 6_000_000)
    replay = read(place, file)
    assert bytes(held(replay).frames) == FRAMES[0] + cut.ljust(140, b"\0") + FRAMES[2] + FRAMES[3]
    # What has no time is due with what comes next, or with what came before.
    assert held(replay).times_ns.tolist() == [0, 0, 0, SECOND]
    assert replay.remarks == (
        "1 of 4 frames was captured in part, and zeros stand for the rest (frame 2).",
    )


def test_a_block_that_lies_about_its_frame_is_left_out_alone(place: Path) -> None:
    liar = struct.pack("<IIIII", 0, 0, 0, 5000, 5000) + bytes(60)
    file = section() + interface() + packet(FRAMES[0]) + block(6, liar) + block(6, bytes(8))
    replay = read(place, file + packet(FRAMES[1]))
    assert bytes(held(replay).frames) == FRAMES[0] + FRAMES[1]
    assert replay.left_out == 2


@pytest.mark.parametrize(
    "content", [pcap(), pcapng(), gzip.compress(pcap())], ids=["pcap", "pcapng", "gzipped"]
)
def test_where_a_file_ends_early_is_told(place: Path, content: bytes) -> None:
    for length in range(len(content)):
        try:
            replay = read(place, content[:length])
        except ConfigurationError as error:
            assert "can't replay" in str(error)
        else:
            kept = len(held(replay).lengths)
            whole = length in _ends(content)
            assert replay.left_out == (0 if whole else 1)
            assert bytes(held(replay).frames) == b"".join(FRAMES[:kept])
            assert whole or f"Frame {kept + 1} and what follows it was left out" in str(
                replay.remarks
            )


def _ends(content: bytes) -> set[int]:
    """Return where a file could end without a frame being cut."""
    if content[:2] == b"\x1f\x8b":
        return {len(content)}
    beyond = (16, 16) if content[0] == 0x4D else (32, 32)
    place = 24 if content[0] == 0x4D else len(section() + interface())
    ends = {place}
    for frame in FRAMES:
        place += beyond[0] + len(frame) + (0 if content[0] == 0x4D else -len(frame) % 4)
        ends.add(place)
    return ends


_GOOD = {
    "pcap": pcap(),
    "of the other byte order": pcap(order=">"),
    "with FCS": pcap([with_fcs(frame) for frame in FRAMES], link=0x24000001),
    "pcapng": pcapng(),
    "of two sections": pcapng()
    + section(">")
    + interface(option(IF_TSOFFSET, bytes(8), ">"), order=">")
    + packet(FRAMES[0], 5, order=">")
    + block(3, struct.pack(">I", 140) + FRAMES[1], ">"),
    "gzip": gzip.compress(pcapng()),
}
_WORDS = [0, 1, 13, 14, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC, 12, 16, 65_536]


def mutated(content: bytes, dice: random.Random) -> bytes:
    """Change a few bytes or words, take some out, put some in, or cut it."""
    changed = bytearray(content)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(changed) or 1)
        match dice.randrange(6):
            case 0:
                changed[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                word = struct.pack(dice.choice("<>") + "I", dice.choice(_WORDS))
                changed[at & ~3 : (at & ~3) + 4] = word
            case 2:
                del changed[at : at + dice.randint(1, 40)]
            case 3:
                changed[at:at] = dice.randbytes(dice.randint(1, 40))
            case 4:
                del changed[at:]
            case 5:
                changed[at:at] = changed[at // 2 : at]
    return bytes(changed)


def read_again(replay: Replay) -> None:
    """Read a file as one that is too large to be held."""
    said, whole = (replay.remarks, replay.left_out, replay.longest), held(replay)
    (piece,) = replay.pieces(1)
    assert piece.frames == whole.frames
    assert piece.lengths.tolist() == whole.lengths.tolist()
    assert piece.times_ns.tolist() == whole.times_ns.tolist()
    assert (replay.remarks, replay.left_out, replay.longest) == said


@pytest.mark.parametrize("kind", _GOOD)
def test_whatever_became_of_a_file_frames_come_out_or_an_error_of_ours(
    place: Path, kind: str
) -> None:
    dice = random.Random(kind)
    for _ in range(2500):
        content = mutated(_GOOD[kind], dice)
        in_batches(place, content)
        try:
            replay = read(place, content)
        except XdplabError as error:
            assert os.fspath(place) in str(error)
        else:
            assert len(held(replay).lengths) == len(held(replay).times_ns) > 0
            assert sum(lengths(replay)) == len(held(replay).frames)
            assert (held(replay).times_ns[1:] >= held(replay).times_ns[:-1]).all()
            assert bool(replay.left_out) <= bool(replay.remarks)
            if not dice.randrange(10):
                read_again(replay)


def in_batches(place: Path, content: bytes) -> None:
    """Read it as `Capture.from_pcap` does."""
    place.write_bytes(content)
    try:
        with Capture.from_pcap(place) as file:
            assert all(len(batch.timestamps) == len(batch) > 0 for batch in file)
    except XdplabError as error:
        assert os.fspath(place) in str(error)


@pytest.mark.parametrize("seconds", [2**62, -(2**62), 2**63 - 1, -(2**63)])
def test_a_time_that_no_clock_has_is_none(place: Path, seconds: int) -> None:
    offset = option(IF_TSOFFSET, struct.pack("<q", seconds))
    content = section() + interface(offset) + interface() + packet(FRAMES[0], 5, number=0)
    place.write_bytes(content + packet(FRAMES[1], 7, number=1))
    with Capture.from_pcap(place) as file:
        batch = file.recv()
        assert batch.timestamps.tolist() == [0, 7000]
    with Lab(backend="soft") as lab, Traffic(lab.peer, lab.port, replay=place) as traffic:
        assert traffic.left_out == 0


@given(st.binary(max_size=400), st.sampled_from([b"", pcap([], []), section() + interface()]))
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_do_too(tmp_path: Path, content: bytes, start: bytes) -> None:
    in_batches(tmp_path / "any", start + content)
    try:
        read(tmp_path / "any", start + content)
    except XdplabError as error:
        assert "can't replay" in str(error)


def test_frames_are_read_without_scapy(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scapy", None)
    assert read(place, pcap()).left_out == 0


@pytest.mark.parametrize(
    "name", ["a\0b", "~nobody-of-this-name/x.pcap", "x" * 300, "/", "/dev/null"]
)
def test_names_that_lead_to_no_file_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="can't replay"):
        Replay.read(name)
