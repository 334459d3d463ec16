"""Checksums that a sender left to its device: an engine that sends packets on finishes them."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scapy.all import (
    GRE,
    IP,
    SCTP,
    TCP,
    UDP,
    VXLAN,
    Dot1AD,
    Dot1Q,
    Ether,
    IPOption_RR,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrSegmentRouting,
    Raw,
    SCTPChunkData,
    fragment,
    fragment6,
    wrpcap,
)
from scapy.layers.inet6 import IPv6ExtHdrFragment
from scapy.packet import Packet
from support.waiting import eventually

from xdplab import Capture, Engine, Lab, Sampling, Stream, Traffic, Worker
from xdplab.core.errors import ConfigurationError
from xdplab.ledger.account import Account
from xdplab.settings import undo

MACS = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")
V4 = IP(src="198.18.0.2", dst="198.18.0.1")
V6 = IPv6(src="2001:db8::2", dst="2001:db8::1")
ROUTE = IPv6ExtHdrSegmentRouting(addresses=["2001:db8::9", "2001:db8::1"], segleft=1, lastentry=1)
WORDS = Raw(bytes(range(1, 102)))
DATAGRAM, SEGMENT = UDP(sport=5000, dport=7) / WORDS, TCP(sport=5000, dport=7) / WORDS
CHUNK = SCTP(sport=5000, dport=7) / SCTPChunkData(data=b"words of odd length")

GENEVE = Raw(bytes.fromhex("0100 6558 000003 00 00000000"))  # with an option

PACKETS: dict[str, Packet] = {
    "UDP": V4 / DATAGRAM,
    "UDP without payload": V4 / UDP(sport=1, dport=2),
    "TCP": V4 / SEGMENT,
    "TCP with options": V4 / TCP(options=[("Timestamp", (1, 2))]) / WORDS,
    "SCTP": V4 / CHUNK,
    "UDP, IPv6": V6 / DATAGRAM,
    "TCP, IPv6": V6 / SEGMENT,
    "SCTP, IPv6": V6 / CHUNK,
    "VLAN": Dot1Q(vlan=5) / V4 / DATAGRAM,
    "priority tag, IPv6": Dot1Q(vlan=0, prio=3) / V6 / SEGMENT,
    "QinQ": Dot1AD(vlan=5) / Dot1Q(vlan=6) / V4 / SEGMENT,
    "IP options": IP(src="198.18.0.2", dst="198.18.0.1", options=[IPOption_RR()]) / DATAGRAM,
    "hop-by-hop": V6 / IPv6ExtHdrHopByHop() / DATAGRAM,
    "two headers": V6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / SEGMENT,
    "routed by way of others": V6 / ROUTE / DATAGRAM,
    "IP in IP": V4 / IP(src="10.9.0.2", dst="10.9.0.1") / SEGMENT,
    "IPv6 in IP": V4 / V6 / SEGMENT,
    "IP in IPv6": V6 / V4 / DATAGRAM,
    "GRE with a key": V4 / GRE(key_present=1, key=7) / V4 / SEGMENT,
    "Ethernet in GRE": V6 / GRE(proto=0x6558) / MACS / V4 / SEGMENT,
    "VXLAN": V4 / UDP(sport=9, dport=4789, chksum=0) / VXLAN(vni=3) / MACS / V4 / SEGMENT,
    "Geneve": V4
    / UDP(dport=6081, chksum=0)
    / Raw(b"\x01\0\x65\x58\0\0\3\0\0\0\0\0")
    / MACS
    / V4
    / SEGMENT,
}

_FIELDS = {TCP: (16, 2), UDP: (6, 2), SCTP: (8, 4)}


def right(packet: Packet) -> bytes:
    return bytes(MACS / packet)


def unfinished(packet: Packet) -> bytes:
    """Build a packet as a stack hands it to a veth, with the innermost checksum only begun."""
    whole = right(packet)
    layer = next(each for each in reversed(list(_layers(packet))) if type(each) in _FIELDS)
    length = len(bytes(layer))
    at, size = _FIELDS[type(layer)]
    place = len(whole) - length + at
    return whole[:place] + _beginning(layer, length, size) + whole[place + size :]


def _layers(packet: Packet) -> Iterator[Packet]:
    while packet:
        yield packet
        packet = packet.payload


def _beginning(layer: Packet, length: int, size: int) -> bytes:
    if size == 4:
        return bytes(size)
    below = layer.underlayer
    destination = None
    while not isinstance(below, IP | IPv6):
        if isinstance(below, IPv6ExtHdrSegmentRouting) and below.segleft:
            destination = below.addresses[0]
        below = below.underlayer
    family = socket.AF_INET if isinstance(below, IP) else socket.AF_INET6
    addresses = b"".join(
        socket.inet_pton(family, each) for each in (below.src, destination or below.dst)
    )
    protocol = 6 if isinstance(layer, TCP) else 17
    total = sum(struct.unpack(f"!{len(addresses) // 2}H", addresses)) + protocol + length
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", total)


def sent_on(
    soft: Lab, frames: list[bytes], place: Path, checksum: str = "software", batch: int = 64
) -> tuple[list[bytes], np.void, Account]:
    """Have frames reflected; return what came back, turned round again, and what was counted."""
    wrpcap(str(place), [Ether(frame) for frame in frames])
    with (
        Engine(
            soft.port, action="reflect", worker=Worker(checksum=checksum), batch=batch
        ) as engine,
        Engine(soft.peer, sampling=Sampling(every=1, bytes=2048)) as back,
    ):
        traffic = Traffic(soft.peer, soft.port, replay=place, rate="max")
        book = engine.ledger(traffic)
        traffic.start().wait(30)
        assert eventually(lambda: back.telemetry.counters()["samples"] == len(frames))
        samples, _ = back.telemetry.samples()
        came = [bytes(each["bytes"][: each["captured"]]) for each in samples]
        account = book.settle(30)
        counters = engine.telemetry.counters()
    return [frame[6:12] + frame[:6] + frame[12:] for frame in came], counters, account


@pytest.fixture
def soft() -> Iterator[Lab]:
    with Lab(backend="soft") as made:
        yield made


def test_an_unfinished_checksum_is_finished_wherever_it_is(soft: Lab, tmp_path: Path) -> None:
    frames = [unfinished(packet) for packet in PACKETS.values()]
    came, counters, account = sent_on(soft, frames, tmp_path / "x.pcap")
    wrong = {
        name: (frame.hex(), right(packet).hex())
        for (name, packet), frame in zip(PACKETS.items(), came, strict=True)
        if frame != right(packet)
    }
    assert not wrong
    assert counters["checksums_finished"] == account.packets("checksum finished") == len(frames)
    assert counters["checksums_unfinished"] == 0
    assert account.balanced
    assert "received with an unfinished checksum; the worker finished it" in account.explain()


def _untouchable() -> list[bytes]:
    """Build frames that are right, wrong in another way, or no whole packet."""
    frames = [right(packet) for packet in PACKETS.values()]
    long = Raw(random.Random(1).randbytes(3000))
    pieces = [
        *fragment(V4 / UDP(sport=5000, dport=7) / long, 1400),
        *fragment6(V6 / IPv6ExtHdrFragment() / UDP(sport=5000, dport=7) / long, 1400),
    ]
    frames += [bytes(MACS / piece) for piece in pieces]
    # A datagram's first piece with the beginning of a checksum in it: of another length.
    first = bytearray(bytes(MACS / pieces[0]))
    first[40:42] = unfinished(V4 / DATAGRAM)[40:42]
    frames.append(bytes(first))
    frames.append(right(V4 / UDP(chksum=0) / WORDS))
    for packet in (V4 / DATAGRAM, V6 / SEGMENT):
        whole = bytearray(right(packet))
        whole[-1] ^= 1
        frames.append(bytes(whole))
        begun = bytearray(unfinished(packet))
        begun[-1] ^= 1
        # Not the pattern: one off.
        place = (
            len(begun) - len(bytes(packet.lastlayer().underlayer)) + (6 if UDP in packet else 16)
        )
        begun[place + 1] ^= 1
        frames.append(bytes(begun))
    # What its header says is longer than what came.
    frames.append(unfinished(V4 / DATAGRAM)[:-1])
    frames.append(unfinished(V6 / SEGMENT)[:-1])
    return [frame.ljust(60, b"\0") for frame in frames]


def test_what_is_right_or_wrong_otherwise_is_sent_on_as_it_came(soft: Lab, tmp_path: Path) -> None:
    frames = _untouchable()
    came, counters, account = sent_on(soft, frames, tmp_path / "x.pcap")
    assert came == frames
    assert counters["checksums_finished"] == 0
    assert account.explain() == "Every packet arrived."


def test_bytes_that_only_fill_the_frame_are_not_in_its_checksum(soft: Lab, tmp_path: Path) -> None:
    packet = V4 / UDP(sport=5000, dport=7) / Raw(b"x")
    padding = b"\xff" * 20
    came, _, _ = sent_on(soft, [unfinished(packet) + padding], tmp_path / "x.pcap")
    assert came == [right(packet) + padding]


def test_told_to_leave_checksums_alone_the_ledger_says_what_that_costs(
    soft: Lab, tmp_path: Path
) -> None:
    frames = [unfinished(V4 / DATAGRAM)] * 3
    came, counters, account = sent_on(soft, frames, tmp_path / "x.pcap", "none", 1)
    assert came == frames
    assert counters["checksums_finished"] == 0
    assert account.packets("checksum unfinished") == 3
    said = account.explain()
    assert "Every packet arrived" not in said
    assert "UdpInCsumErrors" in said
    assert "engine.checksum = 'software'" in said
    assert "ethtool -K switches tx off where it sends" in said


def test_a_device_is_asked_only_by_an_engine_that_has_room_for_the_request(lab: Lab) -> None:
    with (
        Engine(lab.port) as engine,
        pytest.raises(ConfigurationError, match=r"worker=Worker\(checksum='device'\)"),
    ):
        engine.checksum = "device"


def test_a_soft_nic_finishes_no_checksum(soft: Lab) -> None:
    with pytest.raises(ConfigurationError, match="a soft NIC finishes none"):
        Engine(soft.port, worker=Worker(checksum="device"))


@pytest.mark.kernel
def test_frames_of_its_own_leave_an_engine_that_asks_the_device(lab: Lab) -> None:
    asks = Worker(checksum="device")
    with (
        Engine(lab.port) as far,
        Engine(lab.peer, stream=Stream(lab.port, rate=500, count=100), worker=asks) as engine,
    ):
        assert eventually(lambda: far.telemetry.counters()["rx_packets"] == 100)
        assert engine.telemetry.counters()["tx_invalid_descs"] == 0
    with Engine(lab.port) as far, Capture(lab.peer, worker=asks) as capture:
        longest = 2048 - 24  # less the room in front of it, where the kernel looks for a request
        with pytest.raises(ConfigurationError, match=r"14 .* to 2,024"):
            capture.send([bytes(longest + 1)])
        capture.send([right(V4 / DATAGRAM)] * 10)
        assert eventually(lambda: far.telemetry.counters()["rx_packets"] == 10)


@pytest.mark.kernel
def test_what_a_capture_sends_on_is_left_to_the_device(lab: Lab) -> None:
    frame = unfinished(V4 / DATAGRAM)
    with Capture(lab.port, worker=Worker(checksum="device")) as capture, Capture(lab.peer) as far:
        far.send([frame] * 10)
        returned = 0
        for batch in capture:
            capture.send(batch)
            returned += len(batch)
            if returned >= 10:
                break
        capture.refresh()
        assert capture.telemetry.counters()["checksums_asked"] == 10
        came = next(iter(far))
        # The veth of a lab has no such offload, so the kernel does it.
        assert came[0].tobytes() == right(V4 / DATAGRAM)


def test_who_finishes_checksums_is_a_knob_like_any_other(lab: Lab) -> None:
    with Engine(lab.port, worker=Worker(checksum="none")) as engine:
        assert engine.checksum == "none"
        engine.checksum = "software"
        undo.undo(engine)
        assert engine.checksum == "none"
        for wrong in ("Software", "", None, True, 1, ["none"]):
            with pytest.raises(ConfigurationError, match="software, none"):
                engine.checksum = wrong  # type: ignore[assignment]
            with pytest.raises(ConfigurationError, match="software, none"):
                Engine(lab.port, worker=Worker(checksum=wrong))  # type: ignore[arg-type]
