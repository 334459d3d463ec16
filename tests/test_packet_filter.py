"""Packet filters in the syntax of tcpdump."""

from __future__ import annotations

import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdplab import ConfigurationError
from xdplab.net.packet_filter import PacketFilter

ADDRESSES = bytes([198, 18, 0, 2, 198, 18, 0, 1])


def udp(port: int, size: int = 60) -> bytes:
    ipv4 = struct.pack("!BBHIBBH", 0x45, 0, size - 14, 0, 64, 17, 0) + ADDRESSES
    return (bytes(12) + b"\x08\x00" + ipv4 + struct.pack("!HHHH", 1024, port, 8, 0)).ljust(size)


ARP = (bytes(12) + b"\x08\x06").ljust(60, b"\0")


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("", True),
        ("udp", True),
        ("udp port 1234", True),
        ("port 1235", False),
        ("icmp or udp", True),
        ("not udp", False),
        ("src host 198.18.0.2 and dst net 198.18", True),
        ("ip6 host 2001:db8::1", False),
        ("tcp or (udp and dst portrange 1000-2000)", True),
        ("udp[4:2] = 8", True),
        ("vlan and ip", False),
    ],
)
def test_a_frame_passes_or_not_as_with_tcpdump(text: str, passes: bool) -> None:
    assert PacketFilter(text).matches(udp(1234)) is passes
    assert PacketFilter(text).matches(ARP) is (text in ("", "not udp"))


def test_a_frame_of_which_a_part_is_there_has_its_real_length() -> None:
    start = udp(1234, 600)[:64]
    assert PacketFilter("greater 600").matches(start, 600)
    assert not PacketFilter("greater 600").matches(start)
    assert not PacketFilter("less 599").matches(start, 600)
    assert PacketFilter("udp[100] = 32").matches(udp(1234, 600))
    assert not PacketFilter("udp[100] = 32").matches(start, 600)  # beyond what is there


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port", "can't parse filter expression: syntax error"),
        ("host 300.1.1.1", "300.1.1.1"),
        ("tcp port 70000", "illegal port number 70000 > 65535"),
        ("u" * 3000, "too long"),
        ("udp\0", "without NUL"),
    ],
)
def test_what_is_no_expression_is_refused_in_the_words_of_libpcap(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        PacketFilter(text)


WORDS = ["udp", "port", "9", "and", "not", "(", ")", "host", "10.9.0.1", "ip[0]", "&", "=", "vlan"]


@given(
    st.text("()[]<>=!&|:.-+*/ 0123456789") | st.lists(st.sampled_from(WORDS)).map(" ".join),
    st.binary(max_size=100),
    st.integers(0, 2000),
)
def test_any_text_is_a_filter_or_refused(text: str, frame: bytes, more: int) -> None:
    try:
        compiled = PacketFilter(text)
    except ConfigurationError:
        return
    assert compiled.code
    assert isinstance(compiled.matches(frame, len(frame) + more), bool)


WITHOUT = """
import ctypes
def absent(name):
    raise OSError(f"{name}: cannot open shared object file")
ctypes.CDLL = absent
from xdplab.net.packet_filter import PacketFilter
try:
    PacketFilter("udp")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_without_libpcap_the_remedy_is_named() -> None:
    said = subprocess.check_output((sys.executable, "-c", WITHOUT), text=True)
    assert said.startswith("ConfigurationError a packet filter takes libpcap")
    assert "`sudo apt install libpcap0.8`" in said
