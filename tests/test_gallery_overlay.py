"""The overlay of the gallery: networks with the same addresses over one wire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw
from support.gallery_frames import frames
from support.pings import all_answered
from support.tcp import done, move_tcp
from support.waiting import eventually

from xdplab import GALLERY, ConfigurationError, Host, Lab, Network, Overlay, Program

pytestmark = pytest.mark.kernel  # which runs the program

NUMBERS = {"red": 77, "blue": 0xFFFFFF}
IPV4, IPV6 = ("198.19.0.1", "198.19.0.2"), ("2001:db8:1::1", "2001:db8:1::2")
LARGEST, OVERHEAD = 1500, 50
COUNTS = ("encapsulated", "decapsulated", "switched", "unknown", "too_long", "broken")
MEGABYTES = 4


@dataclass
class Carried:
    """Two networks, red and blue, each with a host at both nodes."""

    net: Network
    first: Overlay
    second: Overlay
    tried: tuple[Overlay, Overlay]
    """The same, for frames that never were on a wire: no other frame raises their counts."""

    def host(self, color: str, number: int) -> Host:
        """Return a network's host at a node."""
        return self.net[f"{color}{number}"]

    def mac(self, color: str, number: int) -> str:
        """Return its hardware address."""
        return self.host(color, number).interface.mac


@pytest.fixture(scope="module")
def carried(privileged: None) -> Iterator[Carried]:
    wires = ("red1-node1", "blue1-node1", "node1-node2", "node2-red2", "node2-blue2")
    with ExitStack() as stack:
        net = stack.enter_context(Network(*wires, mtu=LARGEST + OVERHEAD))
        attached, tried = [], []
        for number in (1, 2):
            wire = net[f"node{number}", f"node{3 - number}"]
            ports = {color: net[f"node{number}", f"{color}{number}"] for color in NUMBERS}
            for port in ports.values():
                done(port, "ip", "link", "set", port.interface.name, "mtu", str(LARGEST))
            # `test_run` gives frames to the interface that a program was loaded for.
            tried.append(node(stack, net, number, ports["red"] if number == 1 else wire))
            attached.append(node(stack, net, number, wire))
            for each in (wire, *ports.values()):
                attached[-1].program.attach(each)
            for color in NUMBERS:
                readdress(net[f"{color}{number}"], number)
        yield Carried(net, *attached, (tried[0], tried[1]))


def node(stack: ExitStack, net: Network, number: int, loaded_for: Host) -> Overlay:
    """Load a node's program, and tell it where the hosts of both networks are."""
    here, there = f"node{number}", f"node{3 - number}"
    program = stack.enter_context(Program(GALLERY["overlay"], loaded_for))
    overlay, other = Overlay(program, net[here, there]), net[there, here]
    for color, network in NUMBERS.items():
        host, far = net[f"{color}{number}"], net[f"{color}{3 - number}"]
        overlay.connect(network, net[here, f"{color}{number}"], host.interface.mac)
        overlay.reach(network, far.interface.mac, other.ipv4, other.interface.mac)
    return overlay


def readdress(host: Host, number: int) -> None:
    """Give a host the addresses that hosts of other networks have, too."""
    name = host.interface.name
    for words in (
        ("address", "flush", "dev", name),
        ("link", "set", name, "mtu", str(LARGEST)),
        ("address", "add", f"{IPV4[number - 1]}/24", "dev", name),
        ("address", "add", f"{IPV6[number - 1]}/64", "dev", name, "nodad"),
    ):
        done(host, "ip", *words)


def counts(overlay: Overlay) -> dict[str, int]:
    return {name: int(overlay.program.variables[name]) for name in COUNTS}


def outcome(overlay: Overlay, frame: bytes) -> tuple[str, str, bytes]:
    """Return verdict, the count that it raised, and the output."""
    before = counts(overlay)
    (run,) = overlay.program.test_run(frame, queue=0)
    now = counts(overlay)
    (risen,) = [name for name in COUNTS if now[name] != before[name]] or [""]
    return run.verdict, risen, run.output


def to(mac: str, frame: bytes) -> bytes:
    return bytes.fromhex(mac.replace(":", "")) + frame[6:]


@settings(max_examples=200)
@given(frame=frames(), whom=st.sampled_from(["host", "group", "blue", "nobody"]))
def test_each_frame_arrives_as_it_was_or_not_at_all(
    carried: Carried, frame: bytes, whom: str
) -> None:
    macs = {
        "host": carried.mac("red", 2),
        "group": "ff:ff:ff:ff:ff:ff",
        "blue": carried.mac("blue", 2),
        "nobody": "02:00:00:00:00:99",
    }
    sent = to(macs[whom], frame)
    verdict, count, output = outcome(carried.tried[0], sent)
    if whom in ("blue", "nobody"):
        assert (verdict, count, output) == ("DROP", "unknown", sent)
        return
    assert (verdict, count, output[OVERHEAD:]) == ("REDIRECT", "encapsulated", sent)
    check_outer(carried, output)
    assert outcome(carried.tried[1], output) == ("REDIRECT", "decapsulated", sent)


def check_outer(carried: Carried, frame: bytes) -> None:
    """Hold the outer headers against scapy's."""
    here, there = carried.net["node1", "node2"], carried.net["node2", "node1"]
    outer = Ether(frame)
    assert (outer.src, outer.dst) == (here.interface.mac, there.interface.mac)
    assert (outer[IP].src, outer[IP].dst) == (here.ipv4, there.ipv4)
    assert outer[IP].len == len(frame) - 14
    right = IP(bytes(outer[IP]))
    del right.chksum
    assert IP(bytes(right)).chksum == outer[IP].chksum
    assert (outer[UDP].dport, outer[UDP].chksum) == (6081, 0)
    assert outer[UDP].len == len(frame) - 34
    assert outer[UDP].sport >= 0xC000
    geneve = GENEVE(frame[42:])
    assert (geneve.vni, geneve.proto, geneve.optionlen) == (NUMBERS["red"], 0x6558, 0)


def test_a_flow_has_a_port_and_flows_have_several(carried: Carried) -> None:
    def port(**fields: Any) -> int:
        packet = IP(src=IPV4[0], dst=IPV4[1]) / TCP(**fields)
        frame = bytes(Ether(dst=carried.mac("red", 2), src="02:00:00:00:00:01") / packet)
        sport: int = Ether(outcome(carried.tried[0], frame)[2])[UDP].sport
        return sport

    assert port(dport=80, seq=1) == port(dport=80, seq=2)
    assert len({port(dport=each) for each in range(100)}) > 50


def test_what_is_not_geneve_to_this_node_is_passed_and_what_is_wrong_dropped(
    carried: Carried,
) -> None:
    second, here, there = (
        carried.tried[1],
        carried.net["node2", "node1"],
        carried.net["node1", "node2"],
    )
    ethernet = Ether(dst=here.interface.mac, src=there.interface.mac)
    ip, udp = IP(src=there.ipv4, dst=here.ipv4), UDP(sport=50000, dport=6081, chksum=0)
    red = GENEVE(proto=0x6558, vni=NUMBERS["red"])
    inner = Ether(dst=carried.mac("red", 2), src=carried.mac("red", 1)) / IP() / UDP()

    def run(packet: Packet, cut: int = 0) -> tuple[str, str]:
        frame = bytes(packet)
        frame = frame[: len(frame) - cut]
        verdict, count, output = outcome(second, frame)
        assert output == (bytes(inner) if verdict == "REDIRECT" else frame)
        return verdict, count

    whole = ethernet / ip / udp / red / inner
    assert run(whole) == ("REDIRECT", "decapsulated")
    for passed in (
        ethernet / ARP(),
        ethernet / IP(src=there.ipv4, dst="198.51.100.1") / udp / red / inner,
        ethernet / ip / UDP(dport=6082, chksum=0) / red / inner,
        ethernet / ip / UDP(dport=6081) / red / inner,
        ethernet / ip / TCP(dport=6081) / red / inner,
        ethernet / IP(src=there.ipv4, dst=here.ipv4, flags="MF") / udp / red / inner,
        ethernet / ip / udp / GENEVE(proto=0x800, vni=77) / IP() / UDP(),
        ethernet / ip / udp / GENEVE(proto=0x6558, vni=77, oam=1) / inner,
        ethernet / ip / udp / Raw(b"\x01\0\x65\x58\0\0\x4d\0" + bytes(4)) / inner,
        Ether(dst="ff:ff:ff:ff:ff:ff", src=there.interface.mac) / ip / udp / red / inner,
    ):
        assert run(passed) == ("PASS", ""), passed
    assert run(whole, cut=1) == ("DROP", "broken")
    assert run(whole, cut=len(bytes(inner)) - 10) == ("DROP", "broken")
    for number, mac in ((78, carried.mac("red", 2)), (77, carried.mac("blue", 2))):
        wrong = GENEVE(proto=0x6558, vni=number) / Ether(dst=mac, src="02:00:00:00:00:01") / IP()
        assert run(ethernet / ip / udp / wrong) == ("DROP", "unknown")
    # A node does not send on what came by the wire.
    back = Ether(dst=carried.mac("red", 1), src="02:00:00:00:00:01") / IP()
    assert run(ethernet / ip / udp / red / back) == ("DROP", "unknown")


@settings(max_examples=100)
@given(frame=frames())
def test_other_frames_of_the_wire_are_passed(carried: Carried, frame: bytes) -> None:
    assert outcome(carried.tried[1], frame) == ("PASS", "", frame)


def test_what_does_not_fit_is_dropped_and_counted(carried: Carried) -> None:
    def frame(size: int) -> bytes:
        return to(carried.mac("red", 2), bytes(14 + size))

    assert outcome(carried.tried[0], frame(LARGEST))[:2] == ("REDIRECT", "encapsulated")
    assert outcome(carried.tried[0], frame(LARGEST + 1))[:2] == ("DROP", "too_long")
    outer = bytearray(outcome(carried.tried[0], frame(LARGEST))[2])
    assert outcome(carried.tried[1], bytes(outer))[:2] == ("REDIRECT", "decapsulated")
    for place, length in ((16, len(outer) - 13), (38, len(outer) - 33)):
        outer[place : place + 2] = length.to_bytes(2)
    assert outcome(carried.tried[1], bytes([*outer, 0]))[:2] == ("DROP", "too_long")


def test_hosts_talk_within_their_network_and_not_across(carried: Carried) -> None:
    for color in NUMBERS:
        one, two = carried.host(color, 1), carried.host(color, 2)
        for address in (IPV4[1], IPV6[1]):
            others = "blue" if color == "red" else "red"
            before = echoes(carried.host(others, 2))
            own = echoes(two)
            assert all_answered(one, address, 5)
            assert all_answered(one, address, size=4000), "in fragments"
            assert echoes(two) - own == 6
            assert echoes(carried.host(others, 2)) == before
        for address in (IPV4[1], IPV6[1]):
            move_tcp(one, two, address, MEGABYTES)
    # Only the other network's host has this address.
    blue = carried.host("blue", 2)
    done(blue, "ip", "address", "add", "198.19.0.77/24", "dev", blue.interface.name)
    assert all_answered(carried.host("blue", 1), "198.19.0.77")
    red = carried.host("red", 1)
    assert not red.ping("198.19.0.77").received
    unknown, name = counts(carried.first)["unknown"], red.interface.name
    known = ("198.19.0.77", "lladdr", blue.interface.mac, "dev", name)
    done(red, "ip", "neighbour", "replace", *known)
    before = echoes(blue)
    assert not red.ping("198.19.0.77").received
    assert eventually(lambda: counts(carried.first)["unknown"] > unknown)
    assert echoes(blue) == before
    sums = [counts(each) for each in (carried.first, carried.second)]
    assert all(each["encapsulated"] and each["decapsulated"] for each in sums)
    assert not any(each["switched"] for each in sums)


def echoes(host: Host) -> int:
    """Count the echo requests that a host got, of IPv4 and IPv6."""
    names, values = (
        line.split() for line in done(host, "grep", "^Icmp:", "/proc/net/snmp").splitlines()
    )
    ipv6 = done(host, "grep", "Icmp6InEchos", "/proc/net/snmp6").split()[1]
    return int(values[names.index("InEchos")]) + int(ipv6)


def test_hosts_at_one_node_are_switched(privileged: None) -> None:
    with (
        Network("one-node", "two-node", "node-far") as net,
        Program(GALLERY["overlay"], net["node", "far"]) as program,
    ):
        overlay = Overlay(program)
        for number, name in enumerate(("one", "two"), 1):
            port = net["node", name]
            program.attach(port)
            readdress(net[name], number)
            overlay.connect(5, port, net[name].interface.mac)
        for here, there, number in (("one", "two", 2), ("two", "one", 1)):
            known = (IPV4[number - 1], "lladdr", net[there].interface.mac, "dev", "to-node")
            done(net[here], "ip", "neighbour", "replace", *known)
        assert all_answered(net["one"], IPV4[1])
        assert counts(overlay)["switched"] == 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda o, p: o.connect(1 << 24, p, "02:00:00:00:00:01"), "network=16777216 must be"),
        (lambda o, p: o.connect(1, p, "02:00"), "mac='02:00' must be a hardware address"),
        (lambda o, p: o.connect(1, p, 5), "mac=5 must be text"),
        (lambda o, p: o.connect(1, 5, "02:00:00:00:00:01"), "port=5 must be a side of a lab"),
        (
            lambda o, p: o.reach(1, "02:00:00:00:00:01", "node2", "02:00:00:00:00:02"),
            "node='node2' must be an IPv4 address",
        ),
        (
            lambda o, p: o.reach(1, "02:00:00:00:00:01", "198.18.0.1", ""),
            "node_mac='' must be a hardware address",
        ),
        (lambda o, p: setattr(o, "nodes", 1), "has no 'nodes'"),
    ],
)
def test_what_is_no_place_is_refused(lab: Lab, call: Any, words: str) -> None:
    with Program(GALLERY["overlay"], lab.port) as program:
        overlay = Overlay(program)
        with pytest.raises(ConfigurationError, match=words):
            call(overlay, lab.port)
        with pytest.raises(ConfigurationError, match="port='peer0' is not in the network namesp"):
            overlay.connect(1, lab.peer, "02:00:00:00:00:01")
        assert not program.maps["places"]


def test_it_shows_who_is_where(lab: Lab) -> None:
    with (
        Program(GALLERY["drop"], lab.port) as drop,
        pytest.raises(ConfigurationError, match="no map 'ports'"),
    ):
        Overlay(drop)
    with Program(GALLERY["overlay"], lab.port) as program:
        overlay = Overlay(program)
        overlay.connect(7, lab.port, "02:00:00:00:00:01")
        overlay.reach(7, "02:00:00:00:00:02", "198.18.9.9", "02:00:00:00:00:03")
        assert repr(overlay) == f"<Overlay at {lab.port.ipv4}: 4 places>"
        rows = [line.split() for line in str(overlay).splitlines()[2:4]]
        assert rows == [
            ["7", "02:00:00:00:00:01", "interface", str(lab.port.interface.index)],
            ["7", "02:00:00:00:00:02", "198.18.9.9"],
        ]
        assert "encapsulated 0" in overlay._repr_html_()
    assert str(overlay) == "<Overlay of a program that was closed>"
