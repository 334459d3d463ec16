"""A capture's filter, in the syntax of tcpdump: what does not pass never reaches Python."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Dot1Q, Ether
from support.loads import RING
from support.waiting import eventually

from xdplab import Capture, ConfigurationError, Lab
from xdplab.native import ffi, lib
from xdplab.net.packet_filter import PacketFilter

MAC = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}


def packet(port: int, layer: type = UDP) -> bytes:
    header = IP(src="198.18.0.1", dst="198.18.0.9") / layer(sport=5000, dport=port)
    return bytes(Ether(**MAC) / header).ljust(60, b"\0")


@pytest.fixture
def ends(lab: Lab) -> Iterator[tuple[Capture, Capture]]:
    with Capture(lab.port, ring_size=RING) as port, Capture(lab.peer) as peer:
        yield port, peer


def ports(capture: Capture, peer: Capture, sent: list[bytes]) -> list[int]:
    """Send packets, and return the ports of those that pass, once all have come."""
    found: list[int] = []
    wanted = came(capture) + len(sent)
    assert peer.send(sent, timeout=30) == len(sent)

    def take() -> bool:
        found.extend(capture.try_recv()["udp.dport"].filled(0).tolist())
        return came(capture) == wanted

    assert eventually(take)
    return found


def came(capture: Capture) -> int:
    capture.refresh()
    return int(capture.telemetry.total()["rx_packets"])


def test_only_what_passes_reaches_python_and_the_rest_is_counted(
    ends: tuple[Capture, Capture],
) -> None:
    port, peer = ends
    ledger = port.ledger()
    port.filter("udp and dst portrange 50-59")
    sent = [packet(number % 100) for number in range(1000)]
    expected = [number % 100 for number in range(1000) if 50 <= number % 100 < 60]
    assert ports(port, peer, sent) == expected
    account = ledger.settle()
    assert account.packets("received by the worker") == 1000
    assert account.unaccounted == 0
    port.try_recv()
    port.refresh()
    assert port.telemetry.total()["filtered"] == 900
    assert port.telemetry.total()["held"] == 0


def test_a_filter_can_be_changed_and_taken_off(ends: tuple[Capture, Capture]) -> None:
    port, peer = ends
    sent = [packet(53), packet(80, TCP), packet(99)]
    for text, expected in (("tcp", 1), ("port 53 or port 99", 2), ("", 3), ("vlan", 0)):
        port.filter(text)
        assert len(ports(port, peer, sent)) == expected


def test_a_filter_stays_when_sockets_are_made_anew(ends: tuple[Capture, Capture]) -> None:
    port, peer = ends
    port.filter("port 53")
    port.reconfigure(ring_size=RING // 2)
    assert ports(port, peer, [packet(53), packet(54)]) == [53]


def test_who_waits_for_what_passes_is_not_woken_by_the_rest(ends: tuple[Capture, Capture]) -> None:
    port, peer = ends
    port.filter("port 53")
    peer.send([packet(99)] * 100)
    began = time.monotonic()
    assert not len(port.recv(timeout=0.3))
    assert time.monotonic() - began >= 0.3


def test_what_is_no_filter_is_refused_and_the_one_before_stays(
    ends: tuple[Capture, Capture],
) -> None:
    port, peer = ends
    port.filter("port 53")
    for text in ("prot 54", "udp and", 53):
        with pytest.raises(ConfigurationError, match="filter="):
            port.filter(text)  # type: ignore[arg-type]
    assert ports(port, peer, [packet(53), packet(54)]) == [53]


FILTERS = (
    "udp",
    "tcp[tcpflags] & tcp-syn != 0",
    "ip[8] > 10 and not broadcast",
    "ether multicast or vlan 7",
    "udp[4:2] * 2 > 40",
    "len % 3 = 1",
    "ip[2:2] - ((ip[0] & 0xf) << 2) != 0",
    "greater 80 or ip6",
    "portrange 1000-2000",
    "(ip[6:2] & 0x1fff) = 0 and icmp[0] / 2 = 4",
)


@given(st.sampled_from(FILTERS), st.binary(max_size=120), st.booleans())
@settings(max_examples=300)
def test_each_packet_passes_or_not_as_libpcap_says(text: str, tail: bytes, whole: bool) -> None:
    start = bytes(Ether(**MAC) / IP() / UDP()) if whole else bytes(Ether(**MAC) / Dot1Q(vlan=7))
    frame = start + tail
    wanted = PacketFilter(text)
    passes = lib.xdplab_filter_passes(wanted.code, len(wanted.code) // 8, frame, len(frame))
    assert passes == wanted.matches(frame)


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 4, st.integers(0, 1 << 32 - 1)), max_size=20))
@settings(max_examples=300)
def test_no_program_leaves_its_packet_or_runs_for_ever(program: list[tuple[int, ...]]) -> None:
    code = b"".join(
        struct.pack("=HBBI", instruction, jt % 4, jf % 4, k % 64)
        for instruction, jt, jf, _, k in program
    )
    end = struct.pack("=HBBI", 0x06, 0, 0, 1)
    frame = ffi.new("uint8_t[]", bytes(20))
    assert lib.xdplab_filter_passes(code + end, len(program) + 1, frame, 20) in (-22, 0, 1)
