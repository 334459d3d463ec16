"""An engine that takes what its match takes, and leaves all else to the stack."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.capture_files import pcap
from support.loads import RING
from support.pings import all_answered
from support.waiting import eventually

from xdplab import Capture, ConfigurationError, Engine, Lab, Ledger, Traffic
from xdplab.net.packet_filter import PacketFilter

ADDRESSES = {"src": "198.18.0.2", "dst": "198.18.0.1"}

# Between them they have each instruction of classic BPF that libpcap makes, and each way to use it.
FILTERS = [
    "udp",
    "tcp port 80",
    "udp portrange 10-60",
    "ip6",
    "ip6 and udp port 53",
    "net 198.18.0.0/16 and not tcp",
    "vlan and udp",
    "vlan 7 and udp port 53",
    "greater 300",
    "len > 100 and len < 700",
    "ip[0] & 0xf > 5",
    "ip[0] & 0xf > 5 and udp port 53",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "ether[0] & 1 = 1",
    "udp[4:2] / 2 > 30",
    "udp[4:2] % 3 = 1",
    "ip[8] << 2 = 256",
    "ip[8] >> 4 = 4",
    "udp[4:2] / (ip[9] - 17) = 1",
    "udp[4:2] % (ip[9] & 3) = 0",
    "ip[8] << ip[9] = 0",
    "1 << (ip[9] & 7) = 2",
    "-ip[8] + 64 = 0",
    "ip[2:2] * ip[8] - len | 3 != 7",
    "(ip[2:2] ^ len) & 1 = 1",
    "udp[8:4] = 0x41424344",
    "ether[1400] = 0x41",
    "ether[65530:4] = 0",
    "ether[4294967295] = 0",
    "ether[(ip[2:2] & 0xff) + 14] = 0x41",
    "(ip[2:2] * 70000) & 0xff = 1 or ether[ip[2:2] * 70000] = 0",
    "icmp[0] = 8 or (tcp[13] = 2 and (ip[12:4] = ip[16:4] + 1 or tcp[0:2] > tcp[2:2]))",
]


def frames() -> list[bytes]:
    """Make frames of many kinds, whole and cut off, none of which is housekeeping."""
    from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
    from scapy.packet import Raw

    dice = random.Random(1)
    start = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")
    ipv4, ipv6 = IP(**ADDRESSES), IPv6(src="2001:db8::2", dst="2001:db8::1")
    whole = [
        *(start / ipv4 / UDP(sport=9, dport=port) / Raw(b"ABCD" * port) for port in (9, 53, 200)),
        *(start / ipv4 / TCP(dport=port, flags=flags) for port in (80, 81) for flags in "SFA"),
        *(start / IP(**ADDRESSES, options=[IPOption_NOP()] * n) / UDP(dport=53) for n in (4, 40)),
        *(start / Dot1Q(vlan=tag) / ipv4 / UDP(dport=53) / Raw(bytes(40)) for tag in (7, 8)),
        start / Dot1AD(vlan=5) / Dot1Q(vlan=7) / ipv4 / UDP(dport=53) / Raw(bytes(40)),
        start / IP(**ADDRESSES, ttl=1) / ICMP(type=3) / Raw(bytes(40)),
        start / ipv6 / UDP(dport=53) / Raw(b"A" * 1400),
        start / ipv6 / TCP(dport=80) / Raw(bytes(300)),
        start / IP(**ADDRESSES, frag=100) / Raw(dice.randbytes(64)),
        Ether(dst="ff:ff:ff:ff:ff:ff", type=0x88B5) / Raw(dice.randbytes(46)),
    ]
    made = [bytes(packet) for packet in whole]
    made += [each[: dice.randrange(14, len(each))] for each in made]
    made += [each[:12] + b"\x08\x00" + dice.randbytes(dice.randrange(60)) for each in made]
    # Each has its number at its end, so that all are different.
    return [each + number.to_bytes(2, "big") for number, each in enumerate(made)]


FRAMES = frames()


def captured(capture: Capture, wanted: Sequence[bytes]) -> list[bytes]:
    """Receive packets until there are as many as wanted."""
    found: list[bytes] = []

    def more() -> bool:
        found.extend(bytes(packet) for packet in capture.recv(timeout=0.1))
        return len(found) >= len(wanted)

    assert eventually(more)
    return found


@pytest.mark.parametrize("part", range(4))
def test_a_match_takes_just_what_libpcap_lets_pass(lab: Lab, tmp_path: Path, part: int) -> None:
    (tmp_path / "frames").write_bytes(pcap(FRAMES, range(0, len(FRAMES) * 1000, 1000)))
    with Capture(lab.port, ring_size=RING) as capture:
        for text in FILTERS[part::4]:
            wanted = [frame for frame in FRAMES if PacketFilter(text).matches(frame)]
            before = capture.verdicts()
            capture.reconfigure(match=text)
            with Traffic(lab.peer, lab.port, replay=tmp_path / "frames") as traffic:
                assert traffic.wait(60)
                assert captured(capture, wanted) == wanted, text
            unmatched = len(FRAMES) - len(wanted)
            assert eventually(
                lambda: capture.verdicts().unmatched - before.unmatched == unmatched  # noqa: B023
            ), text
            assert capture.verdicts().redirected - before.redirected == len(wanted), text


def test_filters_take_some_frames_and_leave_others() -> None:
    taken = [sum(map(PacketFilter(text).matches, FRAMES)) for text in FILTERS]
    assert all(count < len(FRAMES) for count in taken)
    assert [text for text, count in zip(FILTERS, taken, strict=True) if not count] == [
        "udp[4:2] / (ip[9] - 17) = 1",  # divides by zero, which no frame passes
        "ether[65530:4] = 0",  # the rest read beyond the end of every frame
        "ether[4294967295] = 0",
        "(ip[2:2] * 70000) & 0xff = 1 or ether[ip[2:2] * 70000] = 0",
    ]


def test_the_stack_goes_on_while_a_match_takes_what_is_for_it(lab: Lab) -> None:
    with (
        Engine(lab.port, match="udp port 9", ring_size=RING) as engine,
        Traffic(lab.peer, lab.port, rate=1000, count=200) as traffic,
    ):
        ledger = Ledger(engine, traffic)
        assert all_answered(lab.peer, lab.port.ipv4, 30)
        assert all_answered(lab.peer, lab.port.ipv6, 30)
        assert traffic.wait(60)
        assert eventually(lambda: engine.verdicts().redirected == 200)
        account = ledger.settle(30)
        assert account.balanced, account
        assert account.packets("not taken by match") >= 60
        assert not any(stage.packets for stage in account.stages if stage.lost)
        words = (
            "went to the stack untouched: match='udp port 9' does not take them. That is no loss"
        )
        assert words in account.explain()
        engine.reconfigure(match="")
        assert not lab.peer.ping(lab.port.ipv4).received


def test_an_empty_match_is_none(lab: Lab) -> None:
    with Engine(lab.port, match="") as engine:
        assert not lab.peer.ping(lab.port.ipv4).received
        assert eventually(lambda: engine.verdicts().redirected == 1)
        assert engine.verdicts().unmatched == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"match": "udp port"}, r"match='udp port': .*syntax error"),
        ({"match": "udp\0"}, "match='udp\\\\x00' must be text"),
        ({"match": 80}, "match=80 must be text"),
        ({"match": " or ".join(f"host ::{n}" for n in range(150))}, "instructions, and 1,600 at"),
        ({"match": "ip6 protochain 17"}, "has a loop"),
        pytest.param(
            {"match": "udp", "path": "packet"}, "match='udp' is AF_XDP's", marks=pytest.mark.kernel
        ),
    ],
)
def test_a_match_that_can_not_be_is_refused_before_anything_is_touched(
    lab: Lab, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Engine(lab.port, **settings)  # type: ignore[arg-type]
    assert lab.peer.ping(lab.port.ipv4).received


def test_a_match_that_is_refused_leaves_the_one_before(lab: Lab) -> None:
    with Engine(lab.port, match="udp port 9") as engine:
        for refused in ("udp port", "ip6 protochain 17"):
            with pytest.raises(ConfigurationError):
                engine.reconfigure(match=refused)
        assert engine.configuration.match == "udp port 9"
        assert lab.peer.ping(lab.port.ipv4).received
