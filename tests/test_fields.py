"""Header fields of packets in memory: what they hold, what can be written, and what is refused."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrSegmentRouting
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Packet
from support.installs import SOURCE
from support.packets import answers, packets, placed, with_right_checksums

import xdplab
from xdplab import ConfigurationError
from xdplab.fields import FIELDS, FRAME, address, read, swap, write

UDP_PACKET = Ether(src="02:00:00:00:00:01") / IP(src="198.18.0.1") / UDP(dport=53) / b"hello"
TCP_PACKET = Ether() / Dot1Q(vlan=7, prio=3) / IPv6(src="2001:db8::1") / TCP(dport=80)


def frames_of(*many: Packet) -> tuple[Any, Any]:
    return placed([bytes(each) for each in many])


def test_the_table_names_each_field_once() -> None:
    assert xdplab.FIELDS is FIELDS
    assert all(field.name == name for name, field in FIELDS.items())
    assert [field.index for field in FIELDS.values()] == list(range(len(FIELDS)))
    assert FIELDS["udp.dport"].dtype == np.uint16
    assert not FIELDS["udp.length"].writable
    assert "udp.dport" in str(FIELDS)
    assert "destination port" in FIELDS._repr_html_()


def test_the_page_lists_each_field_as_it_is() -> None:
    rows = re.findall(
        r"^\| `([\w.]+)` \| (\w+) \| (.+) \| (\w*) \|$",
        (SOURCE / "docs/fields.md").read_text(),
        re.MULTILINE,
    )
    assert rows == [
        (each.name, str(each.bits), each.about, "yes" if each.writable else "")
        for each in FIELDS.values()
    ]


def test_a_frame_without_the_header_is_masked() -> None:
    area, frames = frames_of(UDP_PACKET, TCP_PACKET, Ether() / ARP())
    assert read("udp.dport", area, frames).tolist() == [53, None, None]
    assert read("vlan.id", area, frames).tolist() == [None, 7, None]
    assert read("eth.type", area, frames).tolist() == [0x800, 0x86DD, 0x806]
    assert read("ip.protocol", area, frames).tolist() == [17, 6, None]
    assert read("arp.op", area, frames).tolist() == [None, None, 1]
    assert read("ipv6.src", area, frames).mask.all(axis=1).tolist() == [True, False, True]


def test_no_frames_are_no_values() -> None:
    area, frames = frames_of()
    assert read("udp.dport", area, frames).shape == (0,)
    assert read("ipv6.src", area, frames).shape == (0, 16)
    assert write("udp.dport", area, frames, 5) == write("ipv6.src", area, frames, "::1") == 0


def test_values_are_a_copy() -> None:
    area, frames = frames_of(UDP_PACKET)
    ports = read("udp.dport", area, frames)
    ports += 1
    assert ports.tolist() == [54]
    assert read("udp.dport", area, frames).tolist() == [53]


def test_the_outer_of_two_tags_is_read_and_both_are_passed() -> None:
    area, frames = frames_of(Ether() / Dot1AD(vlan=100, prio=5) / Dot1Q(vlan=7) / IP() / UDP())
    assert read("vlan.id", area, frames).tolist() == [100]
    assert read("vlan.pcp", area, frames).tolist() == [5]
    assert read("eth.type", area, frames).tolist() == [0x800]
    assert not read("udp.dport", area, frames).mask.any()


def test_a_later_fragment_has_no_transport_header() -> None:
    area, frames = frames_of(Ether() / IP(frag=1) / UDP(), Ether() / IP(flags="MF") / UDP())
    assert read("udp.dport", area, frames).mask.tolist() == [True, False]
    assert read("ipv4.protocol", area, frames).tolist() == [17, 17]


def test_padding_of_ethernet_is_no_header() -> None:
    cut = Ether() / IP(len=24) / UDP(sport=1, dport=2)
    area, frames = frames_of(cut)
    assert read("udp.dport", area, frames).mask.all()


def test_addresses_are_compared_with_what_a_user_types() -> None:
    area, frames = frames_of(UDP_PACKET, TCP_PACKET)
    assert (read("ipv4.src", area, frames) == address("198.18.0.1")).tolist() == [True, None]
    assert (read("eth.src", area, frames) == address("2:0:0:0:0:1")).tolist() == [True, False]
    found = (read("ipv6.src", area, frames) == address("2001:db8::1")).all(axis=1)
    assert found.tolist() == [None, True]


@pytest.mark.parametrize("text", ["198.18.0.256", "2001:db8::1::", "02:00", "", "eth0", 5, None])
def test_text_that_is_no_address_is_refused(text: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"text=.* such as '198\.18\.0\.1'"):
        address(text)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("udp.dport", 5, [5, None]),
        ("udp.dport", [5, 6], [5, None]),
        ("udp.dport", np.array([5, 6], np.int8), [5, None]),
        ("udp.dport", np.ma.array([5, 6], mask=[True, False]), [53, None]),
        ("udp.dport", np.ma.masked, [53, None]),
        ("ipv4.ttl", np.ma.array([70000, 6], mask=[True, False]), [64, None]),
        ("ipv4.src", "10.9.0.1", [0x0A090001, None]),
        ("ipv4.src", ["10.9.0.1", "10.9.0.2"], [0x0A090001, None]),
        ("ipv4.src", np.ma.array(["10.9.0.1", "10.9.0.2"], mask=[1, 0]), [0xC6120001, None]),
        ("eth.src", "02:00:00:00:00:09", [0x020000000009] * 2),
        ("eth.src", [1, 2], [1, 2]),
        ("tcp.dport", 81, [None, 81]),
        ("vlan.pcp", 7, [None, 7]),
    ],
)
def test_values_are_spread_over_the_frames_and_masked_ones_left(
    name: str, values: Any, expected: list[Any]
) -> None:
    area, frames = frames_of(UDP_PACKET, TCP_PACKET)
    write(name, area, frames, values)
    assert read(name, area, frames).tolist() == expected


@pytest.mark.parametrize(
    "values", ["2001:db8::9", ["2001:db8::9"] * 2, address("2001:db8::9"), [[0x20, 1, 13, 184]]]
)
def test_ipv6_addresses_are_text_or_16_bytes(values: Any) -> None:
    if len(values) == 1:
        values = np.array(values[0] + [0] * 11 + [9])
    area, frames = frames_of(UDP_PACKET, TCP_PACKET)
    assert write("ipv6.dst", area, frames, values) == 1
    found = read("ipv6.dst", area, frames)
    assert bytes(found[1].data) == bytes(address("2001:db8::9"))  # type: ignore[arg-type]


def test_it_is_told_how_many_frames_were_written() -> None:
    area, frames = frames_of(UDP_PACKET, TCP_PACKET, UDP_PACKET)
    assert write("udp.dport", area, frames, 9) == 2
    assert write("udp.dport", area, frames, np.ma.array([1, 2, 3], mask=[1, 1, 0])) == 1
    assert write("arp.op", area, frames, 2) == 0


def test_what_is_read_can_be_changed_and_written_back() -> None:
    area, frames = frames_of(UDP_PACKET, TCP_PACKET, Ether() / ARP(), UDP_PACKET)
    before = area.copy()
    for name in (name for name, field in FIELDS.items() if field.writable):
        write(name, area, frames, read(name, area, frames))
    assert np.array_equal(area, before)
    hops = read("ipv4.ttl", area, frames)
    hops -= 1
    write("ipv4.ttl", area, frames, hops)
    assert read("ipv4.ttl", area, frames).tolist() == [63, None, None, 63]


def test_frames_may_be_every_second_of_a_list() -> None:
    area, frames = frames_of(UDP_PACKET, TCP_PACKET, UDP_PACKET)
    assert read("udp.dport", area, frames[::2]).tolist() == [53, 53]
    assert write("udp.dport", area, frames[::2], [1, 2]) == 2
    assert read("udp.dport", area, frames).tolist() == [1, None, 2]


@given(packets, st.sampled_from(["eth", "ipv4", "ipv6", "udp", "tcp"]))
def test_swapped_ends_keep_the_checksums_right(packet: Packet, header: str) -> None:
    frame = with_right_checksums(bytes(packet))
    there = answers(frame)
    ends = [name for name in there if re.match(rf"{header}\.(src|dst|[sd]port)", name)]
    area, frames = placed([frame])
    assert swap(header, area, frames) == bool(ends)
    after = answers(bytes(area))
    assert bytes(area) == with_right_checksums(bytes(area))
    for one, other in itertools.permutations(ends, 2):
        assert after[one] == there[other]


def test_a_routed_packet_keeps_its_checksum_whichever_destination_it_has() -> None:
    route = IPv6ExtHdrSegmentRouting(addresses=["2001:db8::5"], segleft=1, lastentry=0)
    packet = Ether() / IPv6(src="2001:db8::1", dst="2001:db8::2") / route / UDP() / b"hello"
    area, frames = frames_of(packet)
    write("ipv6.dst", area, frames, "2001:db8::7")
    assert bytes(area) == with_right_checksums(bytes(area))
    write("ipv6.src", area, frames, "2001:db8::8")
    assert bytes(area) == with_right_checksums(bytes(area))
    swap("ipv6", area, frames)
    assert bytes(area) == with_right_checksums(bytes(area))


def test_a_wrong_checksum_stays_wrong() -> None:
    area, frames = frames_of(Ether() / IP(chksum=1) / ICMP(chksum=1))
    write("ipv4.ttl", area, frames, 9)
    write("icmp.type", area, frames, 0)
    assert bytes(area) != with_right_checksums(bytes(area))


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("udp.prt", "Did you mean 'udp.sport' or"),
        ("ttl", "Did you mean 'ipv4.ttl'"),
        ("ipv6", "Did you mean 'ipv6.src' or"),
        ("", r"print\(xdplab\.FIELDS\) lists them"),
        (5, r"field=5 is no field.*print\(xdplab\.FIELDS\)"),
    ],
)
def test_a_field_that_is_not_there_is_answered_with_the_nearest(field: Any, words: str) -> None:
    area, frames = frames_of(UDP_PACKET)
    for call in (lambda: read(field, area, frames), lambda: write(field, area, frames, 5)):
        with pytest.raises(ConfigurationError, match=words):
            call()


@pytest.mark.parametrize(
    "field", [name for name, field in FIELDS.items() if not field.writable], ids=str
)
def test_a_field_that_others_hang_on_is_not_written(field: str) -> None:
    area, frames = frames_of(UDP_PACKET)
    with pytest.raises(ConfigurationError, match=f"field='{field}' can't be written: .* anew"):
        write(field, area, frames, 5)


@pytest.mark.parametrize(
    ("field", "values", "words"),
    [
        ("udp.dport", 65536, "0 to 65535, for udp.dport: 65536 is out of range"),
        ("udp.dport", -1, "-1 is out of range"),
        ("vlan.id", [1, 4096], "0 to 4095, for vlan.id: 4096"),
        ("ipv4.ttl", np.array([1, 256]), "256 is out of range"),
        ("ipv4.ttl", 2**70, "whole numbers, 0 to 255"),
        ("udp.dport", 1.0, "whole numbers"),
        ("udp.dport", True, "whole numbers"),
        ("udp.dport", "53", "whole numbers"),
        ("udp.dport", None, "whole numbers"),
        ("udp.dport", [[1], [2, 3]], "whole numbers"),
        ("udp.dport", [1, 2, 3], r"shape \(3,\), for 2 frames: give one"),
        ("ipv4.src", "2001:db8::1", r"such as '198\.18\.0\.1'"),
        ("ipv4.src", "198.18.0", "must be an address"),
        ("eth.src", "198.18.0.1", "such as '02:00:00:00:00:01'"),
        ("ipv6.src", 5, "text such as '2001:db8::1', or 16 bytes"),
        ("ipv6.src", [256] * 16, "256 is out of range"),
        ("ipv6.src", ["2001:db8::1"] * 3, "give one value for all, or one for each"),
    ],
)
def test_values_that_can_not_be_written_are_refused_and_nothing_is(
    field: str, values: Any, words: str
) -> None:
    area, frames = frames_of(UDP_PACKET, TCP_PACKET)
    before = area.copy()
    with pytest.raises(ConfigurationError, match=f"values.*{words}"):
        write(field, area, frames, values)
    assert np.array_equal(area, before)


@pytest.mark.parametrize(
    ("length", "begin"), [(2**32 - 1, 0), (1, 10_000), (10_000, 0), (2, 2**64 - 1)]
)
def test_a_frame_outside_of_the_area_is_refused_and_nothing_is_written(
    length: int, begin: int
) -> None:
    area, frames = frames_of(UDP_PACKET, TCP_PACKET)
    frames[1] = (begin, length, 0)
    before = area.copy()
    for call in (
        lambda: read("eth.dst", area, frames),
        lambda: write("eth.dst", area, frames, 5),
        lambda: swap("eth", area, frames),
    ):
        with pytest.raises(ConfigurationError, match=rf"frames\[1\] is bytes {begin} to .*within"):
            call()
    assert np.array_equal(area, before)


def test_arrays_of_another_kind_are_refused() -> None:
    area, frames = frames_of(UDP_PACKET)
    for wrong in (bytes(area), area[::2], area.astype(np.int8), None):
        with pytest.raises(ConfigurationError, match=r"area=.*contiguous numpy array of uint8"):
            read("eth.dst", wrong, frames)  # type: ignore[arg-type]
    for wrong in ([0], np.zeros(1), frames.reshape(1, 1), frames[0], None):
        with pytest.raises(ConfigurationError, match=r"frames=.*xdplab\.fields\.FRAME"):
            read("eth.dst", area, wrong)  # type: ignore[arg-type]
    fixed = np.frombuffer(bytes(area), np.uint8)
    assert read("udp.dport", fixed, frames).tolist() == [53]
    for call in (lambda: write("eth.dst", fixed, frames, 5), lambda: swap("eth", fixed, frames)):
        with pytest.raises(ConfigurationError, match=r"area=.* read-only.*area\.copy\(\)"):
            call()


def test_a_header_without_two_ends_is_not_swapped() -> None:
    area, frames = frames_of(UDP_PACKET)
    with pytest.raises(ConfigurationError, match="header='icmp' is none of: eth, ipv4"):
        swap("icmp", area, frames)


def test_a_frame_has_the_layout_of_the_kernel() -> None:
    assert FRAME.itemsize == 16
    assert {name: FRAME.fields[name][1] for name in FRAME.names or ()} == {  # type: ignore[index]
        "address": 0,
        "length": 8,
        "options": 12,
    }


def test_numbers_of_python_go_with_every_field() -> None:
    area, frames = frames_of(UDP_PACKET, TCP_PACKET)
    for name, field in FIELDS.items():
        values = read(name, area, frames)
        before = values.copy()
        values += 1
        values *= 1
        values -= 1
        values //= 1
        values |= 1
        assert values.dtype == field.dtype
        assert np.array_equal(np.ma.getmaskarray(values), before.mask)
        assert (values.filled(0) == (before | 1).filled(0)).all()
        assert (before + 1).dtype.kind in "iu"
        assert (before & 1).dtype.kind in "iu"
    multicast = read("eth.dst", area, frames) >> 40 & 1
    assert multicast.tolist() == [1, 1]
