"""A frame in words: what scapy makes of it, and that nothing breaks it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet

from xdplab.telemetry.dissect import layers, summarize

LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
V4 = IP(src="198.18.0.1", dst="198.18.0.2")
V6 = IPv6(src="2001:db8::1", dst="2001:db8::2")

FRAMES = {
    "UDP": (LINK / V4 / UDP(sport=1024, dport=9), "198.18.0.1:1024", "198.18.0.2:9"),
    "TCP": (LINK / V4 / TCP(sport=80, dport=4000), "198.18.0.1:80", "198.18.0.2:4000"),
    "ICMP": (LINK / V4 / ICMP(), "198.18.0.1", "198.18.0.2"),
    "ARP": (LINK / ARP(psrc="198.18.0.1", pdst="198.18.0.2"), "198.18.0.1", "198.18.0.2"),
    "ICMPv6": (LINK / V6 / ICMPv6EchoRequest(), "2001:db8::1", "2001:db8::2"),
    "IPv4": (LINK / IP(src="198.18.0.1", dst="198.18.0.2", proto=253), "198.18.0.1", "198.18.0.2"),
    "IPv6": (
        LINK / IPv6(src="2001:db8::1", dst="2001:db8::2", nh=59),
        "2001:db8::1",
        "2001:db8::2",
    ),
    "0x88b5": (LINK.copy() / b"experimental", "02:00:00:00:00:01", "02:00:00:00:00:02"),
}
FRAMES["0x88b5"][0].type = 0x88B5


@pytest.mark.parametrize("protocol", FRAMES)
def test_a_frame_says_who_speaks_to_whom_and_how(protocol: str) -> None:
    packet, source, destination = FRAMES[protocol]
    summary = summarize(bytes(packet))
    assert summary[:3] == (source, destination, protocol)
    assert not summary.text.startswith("Ether")


@pytest.mark.parametrize(
    ("packet", "protocol", "source"),
    [
        (LINK / V6 / UDP(sport=7, dport=8), "UDP", "[2001:db8::1]:7"),
        (LINK / V6 / ICMPv6ND_NS(tgt="2001:db8::2"), "ICMPv6", "2001:db8::1"),
        (LINK / Dot1Q(vlan=5) / V4 / UDP(sport=7), "UDP", "198.18.0.1:7"),
    ],
)
def test_versions_and_tags_are_seen_through(packet: Packet, protocol: str, source: str) -> None:
    summary = summarize(bytes(packet))
    assert (summary.protocol, summary.source) == (protocol, source)


def test_what_an_icmp_error_quotes_is_not_taken_for_its_sender() -> None:
    quoted = IP(src="198.18.0.9", dst="198.18.0.8") / UDP(sport=5, dport=6)
    summary = summarize(bytes(LINK / V4 / ICMP(type=3, code=3) / quoted))
    assert summary[:3] == ("198.18.0.1", "198.18.0.2", "ICMP")


def test_layers_have_their_bytes_and_fields() -> None:
    frame = bytes(LINK / V4 / UDP(sport=1024, dport=9) / b"hello")
    found = layers(frame)
    assert [(layer.name, layer.start, layer.end) for layer in found] == [
        ("Ethernet", 0, 14),
        ("IP", 14, 34),
        ("UDP", 34, 42),
        ("Raw", 42, 47),
    ]
    assert ("dst", "198.18.0.2") in found[1].fields
    assert dict(found[2].fields)["sport"] == "1024"
    assert dict(found[3].fields)["load"] == "b'hello'"


def test_padding_of_a_short_frame_is_a_layer_of_its_own() -> None:
    found = layers(bytes(LINK / V4 / UDP(sport=1, dport=2) / b"hi").ljust(60, b"\0"))
    assert [layer.name for layer in found] == ["Ethernet", "IP", "UDP", "Raw", "Padding"]
    assert (found[-1].start, found[-1].end) == (44, 60)


@pytest.mark.parametrize("kept", range(60))
def test_a_truncated_frame_is_read_as_far_as_it_goes(kept: int) -> None:
    frame = bytes(LINK / V4 / TCP(sport=80, options=[("MSS", 1460)]) / b"hello")[:kept]
    names = [layer.name for layer in layers(frame)]
    if kept >= 14:
        assert names[0] == "Ethernet"
    if kept >= 34:
        assert names[1] == "IP"
        assert summarize(frame).source.startswith("198.18.0.1")
    if kept >= 54:
        assert summarize(frame).source == "198.18.0.1:80"


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Anything at all, or a good frame that was damaged somewhere."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=400))
    known = [packet for packet, *_ in FRAMES.values()]
    frame = bytearray(bytes(draw(st.sampled_from(known))) + draw(st.binary(max_size=80)))
    for place, byte in draw(
        st.lists(st.tuples(st.integers(0, len(frame) - 1), st.integers(0, 255)), max_size=8)
    ):
        frame[place] = byte
    return bytes(frame[: draw(st.integers(0, len(frame)))])


@given(frames())
def test_no_bytes_break_it_and_layers_cover_what_they_say(frame: bytes) -> None:
    summary = summarize(frame)
    assert all(isinstance(cell, str) for cell in summary)
    ends = 0
    for layer in layers(frame):
        assert ends <= layer.start <= layer.end <= len(frame)
        ends = layer.end
        assert all(isinstance(text, str) for field in layer.fields for text in field)
