"""What a capture file holds is sent and captured again, byte for byte and in order."""

from __future__ import annotations

import gzip
import os
import random
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.capture_files import RAW_IP, block, interface, option, packet, pcap, section
from support.loads import RING
from support.waiting import eventually

from xdplab import Capture, Engine, InterfaceGoneError, Lab, Memory, QueueBusyError, Traffic
from xdplab.capture.batch import Batch

IF_TSRESOL = 9
GAP_NS = 1_000_000


def frames() -> list[bytes]:
    """Make frames of many kinds and sizes, none of which the engine leaves to the stack."""
    from scapy.layers.inet import IP, TCP, UDP, fragment
    from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
    from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
    from scapy.packet import Raw

    dice = random.Random(1)
    start = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")
    ipv4, ipv6 = IP(src="198.18.0.2", dst="198.18.0.1"), IPv6(src="2001:db8::2", dst="2001:db8::1")
    packets = [start / ipv4 / UDP(dport=9) / Raw(dice.randbytes(n)) for n in (0, 1, 18, 700, 1472)]
    packets += [
        start / Dot1Q(vlan=7) / ipv4 / UDP(sport=1, dport=53) / Raw(dice.randbytes(1472)),
        start / Dot1AD(vlan=5) / Dot1Q(vlan=7, prio=3) / ipv6 / TCP(flags="S"),
        start / ipv6 / UDP(dport=9) / Raw(dice.randbytes(1000)),
        start / ipv6 / IPv6ExtHdrFragment(offset=10, m=1) / Raw(dice.randbytes(64)),
        *(start / part for part in fragment(ipv4 / UDP() / Raw(dice.randbytes(3000)), 800)),
        Ether(dst="ff:ff:ff:ff:ff:ff", type=0x88B5) / Raw(dice.randbytes(46)),
        start / Raw(b""),  # as short as a frame can be
    ]
    return [bytes(packet) for packet in packets]


FRAMES = frames()
TIMES_NS = [1_700_000_000_000_000_000 + GAP_NS * number for number in range(len(FRAMES))]
SPAN = (TIMES_NS[-1] - TIMES_NS[0]) / 1e9


def _two_interfaces() -> bytes:
    """Build a pcapng file: frames of two interfaces, which count their times differently."""
    described = interface() + interface(option(IF_TSRESOL, b"\x09"))
    return (
        section()
        + described
        + b"".join(
            packet(frame, time_ns if number % 2 else time_ns // 1000, number=number % 2)
            for number, (frame, time_ns) in enumerate(zip(FRAMES, TIMES_NS, strict=True))
        )
    )


def _microseconds(order: str) -> bytes:
    """Build a pcap file of the older kind, with microseconds."""
    file = struct.pack(f"{order}IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 16, 1)
    for frame, time_ns in zip(FRAMES, TIMES_NS, strict=True):
        seconds, rest = divmod(time_ns, 10**9)
        file += struct.pack(f"{order}IIII", seconds, rest // 1000, len(frame), len(frame)) + frame
    return file


@pytest.fixture
def capture(lab: Lab) -> Iterator[Capture]:
    with Capture(lab.port, ring_size=RING) as made:
        yield made


def captured(capture: Capture, count: int) -> list[bytes]:
    """Receive packets until there are so many."""
    found: list[bytes] = []
    assert eventually(lambda: len(_more(found, capture.recv(timeout=0.1))) >= count)
    return found


def _more(found: list[bytes], batch: Batch) -> Sequence[bytes]:
    found += [bytes(packet) for packet in batch]
    return found


@pytest.mark.parametrize(
    "file",
    [
        _microseconds("<"),
        _microseconds(">"),
        pcap(FRAMES, TIMES_NS),
        pcap(FRAMES, TIMES_NS, order=">"),
        _two_interfaces(),
        gzip.compress(_two_interfaces()),
    ],
    ids=["pcap", "big-endian", "nanoseconds", "big-endian ns", "two interfaces", "gzip"],
)
def test_what_was_sent_is_captured_byte_for_byte_in_its_order(
    lab: Lab, capture: Capture, tmp_path: Path, file: bytes
) -> None:
    place = tmp_path / "kinds"
    place.write_bytes(file)
    traffic = Traffic(lab.peer, lab.port, replay=place)
    ledger = capture.ledger(traffic)
    assert traffic.start().wait(60)
    assert captured(capture, len(FRAMES)) == FRAMES
    account = ledger.settle(30)
    assert account.balanced, account
    assert account.packets("received by the worker") == traffic.sent == len(FRAMES)
    assert (traffic.left_out, traffic.too_long, traffic.remarks) == (0, 0, ())
    # Never sooner than the file says; later is what a busy machine makes it.
    assert traffic.sending_seconds >= SPAN
    traffic.close()


def test_frames_that_are_not_sent_as_they_are_are_named(
    lab: Lab, capture: Capture, tmp_path: Path
) -> None:
    good, part = FRAMES[3], FRAMES[4]
    place = tmp_path / "some.pcapng"
    place.write_bytes(
        section()
        + interface()
        + interface(link=RAW_IP)
        + packet(good)
        + packet(b"a runt of", 1)
        + packet(bytes(1519), 2)
        + packet(good[14:], 3, number=1)
        + packet(part[:100], 4, length=len(part))
        + packet(good, 5, number=2)
        + block(6, bytes(4))
        + packet(good, 6)
    )
    traffic = Traffic(lab.peer, lab.port, replay=place, rate="max")
    ledger = capture.ledger(traffic)
    assert traffic.start().wait(60)
    assert captured(capture, 3) == [good, part[:100].ljust(len(part), b"\0"), good]
    account = ledger.settle(30)
    assert account.balanced, account
    assert (account.packets("longer than the wire's MTU"), traffic.too_long) == (1, 1)
    assert (traffic.sent, traffic.left_out) == (4, 4)
    for word, number in {
        "shorter than": 2,
        "longer than the 1,518 bytes": 3,
        "link type 101": 4,
        "captured in part": 5,
        "does not describe": 6,
        "too short": 7,
    }.items():
        (remark,) = (each for each in traffic.remarks if word in each)
        assert f"(frame {number})" in remark
        assert remark in account.explain()
        assert remark in str(traffic)
    traffic.close()


@pytest.mark.kernel  # the soft NIC has one frame a packet
@pytest.mark.parametrize("frame_size", [2048, 4096])
def test_jumbo_frames_take_several_of_the_umem(
    privileged: None, tmp_path: Path, frame_size: int
) -> None:
    sent = [bytes([number + 1]) * (14 + 100 + 1481 * number) for number in range(7)]
    place = tmp_path / "jumbo.pcap"
    place.write_bytes(pcap(sent, [GAP_NS * number for number in range(7)]))
    memory = Memory(multi_buffer=True)
    with (
        Lab(mtu=9000) as lab,
        Capture(lab.port, frame_size=frame_size, memory=memory) as capture,
    ):
        with Traffic(lab.peer, lab.port, replay=place) as traffic:
            assert traffic.wait(60)
            assert (traffic.sent, traffic.too_long) == (7, 0)
        found: list[bytes] = [b""]
        while len(found) <= 7:
            batch = capture.recv(timeout=30)
            assert len(batch)
            for part, continues in zip(batch, batch.options, strict=True):
                found[-1] += bytes(part)
                found += [] if continues else [b""]
    assert found == [*sent, b""]


def test_a_file_that_is_read_while_it_is_sent_comes_whole_and_in_order(
    lab: Lab, capture: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xdplab.send.replay._HELD_BYTES", 10_000)
    monkeypatch.setattr("xdplab.send.replay._PIECE_FRAMES", 32)
    many = [struct.pack(">12sHI", bytes(12), 0x88B5, number) * 4 for number in range(1000)]
    place = tmp_path / "many.pcap"
    place.write_bytes(pcap([*many, b"short"], [1000 * number for number in range(1001)]))
    traffic = Traffic(lab.peer, lab.port, replay=place, rate=20_000, repeat=2)
    assert traffic.remarks == ()  # of what was read so far
    traffic.start()
    assert captured(capture, 2000) == many * 2
    assert traffic.wait(30)
    assert (traffic.sent, traffic.left_out) == (2000, 1)
    assert "1 of 1,001 frames was left out" in traffic.remarks[0]
    assert "(frame 1,001)" in traffic.remarks[0]
    # Another start begins with the first frame again, also after one that ended early.
    for count in (10, 3):
        traffic.rate = "recorded"
        traffic.start()
        assert captured(capture, count)[:count] == many[:count]
        traffic.stop()
        assert eventually(lambda: not len(capture.recv(timeout=0.05)))
    traffic.close()


def test_a_file_that_is_gone_or_changed_ends_the_replay_and_is_told(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xdplab.send.replay._HELD_BYTES", 1000)
    place = tmp_path / "gone.pcap"
    for change, words in (
        (place.unlink, "No such file"),
        (lambda: place.write_bytes(b"something else"), "no pcap or pcapng file any more"),
        (lambda: place.write_bytes(pcap(FRAMES, TIMES_NS)[:2000]), "the file ends within it"),
    ):
        place.write_bytes(pcap(FRAMES, TIMES_NS))
        with Traffic(lab.peer, lab.port, replay=place, rate="max") as traffic:
            traffic.wait(30)
            assert traffic.sent == len(FRAMES)
            change()
            traffic.start()
            assert traffic.wait(30)
            assert words in str(traffic.remarks)


def test_a_stopped_replay_that_is_made_anew_finds_its_queue_free(lab: Lab, tmp_path: Path) -> None:
    place = tmp_path / "again.pcap"
    place.write_bytes(pcap(FRAMES, TIMES_NS))
    for _ in range(3):
        with Traffic(lab.peer, lab.port, replay=place, rate="max", repeat=0) as traffic:
            assert eventually(lambda: traffic.sent > 100)
            traffic.stop()
            assert not traffic.running
            sent = traffic.sent
            assert traffic.start().running
            assert eventually(lambda: traffic.sent > sent)  # noqa: B023 - called at once


@pytest.mark.kernel  # the soft NIC's replay needs no socket
def test_a_queue_that_has_another_socket_is_told_and_a_core_that_takes_another(
    lab: Lab, tmp_path: Path
) -> None:
    place = tmp_path / "busy.pcap"
    place.write_bytes(pcap(FRAMES, TIMES_NS))
    taken = r"queue 0: the kernel said EBUSY .* queue 0 has another one\. "
    with Engine(lab.peer), pytest.raises(QueueBusyError, match=taken + ".*engine.close()"):
        Traffic(lab.peer, lab.port, replay=place, cpu=0)
    Traffic(lab.peer, lab.port, replay=place).close()
    with (
        Lab(number=1, queues=2) as two,
        Traffic(two.peer, two.port, replay=place, cpu=0, rate="max") as first,
    ):
        with pytest.raises(QueueBusyError, match=taken) as refused:
            Traffic(two.peer, two.port, replay=place, cpu=0)
        if len(os.sched_getaffinity(0)) > 1:
            (core,) = re.findall(r"Traffic\(cpu=(\d+)\) takes queue 1\.", str(refused.value))
            with Traffic(two.peer, two.port, replay=place, cpu=int(core), rate="max") as second:
                assert second.wait(30)
                assert second.sent == len(FRAMES)
        assert first.wait(30)


def test_an_interface_that_goes_ends_it(lab: Lab, tmp_path: Path) -> None:
    place = tmp_path / "gone.pcap"
    place.write_bytes(pcap(FRAMES, TIMES_NS))
    with Traffic(lab.peer, lab.port, replay=place, rate=1000, repeat=0) as traffic:
        assert eventually(lambda: traffic.sent > 10)
        lab.close()
        assert eventually(lambda: not traffic.running)
        with pytest.raises(InterfaceGoneError):
            traffic.wait()
