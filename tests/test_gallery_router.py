"""The router of the gallery: on frames of every kind, on each kind of route, and between hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw
from support.gallery_frames import frames
from support.pings import all_answered
from support.tcp import done, move_tcp
from support.waiting import eventually

from xdplab import GALLERY, Host, Network, Program

pytestmark = pytest.mark.kernel  # which runs the program

COUNTS = (
    *("forwarded", "blackholed", "refused", "not_forwarded", "forwarding_off"),
    *("no_neighbour", "too_long", "expired", "other"),
)
MEGABYTES = 4
PINGS = 20


@pytest.fixture
def routed(privileged: None) -> Iterator[tuple[Network, Program]]:
    """Join a client and a server by a router."""
    with routing() as (net, program):
        program.attach()
        program.attach(net["router", "server"])
        yield net, program


@pytest.fixture
def loaded(privileged: None) -> Iterator[tuple[Network, Program]]:
    """Do the same without attaching the program: no other frame raises its counts."""
    with routing() as made:
        yield made


@contextmanager
def routing() -> Iterator[tuple[Network, Program]]:
    with (
        Network("client-router", "router-server") as net,
        Program(GALLERY["router"], net["router", "client"]) as program,
    ):
        yield net, program


@pytest.fixture(scope="module")
def default_route(privileged: None) -> Iterator[tuple[Network, Program]]:
    """Let the router send all to the server."""
    with routing() as (net, program):
        introduce(net)
        router = net["router", "server"]
        for version, address in (("-4", net["server"].ipv4), ("-6", net["server"].ipv6)):
            done(router, "ip", version, "route", "add", "default", "via", address)
        yield net, program


def introduce(net: Network) -> None:
    """Let hosts know their neighbours for good, so that they never ask."""
    for name in ("client", "server"):
        for here, there in ((net[name], net["router", name]), (net["router", name], net[name])):
            device = here.interface.name
            for version, address in (("-4", there.ipv4), ("-6", there.ipv6)):
                known = (address, "lladdr", there.interface.mac, "nud", "permanent")
                done(here, "ip", version, "neighbour", "replace", *known, "dev", device)


def counts(program: Program) -> dict[str, int]:
    return {name: int(program.variables[name]) for name in COUNTS}


def risen(program: Program, before: dict[str, int]) -> dict[str, int]:
    now = counts(program)
    return {name: now[name] - before[name] for name in now if now[name] != before[name]}


def expected(frame: bytes) -> str:
    """Say what becomes of a frame where the default route leads to a neighbour."""
    kind = int.from_bytes(frame[12:14])
    if frame[0] & 1:
        return "other"
    if kind == 0x800 and len(frame) >= 34:
        return expected4(IP(frame[14:34]), len(frame) - 14)
    if kind == 0x86DD and len(frame) >= 54:
        return expected6(IPv6(frame[14:54]), len(frame) - 14)
    return "other"


def expected4(ip: Packet, room: int) -> str:
    if ip.version != 4 or ip.ihl != 5 or not 20 <= ip.len <= room:
        return "other"
    if any(int(each.split(".")[0]) in {0, 127, *range(224, 256)} for each in (ip.src, ip.dst)):
        return "not_forwarded"
    return "forwarded" if ip.ttl > 1 else "expired"


def expected6(ip: Packet, room: int) -> str:
    if ip.version != 6 or ip.nh == 0 or ip.plen + 40 > room:
        return "other"
    for each in map(ip_address, (ip.src, ip.dst)):
        if each.is_multicast or each.is_link_local or int(each) < 1 << 32:
            return "not_forwarded"
    return "forwarded" if ip.hlim > 1 else "expired"


def forwarded(net: Network, frame: bytes) -> bytes:
    """Return a frame as a router must send it, by scapy."""
    packet = Ether(frame[:14])
    packet.dst, packet.src = net["server"].interface.mac, net["router", "server"].interface.mac
    if packet.type == 0x86DD:
        return bytes(packet) + frame[14:21] + bytes([frame[21] - 1]) + frame[22:]
    header = IP(frame[14:34])
    header.ttl -= 1
    del header.chksum
    return bytes(packet) + bytes(header) + frame[34:]


@settings(max_examples=300)
@given(frame=frames(), to_it=st.integers(0, 7))
def test_each_frame_is_forwarded_or_passed_and_counted(
    default_route: tuple[Network, Program], frame: bytes, to_it: int
) -> None:
    net, program = default_route
    if to_it:
        frame = bytes([frame[0] & 0xFE]) + frame[1:]
    before, outcome = counts(program), expected(frame)
    (run,) = program.test_run(frame, queue=0)
    assert risen(program, before) == {outcome: 1}
    if outcome != "forwarded":
        assert (run.verdict, run.output) == ("PASS", frame)
        return
    assert run.verdict == "REDIRECT"
    right, made = forwarded(net, frame), run.output
    is_ipv4 = frame[12:14] == b"\x08\x00"
    if is_ipv4 and frame[24:26] != checksum_of(frame):
        # What was damaged on its way must not look whole.
        assert made[24:26] != right[24:26]
        made = made[:24] + right[24:26] + made[26:]
    assert made == right


def checksum_of(frame: bytes) -> bytes:
    header = IP(frame[14:34])
    del header.chksum
    return bytes(header)[10:12]


@pytest.mark.parametrize("ttl", [2, 64, 255])
def test_the_checksum_of_each_header_is_right(
    default_route: tuple[Network, Program], ttl: int
) -> None:
    net, program = default_route
    sent = [
        bytes(Ether(dst="02:00:00:00:00:01") / IP(src="192.0.2.1", dst="192.0.2.2", id=n, ttl=ttl))
        for n in range(0, 65536, 16)
    ]
    runs = program.test_run(sent, queue=0)
    assert [run.output for run in runs] == [forwarded(net, frame) for frame in sent]


def test_each_kind_of_route_has_its_count(loaded: tuple[Network, Program]) -> None:
    net, program = loaded
    introduce(net)
    router = net["router", "server"]
    for version, network in (("-4", "192.0.2.{}/32"), ("-6", "2001:db8:ffff::{}/128")):
        for number, kind in enumerate(("blackhole", "unreachable", "prohibit"), 1):
            done(router, "ip", version, "route", "add", kind, network.format(number))
    done(router, "ip", "link", "set", "dev", "to-server", "mtu", "1400")

    def run(packet: Packet, **fields: int) -> tuple[str, dict[str, int]]:
        frame = bytes(Ether(dst=router.interface.mac, **fields) / packet)
        before = counts(program)
        (ran,) = program.test_run(frame, queue=0)
        assert ran.verdict == "REDIRECT" or ran.output == frame
        return ran.verdict, risen(program, before)

    client, server = net["client"], net["server"]
    long = UDP(dport=9) / Raw(bytes(1400))
    for ip, source, target, blocked, other in (
        (IP, client.ipv4, server.ipv4, "192.0.2.{}", "198.51.100.1"),
        (IPv6, client.ipv6, server.ipv6, "2001:db8:ffff::{}", "2001:dead::1"),
    ):
        unknown = str(ip_address(target) + 7)
        for destination, verdict, count in (
            (target, "REDIRECT", "forwarded"),
            (blocked.format(1), "DROP", "blackholed"),
            (blocked.format(2), "PASS", "refused"),
            (blocked.format(3), "PASS", "refused"),
            (other, "PASS", "not_forwarded"),
            (router.ipv4 if ip is IP else router.ipv6, "PASS", "not_forwarded"),
            (unknown, "PASS", "no_neighbour"),
        ):
            packet = ip(src=source, dst=destination) / UDP(dport=9)
            assert run(packet) == (verdict, {count: 1}), destination
        assert run(ip(src=source, dst=target) / long) == ("PASS", {"too_long": 1})
        tagged = Dot1Q(vlan=1) / ip(src=source, dst=target) / UDP(dport=9)
        assert run(tagged) == ("PASS", {"other": 1})
    assert run(ARP()) == ("PASS", {"other": 1})
    for setting in ("ipv4/conf/to-client", "ipv6/conf/to-client"):
        done(router, "sh", "-c", f"echo 0 > /proc/sys/net/{setting}/forwarding")
    for packet in (IP(src=client.ipv4, dst=server.ipv4), IPv6(src=client.ipv6, dst=server.ipv6)):
        assert run(packet / UDP(dport=9)) == ("PASS", {"forwarding_off": 1})


def test_the_stack_answers_for_what_it_does_not_forward(routed: tuple[Network, Program]) -> None:
    net, program = routed
    client, server, router = net["client"], net["server"], net["router", "server"]
    done(router, "ip", "link", "set", "dev", "to-server", "mtu", "1400")
    before = counts(program)

    def said(*words: str) -> str:
        # The kernel limits how often a host is answered so.
        answers: list[str] = []

        def is_answered() -> bool:
            answers.append(client.command(["ping", "-n", "-c1", "-W5", *words]).stdout)
            return "From" in answers[-1]

        assert eventually(is_answered), answers
        return answers[-1]

    first = net["router", "client"]
    assert re.search(f"From {first.ipv4} .*Time to live exceeded", said("-t1", server.ipv4))
    assert re.search(f"From {first.ipv6} .*Hop limit", said("-t1", server.ipv6))
    too_long = ("-Mdo", "-s1400")
    assert "mtu = 1400" in said(*too_long, server.ipv4)
    assert "mtu=1400" in said(*too_long, server.ipv6)
    found = risen(program, before)
    assert found["expired"] >= 2
    assert found["too_long"] >= 2
    assert all_answered(client, server.ipv4), "the stack goes on"


def test_each_packet_between_hosts_is_counted_and_none_takes_the_stack(
    routed: tuple[Network, Program],
) -> None:
    net, program = routed
    client, server, router = net["client"], net["server"], net["router", "client"]
    ends = router, net["router", "server"]

    def arrived() -> int:
        return sum(end.interface.link_statistics()["rx_packets"] for end in ends)

    def added_up() -> bool:
        return arrived() - had == sum(counts(program).values()) - sum(before.values())

    introduce(net)
    had, before, by_stack = arrived(), counts(program), forwards(router)
    for address in (server.ipv4, server.ipv6):
        assert all_answered(client, address, PINGS)
    assert eventually(lambda: risen(program, before).get("forwarded") == 4 * PINGS)
    for address in (server.ipv4, server.ipv6):
        move_tcp(client, server, address, MEGABYTES)
    assert eventually(added_up), (arrived() - had, risen(program, before))
    assert risen(program, before)["forwarded"] * 1500 > MEGABYTES << 20, "of twice as many"
    assert forwards(router) == by_stack


def forwards(router: Host) -> tuple[str, ...]:
    """Return how many packets the stack has forwarded, IPv4 and IPv6."""
    names, values = (
        line.split() for line in done(router, "grep", "^Ip:", "/proc/net/snmp").splitlines()
    )
    ipv6 = done(router, "grep", "Ip6OutForwDatagrams", "/proc/net/snmp6").split()
    return values[names.index("ForwDatagrams")], ipv6[1]


def test_the_stack_finds_a_neighbour_and_the_router_itself_is_reached(
    routed: tuple[Network, Program],
) -> None:
    net, program = routed
    client, server = net["client"], net["server"]
    for address in (server.ipv4, server.ipv6):
        before = counts(program)
        assert all_answered(client, address, PINGS)
        found = risen(program, before)
        assert found["no_neighbour"] >= 1
        assert found["forwarded"] >= PINGS
    for end in (net["router", "client"], net["router", "server"]):
        assert all_answered(client, end.ipv4)
        assert all_answered(server, end.ipv6)
