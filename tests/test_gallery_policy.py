"""The identity policy of the gallery: on frames of every kind, and between hosts."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw
from support.gallery_frames import frames, value
from support.pings import all_answered

from xdplab import GALLERY, ConfigurationError, Host, Lab, MissingKeyError, Network, Policy, Program

pytestmark = pytest.mark.kernel  # which runs the program

PASS, DROP = "PASS", "DROP"
PORT = 5432
ETHERNET = Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02")  # else scapy asks for them


@pytest.fixture(scope="module")
def loaded(privileged: None) -> Iterator[Program]:
    with Lab() as lab, Program(GALLERY["policy"], lab.port) as program:
        yield program


@pytest.fixture
def policy(loaded: Program) -> Policy:
    """Return a policy without anything."""
    for name in ("identities4", "identities6", "rules"):
        loaded.maps[name].clear()
    loaded.variables["edition"] += 1
    made = Policy(loaded)
    made.otherwise, made.trace = "pass", "none"
    return made


def addresses_of(frame: bytes) -> tuple[bytes, bytes] | None:
    """Return source and destination of an IP packet."""
    for version in ("ipv4", "ipv6"):
        found = [value(f"{version}.{end}", frame, None) for end in ("src", "dst")]
        if found[0] is not None:
            size = 4 if version == "ipv4" else 16
            return tuple(  # type: ignore[return-value]
                each.to_bytes(size) if isinstance(each, int) else bytes(each) for each in found
            )
    return None


def decided(frame: bytes, rules: dict[tuple[int, int, int, int], int], otherwise: int) -> int:
    """Say which verdict a frame gets from the first address to the second, whose numbers are 1, 2.

    By the engine's own reader of fields.
    """
    protocol = value("ip.protocol", frame)
    source, target = (
        value(f"udp.{end}", frame, value(f"tcp.{end}", frame, 0)) for end in ("sport", "dport")
    )
    for port in ((protocol, target), (0, 0)):
        if (1, 2, *port) in rules:
            return rules[1, 2, *port]
    flags = value("tcp.flags", frame, None)
    opens = protocol == 6 and (flags is None or flags & 0x12 == 2)
    for port in ((protocol, source), (0, 0)):
        if (2, 1, *port) in rules:
            return 2 if not opens and rules[2, 1, *port] == 2 else otherwise
    return otherwise


@settings(max_examples=300)
@given(frame=frames(), drawn=st.data())
def test_each_frame_gets_the_verdict_of_its_rule(loaded: Program, frame: bytes, drawn: Any) -> None:
    maps, verdicts = loaded.maps, st.sampled_from([1, 2])
    for name in ("identities4", "identities6", "rules"):
        maps[name].clear()
    otherwise = loaded.variables["otherwise"] = drawn.draw(verdicts)
    protocol = value("ip.protocol", frame)
    ports = [
        value(f"udp.{end}", frame, value(f"tcp.{end}", frame, 0)) for end in ("sport", "dport")
    ]
    some = st.sampled_from([(0, 0), *((protocol, port) for port in ports), (protocol, 7)])
    pairs = st.sampled_from([(1, 2), (2, 1)])
    rules = {
        (*drawn.draw(pairs), *drawn.draw(some)): drawn.draw(verdicts)
        for _ in range(drawn.draw(st.integers(0, 3)))
    }
    maps["rules"].update(
        {(a, b, c, 0, port): (verdict, 1) for (a, b, c, port), verdict in rules.items()}
    )
    loaded.variables["edition"] += 1
    addresses = addresses_of(frame)
    if addresses is None:
        assert_run(loaded, frame, PASS)
        return
    if addresses[0] == addresses[1]:
        return
    bits = 8 * len(addresses[0])
    identities = maps["identities4" if bits == 32 else "identities6"]
    identities[(0, [0] * len(addresses[0]))] = 3
    for number, address in enumerate(addresses, 1):
        identities[(bits, list(address))] = number
    wanted = decided(frame, rules, otherwise)
    if protocol == 58 and bits == 128 and value("icmp.type", frame, 0) in range(133, 138):
        wanted = 2
    assert_run(loaded, frame, DROP if wanted == 1 else PASS)


def assert_run(program: Program, frame: bytes, verdict: str) -> None:
    # The second time, it may be decided as before.
    for run in program.test_run([frame, frame]):
        assert (run.verdict, run.output) == (verdict, frame)


def test_rules_are_by_name_and_the_longest_network_gives_the_identity(policy: Policy) -> None:
    policy.identify("all", "0.0.0.0/0", "::/0")
    policy.identify("web", "192.0.2.0/24", ip_network("2001:db8:1::/48"))
    policy.identify("admin", "192.0.2.7")
    policy.identify("db", "198.51.100.1", "2001:db8:2::1")
    policy.otherwise = "drop"
    policy.allow("web", "db", "tcp", PORT)
    policy.allow("admin", "db")
    policy.deny("admin", "db", "udp", 9)

    def run(packet: Packet) -> str:
        verdict: str = policy.program.test_run(bytes(ETHERNET / packet))[0].verdict
        return verdict

    web, db = IP(src="192.0.2.1", dst="198.51.100.1"), IP(src="198.51.100.1", dst="192.0.2.1")
    assert run(web / TCP(dport=PORT)) == PASS
    assert run(web / TCP(dport=PORT + 1)) == DROP
    assert run(web / UDP(dport=PORT)) == DROP
    assert run(db / TCP(sport=PORT, flags="SA")) == PASS
    assert run(db / TCP(sport=PORT, flags="S")) == DROP
    assert run(db / TCP(sport=PORT + 1, flags="A")) == DROP
    admin = IP(src="192.0.2.7", dst="198.51.100.1")
    assert run(admin / ICMP()) == PASS
    assert run(admin / UDP(dport=9)) == DROP
    assert run(admin / UDP(dport=10)) == PASS
    assert run(IP(src="203.0.113.1", dst="198.51.100.1") / TCP(dport=PORT)) == DROP
    ipv6 = IPv6(src="2001:db8:1::5", dst="2001:db8:2::1")
    assert run(ipv6 / TCP(dport=PORT)) == PASS
    assert run(ipv6 / ICMPv6EchoRequest()) == DROP
    assert run(ipv6 / ICMPv6ND_NS()) == PASS
    assert run(ARP()) == PASS
    later = IP(src="192.0.2.1", dst="198.51.100.1", frag=100, proto=6) / Raw(bytes(40))
    assert run(later) == DROP
    policy.remove("web", "db", "tcp", PORT)
    assert run(web / TCP(dport=PORT)) == DROP
    policy.allow("web", "db", "tcp", PORT)
    policy.forget("192.0.2.0/24")
    assert run(web / TCP(dport=PORT)) == DROP
    policy.allow("all", "db", "tcp", PORT)
    assert run(web / TCP(dport=PORT)) == PASS
    found = {tuple(row.split()) for row in str(policy).splitlines()[2:-6]}
    assert ("all", "db", "tcp", str(PORT), "pass", "1") in found
    assert "admin: 192.0.2.7/32" in str(policy)
    assert "otherwise: drop" in str(policy)
    assert repr(policy) == "<Policy of 4 rules>"


def test_verdicts_are_told_with_names(policy: Policy) -> None:
    program = policy.program
    policy.identify("web", "192.0.2.1", "2001:db8::1")
    policy.identify("db", "192.0.2.2")
    policy.deny("web", "db", "tcp", 22)
    policy.allow("web", "db", "tcp", PORT)
    sent = [
        IP(src="192.0.2.1", dst="192.0.2.2") / TCP(sport=1000, dport=22),
        IP(src="192.0.2.1", dst="192.0.2.2") / TCP(sport=1001, dport=PORT),
        IP(src="192.0.2.2", dst="192.0.2.1") / TCP(sport=PORT, dport=1001, flags="A"),
        IPv6(src="2001:db8::1", dst="2001:db8::9") / UDP(sport=1, dport=2),
    ]
    for trace, expected in (("none", []), ("dropped", [0]), ("all", [0, 1, 2, 3])):
        policy.trace = trace
        assert policy.trace == trace
        program.test_run([bytes(ETHERNET / packet) for packet in sent])
        told = list(policy.verdicts(timeout=0.05))
        assert [(each.source_address, each.source_port) for each in told] == [
            (sent[number].src, sent[number].sport) for number in expected
        ]
    ways = [
        (each.source, each.destination, each.protocol, each.port, each.verdict, each.decision)
        for each in told
    ]
    assert ways == [
        ("web", "db", "tcp", 22, "drop", "rule"),
        ("web", "db", "tcp", PORT, "pass", "rule"),
        ("db", "web", "tcp", 1001, "pass", "reply"),
        ("web", "unknown", "udp", 2, "pass", "otherwise"),
    ]
    assert (told[3].destination_address, told[0].time < told[3].time) == ("2001:db8::9", True)
    assert program.variables["lost"] == 0
    many = [bytes(ETHERNET / sent[0])] * 5000
    program.test_run(many)
    lost = program.variables["lost"]
    assert lost > 0
    read = sum(1 for _ in policy.verdicts(timeout=0.05))
    assert read + lost == len(many)
    program.variables["lost"] = 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p: p.allow("wbe", "db"), "source='wbe' is none of: .*Did you mean 'web'"),
        (lambda p: p.allow("web", 3), "destination=3 is none of"),
        (lambda p: p.allow("web", "db", "sctp", 5), "protocol='sctp' is none of: all, icmp, tcp"),
        (lambda p: p.allow("web", "db", 256), "protocol=256 must be a whole number, 0 to 255"),
        (lambda p: p.allow("web", "db", "tcp"), "port=0 does not go with 'tcp'. Name one"),
        (lambda p: p.allow("web", "db", 17), "port=0 does not go with 17"),
        (lambda p: p.deny("web", "db", "icmp", 8), "port=8 does not go with 'icmp'. Leave it out"),
        (lambda p: p.deny("web", "db", "udp", 65536), "port=65536 must be a whole number"),
        (lambda p: p.identify("web", "198.18.0.1/15"), "networks='198.18.0.1/15' is no address"),
        (lambda p: p.identify("web", 5.5), "networks=5.5 is no address"),
        (lambda p: p.identify("unknown", "192.0.2.1"), "name='unknown' can't be given"),
        (lambda p: p.identify("", "192.0.2.1"), "name='' can't be given"),
        (lambda p: p.identify(7, "192.0.2.1"), "name=7 must be text"),
        (lambda p: setattr(p, "otherwise", "reject"), "otherwise='reject' is none of: drop, pass"),
        (lambda p: setattr(p, "trace", True), "trace=True is none of: none, dropped, all"),
        (lambda p: setattr(p, "tracing", "all"), "no 'tracing'. Did you mean 'trace'"),
    ],
)
def test_what_is_no_rule_is_refused(policy: Policy, call: Any, words: str) -> None:
    policy.identify("web", "192.0.2.1")
    policy.identify("db", "192.0.2.2")
    before = str(policy)
    with pytest.raises(ConfigurationError, match=words):
        call(policy)
    assert str(policy) == before


def test_what_is_not_there_can_not_be_removed(policy: Policy) -> None:
    policy.identify("web", "192.0.2.0/24")
    with pytest.raises(MissingKeyError, match="no rule from 'web' to 'unknown' for tcp 80"):
        policy.remove("web", "unknown", "tcp", 80)
    with pytest.raises(MissingKeyError, match=r"192\.0\.2\.1/32 has no identity of its own"):
        policy.forget("192.0.2.1")
    policy.forget("192.0.2.0/24")
    assert "web" not in str(policy)


def test_another_program_is_refused_and_a_second_policy_knows_the_first_ones(lab: Lab) -> None:
    with (
        Program(GALLERY["drop"], lab.port) as drop,
        pytest.raises(ConfigurationError, match="no map 'identities4'"),
    ):
        Policy(drop)
    with pytest.raises(ConfigurationError, match="program=3 must be a Program"):
        Policy(3)  # type: ignore[arg-type]
    with Program(GALLERY["policy"], lab.port) as program:
        first = Policy(program)
        first.identify("web", "192.0.2.1")
        first.allow("web", "web")
        second = Policy(program)
        second.identify("db", "192.0.2.2")
        second.allow("db", "identity 1")
        assert len(program.maps["rules"]) == 2
        assert set(program.maps["identities4"].values()) == {1, 2}
    assert repr(first) == "<Policy of a program that was closed>"
    assert first._repr_html_()


def test_hosts_talk_as_the_policy_says_while_it_is_edited(privileged: None) -> None:
    with ExitStack() as stack:
        net = stack.enter_context(Network("web-router", "admin-router", "router-db"))
        web, admin, db = net["web"], net["admin"], net["db"]
        program = stack.enter_context(Program(GALLERY["policy"], net["router", "db"]))
        for name in ("web", "admin", "db"):
            program.attach(net["router", name])
        policy = Policy(program)
        for name, host in (("web", web), ("admin", admin), ("db", db)):
            policy.identify(name, host.ipv4, host.ipv6)
        policy.otherwise = "drop"
        policy.allow("web", "db", "tcp", PORT)
        policy.allow("admin", "db")
        policy.allow("admin", "web", "icmp")
        for version in (socket.AF_INET, socket.AF_INET6):
            listening = stack.enter_context(listen(db, version))
            other = stack.enter_context(listen(db, version, PORT + 1))
            assert talks(web, listening)
            assert is_dropped(policy, web, other)
            assert talks(admin, other)
        assert all_answered(admin, db.ipv4)
        assert all_answered(admin, db.ipv6)
        assert all_answered(admin, web.ipv4)
        assert not web.ping(db.ipv4).received
        assert not db.ping(web.ipv4).received
        policy.allow("web", "db", "tcp", PORT + 1)
        assert talks(web, other)
        policy.remove("web", "db", "tcp", PORT)
        assert is_dropped(policy, web, listening)
        assert talks(admin, listening)
        policy.deny("admin", "db", "tcp", PORT)
        assert is_dropped(policy, admin, listening)
        assert all_answered(admin, db.ipv4)
        rules, packets = program.maps["rules"], program.maps["packets"]
        assert packets[rules[(1, 3, 6, 0, PORT + 1)].number] >= 4


def listen(host: Host, version: int, port: int = PORT) -> socket.socket:
    server = host.socket(version, socket.SOCK_STREAM)
    server.bind((host.ipv4 if version == socket.AF_INET else host.ipv6, port))
    server.listen()
    return server


_NUMBERS = itertools.count()


def talks(host: Host, server: socket.socket) -> bool:
    """Tell whether a host's connection arrives, with what is sent on it."""
    with host.socket(server.family, socket.SOCK_STREAM) as client:
        client.settimeout(60)
        client.connect(server.getsockname()[:2])
        server.settimeout(60)
        accepted, _ = server.accept()
        with accepted:
            accepted.settimeout(60)
            content = b"%d" % next(_NUMBERS)
            client.sendall(content)
            return accepted.recv(100) == content


def is_dropped(policy: Policy, host: Host, server: socket.socket) -> bool:
    """Tell whether the policy drops what a host would connect with."""
    policy.trace = "dropped"
    with host.socket(server.family, socket.SOCK_STREAM) as client:
        client.bind((host.ipv4 if server.family == socket.AF_INET else host.ipv6, 0))
        client.setblocking(False)
        client.connect_ex(server.getsockname()[:2])
        ports = client.getsockname()[1], server.getsockname()[1]
        told = any((each.source_port, each.port) == ports for each in policy.verdicts(timeout=30))
    policy.trace = "none"
    return told
