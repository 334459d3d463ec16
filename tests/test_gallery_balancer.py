"""The gallery's balancer and its counterpart, run on frames of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    IPv6,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from support.gallery_frames import frames, value
from support.packets import TAGS

from xdplab import GALLERY, Balancer, ClosedError, ConfigurationError, Lab, Program
from xdplab.xdp.balancer.maglev import TABLE_SIZE, maglev

kernel = pytest.mark.kernel  # which runs the programs
several = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])

CLIENT, ROUTER = "02:00:00:00:00:01", "02:00:00:00:00:02"
CLIENTS = {4: "192.0.2.1", 6: "2001:db8:9::1"}
VIRTUAL = {4: "198.18.100.1", 6: "2001:db8:100::1"}
GUE_PORT = 6080
COUNT = 20_000
ROOM = {4: 20, 6: 40}


def servers(version: int, *numbers: int) -> list[str]:
    return [
        f"198.18.2.{each + 1}" if version == 4 else f"2001:db8:2::{each + 1:x}" for each in numbers
    ]


@pytest.fixture(scope="module")
def loaded(privileged: None) -> Iterator[Program]:
    with Lab() as lab, Program(GALLERY["balancer"], lab.port) as made:
        yield made


@pytest.fixture
def balancer(loaded: Program) -> Balancer:
    """Make a balancer without services."""
    return Balancer(loaded)


@pytest.fixture(scope="module")
def decapsulate(privileged: None) -> Iterator[Program]:
    with Lab() as lab, Program(GALLERY["decapsulate"], lab.port) as made:
        yield made


def segment(version: int, port: int = 5000, flags: str = "A", client: str = "") -> bytes:
    """Make a TCP segment to the virtual address."""
    kind = IP if version == 4 else IPv6
    ip = kind(src=client or CLIENTS[version], dst=VIRTUAL[version])
    return bytes(Ether(src=CLIENT, dst=ROUTER) / ip / TCP(sport=port, dport=80, flags=flags))


def network_of(frame: bytes) -> int:
    """Return where a frame's IP header begins."""
    layer: Packet = Ether(frame).payload
    tags = 0
    while isinstance(layer, TAGS):
        layer, tags = layer.payload, tags + 1
    return 14 + 4 * tags


def wrapped(frame: bytes, server: str, gue: bool, output: bytes, program: Program) -> bytes:
    """Return a frame wrapped as scapy does it, with the hash that the output has of the flow."""
    at, version = network_of(frame), ip_address(server).version
    is_ipv4 = value("eth.type", frame) == 0x800
    length = value("ipv4.length", frame) if is_ipv4 else 40 + value("ipv6.length", frame)
    traffic_class = value("ipv4.tos" if is_ipv4 else "ipv6.traffic_class", frame)
    protocol = 17 if gue else 4 if is_ipv4 else 41
    length += 8 * gue
    udp = b""
    if gue:
        port = int.from_bytes(output[at + ROOM[version] :][:2])
        assert port >= 0xC000
        udp = bytes(UDP(sport=port, dport=GUE_PORT, len=length, chksum=0))
    own = program.interface
    if version == 4:
        outer = IP(src=own.ipv4, dst=server, tos=traffic_class, id=0, flags="DF", ttl=64)
        outer.proto, outer.len = protocol, 20 + length
    else:
        label = int.from_bytes(output[at : at + 4]) & 0xFFFFF
        outer = IPv6(src=own.ipv6, dst=server, tc=traffic_class, fl=label, hlim=64)
        outer.nh, outer.plen = protocol, length
    kind = {4: 0x800, 6: 0x86DD}[version].to_bytes(2)
    link = frame[6:12] + frame[:6] + frame[12 : at - 2] + kind
    return link + bytes(outer) + udp + frame[at:]


def server_of(output: bytes) -> str:
    """Return where a wrapped frame goes."""
    return str(Ether(output).payload.dst)


def address_of(frame: bytes) -> bytes:
    """Return the destination of an IP packet; nothing where it is none."""
    found = value("ipv4.dst", frame, None)
    if found is not None:
        return int(found).to_bytes(4)
    found = value("ipv6.dst", frame, None)
    return b"" if found is None else found.tobytes()


def is_fragment(frame: bytes) -> bool:
    """Tell whether a frame has a part of a packet, as scapy sees it."""
    ip = Ether(frame).getlayer(IP)
    if ip is not None and value("ipv4.dst", frame, None) is not None:
        return bool(ip.frag or ip.flags.MF)
    headers = [layer for layer in layers(Ether(frame)) if isinstance(layer, IPv6ExtHdrFragment)]
    return any(each.offset or each.m for each in headers)


def layers(packet: Packet) -> Iterator[Packet]:
    while packet:
        yield packet
        packet = packet.payload


@kernel
@several
@given(frame=frames(), drawn=st.data())
def test_any_frame_is_wrapped_dropped_or_passed_as_it_is(
    balancer: Balancer, frame: bytes, drawn: Any
) -> None:
    program, to = balancer.program, address_of(frame)
    is_ipv4 = len(to) == 4
    port = value("udp.dport", frame, value("tcp.dport", frame, None))
    protocol = {6: "tcp", 17: "udp"}.get(value("ip.protocol", frame), "tcp")
    server = servers(drawn.draw(st.sampled_from([4, 6])), 7)[0]
    kind = drawn.draw(st.sampled_from(["ipip", "gue"]))
    service = None
    with suppress(ConfigurationError):  # no address that a service may have
        virtual = str(ip_address(to)) if to else ""
        service = balancer.add_service(virtual, port or 80, protocol, encapsulation=kind)
        service.add_server(server)
    before = balancer.counts()
    (run,) = program.test_run(frame)
    after = balancer.counts()
    if service is not None:
        balancer.remove_service(service)
    length = value("ipv4.length", frame) if is_ipv4 else 40 + value("ipv6.length", frame)
    is_whole = bool(to) and network_of(frame) + length <= len(frame)
    if service is not None and is_fragment(frame):
        assert (run.verdict, run.output) == ("DROP", frame)
        assert after.fragments == before.fragments + 1
    elif service is not None and port and is_whole:
        assert run.verdict == "TX"
        assert run.output == wrapped(frame, server, kind == "gue", run.output, program)
        (counted,) = after.services
        assert (counted.packets, counted.bytes) == (1, length)
        assert counted.servers[0].packets == 1
    else:
        assert (run.verdict, run.output) == ("PASS", frame)
        assert after.passed == before.passed + 1
    # Without the service it is passed.
    assert program.test_run(frame)[0].verdict == "PASS"


@kernel
@pytest.mark.parametrize("version", [4, 6])
def test_a_connection_stays_at_its_server_while_others_come_and_go(
    balancer: Balancer, version: int
) -> None:
    program, service = balancer.program, balancer.add_service(VIRTUAL[version], 80)
    first, then = servers(version, *range(8)), servers(version, *range(3, 10))
    service.set_servers(dict.fromkeys(first, 1))
    ports = range(1024, 1324)

    def places(flags: str) -> dict[int, str]:
        runs = program.test_run([segment(version, port, flags) for port in ports])
        assert {run.verdict for run in runs} == {"TX"}
        return {port: server_of(run.output) for port, run in zip(ports, runs, strict=True)}

    opened = places("S")
    assert {*opened.values()} == {*first}
    service.set_servers(dict.fromkeys([*first[1:], *then], 1))
    # A first packet that comes again stays, too.
    again = places("S")
    assert all(again[port] == opened[port] for port in ports if opened[port] != first[0])
    assert places("A") == again
    service.set_servers(dict.fromkeys(then, 1))
    moved = places("A")
    assert all(moved[port] == again[port] for port in ports if again[port] in then)
    assert {*moved.values()} == {*then}
    # Those of the servers that went are at their new ones now.
    service.set_servers(dict.fromkeys([*then, *servers(version, 99)], 1))
    assert places("FA") == moved
    (counts,) = balancer.counts().services
    gone = sum(again[port] not in then for port in ports)
    assert (counts.opened, counts.unknown) == (2 * len(ports), gone)
    assert counts.continued == 3 * len(ports) - gone
    # A server without weight keeps its connections and gets no others.
    drained = moved[ports[0]]
    service.set_weight(drained, 0)
    assert places("A") == moved
    # After others, a first packet is of a new connection.
    assert {*places("S").values()} == {*then, *servers(version, 99)} - {drained}


@kernel
def test_connections_are_shared_as_the_weights_say(balancer: Balancer) -> None:
    weights = dict(zip(servers(4, *range(4)), [1, 1, 2, 4], strict=True))
    service = balancer.add_service(VIRTUAL[4], 80)
    service.set_servers(weights)
    balancer.program.test_run([segment(4, port, "S") for port in range(1, COUNT + 1)])
    (counts,) = balancer.counts().services
    for server in counts.servers:
        share = server.connections / COUNT
        assert share == pytest.approx(weights[server.address] / 8, rel=0.05), server


@kernel
@pytest.mark.parametrize("version", [4, 6])
def test_icmp_errors_go_to_the_server_of_the_connection_that_they_are_on(
    balancer: Balancer, version: int
) -> None:
    program, service = balancer.program, balancer.add_service(VIRTUAL[version], 80)
    service.set_servers(dict.fromkeys(servers(version, *range(8)), 1))
    kind = IP if version == 4 else IPv6
    outer = Ether(src=CLIENT, dst=ROUTER) / kind(src=CLIENTS[version], dst=VIRTUAL[version])
    too_big = ICMP(type=3, code=4, nexthopmtu=1400) if version == 4 else ICMPv6PacketTooBig()
    answer = kind(src=VIRTUAL[version], dst=CLIENTS[version])
    for port in range(5000, 5050):
        (opened,) = program.test_run(segment(version, port, "S"))
        service.set_servers(dict.fromkeys([server_of(opened.output), *servers(version, 99)], 1))
        # No more of the packet than an error must have.
        told = bytes(answer / TCP(sport=80, dport=port))[: ROOM[version] + 8]
        error = bytes(outer / too_big / told)
        (run,) = program.test_run(error)
        assert run.output == wrapped(error, server_of(opened.output), False, run.output, program)
        service.set_servers(dict.fromkeys(servers(version, *range(8)), 1))
    assert balancer.counts().services[0].errors == 50
    elsewhere = kind(src=CLIENTS[version], dst=VIRTUAL[version])
    echo = ICMP(type=8) if version == 4 else ICMPv6EchoRequest()
    unreachable = ICMP(type=3) if version == 4 else ICMPv6DestUnreach()
    for passed in (
        outer / echo,
        outer / too_big / bytes(answer)[:-1],
        outer / unreachable / bytes(elsewhere / TCP(sport=80, dport=5000)),
        outer / unreachable / bytes(answer / TCP(sport=81, dport=5000)),
        outer / unreachable / bytes(answer / too_big),
    ):
        assert program.test_run(bytes(passed))[0].verdict == "PASS"


@kernel
def test_what_has_no_server_or_is_too_long_is_dropped_and_counted(balancer: Balancer) -> None:
    program = balancer.program
    for version in (4, 6):
        service = balancer.add_service(VIRTUAL[version], 80)
        frame = segment(version)
        assert program.test_run(frame)[0].verdict == "DROP"
        service.add_server(servers(4, 1)[0])
        longest = frame + bytes(1500 - 20 - (len(frame) - 14))
        long = bytearray(longest + b"\0")
        for each in (longest := bytearray(longest), long):
            length = len(each) - 14
            at, said = (16, length) if version == 4 else (18, length - 40)
            each[at : at + 2] = said.to_bytes(2)
        runs = program.test_run([bytes(longest), bytes(long)])
        assert [run.verdict for run in runs] == ["TX", "DROP"]
        service.set_weight(servers(4, 1)[0], 0)
        assert program.test_run(segment(version, 7, "S"))[0].verdict == "DROP"
    for counts in balancer.counts().services:
        assert (counts.unserved, counts.too_long, counts.packets) == (2, 1, 1)


@kernel
def test_wrapped_packets_go_to_the_gateway(balancer: Balancer) -> None:
    program = balancer.program
    other = Balancer(program, gateway="02:00:00:00:00:09", ipv4="192.0.2.77")
    other.add_service(VIRTUAL[4], 80).add_server(servers(4, 1)[0])
    (run,) = program.test_run(segment(4))
    packet = Ether(run.output)
    assert (packet.dst, packet.src, packet[IP].src) == ("02:00:00:00:00:09", ROUTER, "192.0.2.77")


@kernel
@several
@given(frame=frames(), drawn=st.data())
def test_what_is_wrapped_comes_out_as_it_was_and_all_else_stays(
    balancer: Balancer, decapsulate: Program, frame: bytes, drawn: Any
) -> None:
    to, is_ipv4 = address_of(frame), value("ipv4.dst", frame, None) is not None
    inner = value("ip.protocol", frame)
    is_other = inner not in (4, 41) and value("udp.dport", frame, None) != GUE_PORT
    assume(to and is_other)
    (run,) = decapsulate.test_run(frame)
    assert (run.verdict, run.output) == ("PASS", frame)
    version, gue = drawn.draw(st.sampled_from([4, 6])), drawn.draw(st.booleans())
    at, server = network_of(frame), servers(version, 7)[0]
    around = IP(src="192.0.2.1", dst=server) if version == 4 else IPv6(dst=server)
    if gue:
        around /= UDP(sport=50000, dport=GUE_PORT, chksum=0)
    elif version == 4:
        around.proto = 4 if is_ipv4 else 41
    else:
        around.nh = 4 if is_ipv4 else 41
    kind = {4: 0x800, 6: 0x86DD}[version].to_bytes(2)
    outer = frame[: at - 2] + kind + bytes(around / frame[at:])
    (run,) = decapsulate.test_run(outer)
    assert (run.verdict, run.output) == ("PASS", frame if is_long(frame, at) else outer)
    # Parts of packets, and what is to another, are not unwrapped.
    decapsulate.variables["address4"] = decapsulate.variables["address6"][0] + 1
    decapsulate.variables["address6"] = [1, 0, 0, 0]
    (run,) = decapsulate.test_run(outer)
    assert (run.verdict, run.output) == ("PASS", outer)
    decapsulate.variables["address4"] = 0
    decapsulate.variables["address6"] = [0] * 4


def is_long(frame: bytes, at: int) -> bool:
    """Tell whether there is enough of an IP packet to be unwrapped."""
    return len(frame) - at >= 20


@several
@given(
    weights=st.lists(st.floats(0.01, 100), min_size=2, max_size=40),
    gone=st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_a_table_has_all_shares_and_changes_no_more_than_it_must(
    weights: list[float], gone: list[bool]
) -> None:
    all_ = dict(zip(servers(4, *range(40)), weights, strict=False))
    fewer = {name: 0 if out else all_[name] for name, out in zip(all_, gone, strict=False)}
    assume(any(fewer.values()))
    before, after = maglev(all_), maglev(fewer)
    total = sum(weights)
    for place, weight in enumerate(weights):
        assert abs((before == place).sum() - TABLE_SIZE * weight / total) < 16
    share = sum(weight for weight, out in zip(weights, gone, strict=False) if out) / total
    # By so much it changes when servers go, and as much when they come.
    assert (before != after).mean() <= share + 0.02
    backwards = dict(reversed(all_.items()))
    names = np.array([*all_]), np.array([*backwards])
    assert (names[0][before] == names[1][maglev(backwards)]).all()


@kernel
def test_services_and_servers_are_told_apart_and_refused_in_words(balancer: Balancer) -> None:
    service = balancer.add_service(VIRTUAL[4], 80)
    with pytest.raises(ConfigurationError, match="already"):
        balancer.add_service(VIRTUAL[4], 80)
    balancer.add_service(VIRTUAL[4], 80, "udp")
    service.add_server("198.18.2.1")
    refusals = {
        "already": lambda: service.add_server("198.18.2.1"),
        "no server of": lambda: service.remove_server("198.18.2.2"),
        "must be an IP address": lambda: service.add_server("web1"),
        "multicast": lambda: service.add_server("224.0.0.1"),
        "0.01 to 100": lambda: service.set_weight("198.18.2.1", 0.001),
        "twice": lambda: service.set_servers({"2001:db8::1": 1, "2001:db8:0::1": 1}),
        "room for 512": lambda: service.set_servers(
            {f"198.18.{n >> 8}.{n & 255}": 1 for n in range(1, 600)}
        ),
    }
    for words, call in refusals.items():
        with pytest.raises(ConfigurationError, match=words):
            call()
    assert service.servers == {"198.18.2.1": 1}
    for port in range(1000, 1014):
        balancer.add_service(VIRTUAL[6], port)
    with pytest.raises(ConfigurationError, match="room for 16"):
        balancer.add_service(VIRTUAL[6], 2000)
    balancer.remove_service(service)
    with pytest.raises(ClosedError, match="was removed"):
        service.add_server("198.18.2.1")
    with pytest.raises(ConfigurationError, match="none of this balancer"):
        balancer.remove_service(service)
    balancer.add_service(VIRTUAL[6], 2000).set_servers(
        {f"198.18.{n >> 8}.{n & 255}": 1 for n in range(1, 513)}
    )
    shown = str(balancer)
    assert "tcp [2001:db8:100::1]:2000" in shown
    with pytest.raises(ConfigurationError, match="no map 'services'"):
        Balancer(Program(GALLERY["pass"], balancer.program.interface))
