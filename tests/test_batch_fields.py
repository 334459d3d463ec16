"""Header fields of a batch: read, set, and chosen by; the packets for scapy and pandas."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from support.batches import batch_of

from xdplab import Capture, ClosedError, ConfigurationError, Lab
from xdplab.capture.batch import Batch

MAC = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
PACKETS = [
    Ether(**MAC)
    / IP(src="198.18.0.1", dst="198.18.0.9", ttl=64)
    / UDP(sport=5000, dport=53)
    / b"q",
    Ether(**MAC)
    / IP(src="198.19.0.1", dst="198.18.0.9", ttl=3)
    / TCP(sport=80, dport=81, flags="SA"),
    Ether(**MAC) / Dot1Q(vlan=7) / IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(),
    Ether(**MAC) / IPv6(src="2001:db8::1", dst="2001:db8:1::2") / UDP(sport=53, dport=5001),
    Ether(**MAC) / ARP(psrc="198.18.0.1", pdst="198.18.0.2"),
]


def made() -> Batch:
    return batch_of([bytes(packet) for packet in PACKETS])


@pytest.fixture
def batch() -> Batch:
    return made()


def chosen(batch: Batch, condition: str) -> list[int]:
    """Return the numbers of the packets that meet a condition."""
    all_of_them = [bytes(packet) for packet in batch]
    return [all_of_them.index(bytes(packet)) for packet in batch.where(condition)]


def test_a_field_is_read_where_a_packet_has_it(batch: Batch) -> None:
    ports = batch["udp.dport"]
    assert ports.tolist() == [53, None, None, 5001, None]
    assert batch[1:]["ipv4.ttl"].tolist()[0] == 3
    assert batch["vlan.id"].tolist() == [None, None, 7, None, None]


def test_a_field_is_set_and_checksums_stay_right(batch: Batch) -> None:
    batch["ipv4.ttl"] -= 1
    batch["ipv4.dst"] = "198.18.0.77"
    batch.where("udp")["udp.dport"] = 99
    for packet in batch.to_scapy():
        again = Ether(bytes(packet))
        if IP in again:
            assert again[IP].dst == "198.18.0.77"
            del again[IP].chksum
        for layer in (TCP, UDP, ICMP):
            if layer in again:
                del again[layer].chksum
        assert bytes(Ether(bytes(again))) == bytes(packet)
    assert batch["ipv4.ttl"].tolist() == [63, 2, 63, None, None]
    assert batch["udp.dport"].tolist() == [99, None, None, 99, None]


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        ("udp.dport == 53", [0]),
        ("udp.dport != 53", [3]),
        ("not udp.dport == 53", [1, 2, 3, 4]),
        ("udp", [0, 3]),
        ("udp.dport", [0, 3]),
        ("!udp", [1, 2, 4]),
        ("udp && ipv6", [3]),
        ("udp || arp", [0, 3, 4]),
        ("tcp and ipv4.ttl < 10", [1]),
        ("udp.dport in (53, 5001)", [0, 3]),
        ("udp.dport not in {53, 99}", [3]),
        ("50 < udp.dport <= 5001", [0, 3]),
        ("53 == udp.sport", [3]),
        ("ipv4.src == 198.18.0.1", [0]),
        ("ipv4.src == '198.18.0.1'", [0]),
        ("ipv4.src in 198.18.0.0/15", [0, 1]),
        ("ipv4.src not in 198.18.0.0/15", [2]),
        ("ipv4.src in (198.18.0.1, 10.0.0.1)", [0, 2]),
        ("ipv6.src == 2001:db8::1", [3]),
        ("ipv6.dst != 2001:db8::1", [3]),
        ("ipv6.src in 2001:db8::/48", [3]),
        ("ipv6.dst in 2001:db8::/48", []),
        ("ipv6.dst in (2001:db8::1, 2001:db8:1::2)", [3]),
        ("eth.src == 02:00:00:00:00:01", [0, 1, 2, 3, 4]),
        ("tcp.flags & 2", [1]),
        ("tcp.flags & 2 == 0", []),
        ("tcp.flags == 0x12", [1]),
        ("vlan.id == 7 and not tcp", [2]),
        ("udp.dport in ()", []),
    ],
)
def test_packets_are_chosen_by_their_fields(
    batch: Batch, condition: str, numbers: list[int]
) -> None:
    assert chosen(batch, condition) == numbers


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("udp.dport = 53", "is none. Write one"),
        ("", "is none. Write one"),
        ("(" * 500, "is none. Write one"),
        ("udp.dprot == 53", "Did you mean 'udp.dport'"),
        ("upd", "upd is no protocol"),
        ("udp.dport == port", "'port' is not understood"),
        ("open('x')", "is not understood"),
        ("udp.dport.real == 1", "is not understood"),
        ("udp.dport + 1 == 54", "is not understood"),
        ("udp.dport is 53", "is not understood"),
        ("udp.dport in 53", "is not understood"),
        ("udp.dport == True", "is not understood"),
        ("ipv4.src == 'example.org'", "must be an address"),
        ("ipv4.src in 198.18.0.0/40", "is no network"),
        ("ipv4.src in 2001:db8::/32", "is a network of IPv6"),
        ("ipv6.src < 2001:db8::1", "compared by =="),
        ("x" * 2000, "must be text such as"),
        (53, "must be text such as"),
        (None, "must be text such as"),
    ],
)
def test_what_is_no_condition_is_refused_in_words(batch: Batch, condition: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        batch.where(condition)


@given(st.text(max_size=80))
def test_no_text_does_more_than_choose_or_be_refused(condition: str) -> None:
    with suppress(ConfigurationError):
        assert len(made().where(condition)) <= len(PACKETS)


def test_what_is_set_by_no_name_is_refused(batch: Batch) -> None:
    with pytest.raises(ConfigurationError, match="set by name"):
        batch[3] = b"packet"  # type: ignore[index]
    with pytest.raises(ConfigurationError, match=r"ipv4\.length"):
        batch["ipv4.length"] = 20


def test_fields_end_with_their_batch() -> None:
    with Lab(backend="soft") as lab, Capture(lab.port) as capture, Capture(lab.peer) as sender:
        sender.send([bytes(PACKETS[0])])
        batch = capture.recv(30)
        capture.try_recv()
        for use in (lambda: batch["udp.dport"], lambda: batch.where("udp"), batch.to_scapy):
            with pytest.raises(ClosedError, match="no longer its own"):
                use()
        with pytest.raises(ClosedError, match="no longer its own"):
            batch["udp.dport"] = 1


def test_scapy_gets_the_same_packets(batch: Batch) -> None:
    found = batch.to_scapy()
    assert [bytes(packet) for packet in found] == [bytes(packet) for packet in batch]
    assert found[3][IPv6].src == "2001:db8::1"


def test_pandas_gets_a_row_a_packet(batch: Batch) -> None:
    table = batch.to_frame("ipv4.src", "udp.dport", "eth.src", "ipv6.dst")
    assert list(table.columns) == [
        *("time", "length", "queue", "ipv4.src", "udp.dport", "eth.src", "ipv6.dst"),
    ]
    assert table["ipv4.src"].dropna().tolist() == ["198.18.0.1", "198.19.0.1", "10.0.0.1"]
    assert table["udp.dport"].sum() == 53 + 5001
    assert table["udp.dport"].isna().sum() == 3
    assert set(table["eth.src"]) == {MAC["src"]}
    assert table["ipv6.dst"].dropna().tolist() == ["2001:db8:1::2"]
    assert (table["length"] == batch.lengths).all()
    assert (pd.Timestamp.now("UTC") - table["time"]).max() < pd.Timedelta(days=1)
    assert "tcp.dport" in batch.to_frame()
    assert np.array_equal(batch[:0].to_frame()["queue"], [])
    with pytest.raises(ConfigurationError, match="is no field"):
        batch.to_frame("udp.prot")
