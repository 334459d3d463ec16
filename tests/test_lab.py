"""What a lab is: two hosts, one wire, nothing else."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from support.capabilities import without
from support.pings import all_answered
from support.waiting import eventually

from xdplab.core.errors import ClosedError, ConfigurationError, InterfaceGoneError, XdplabError
from xdplab.engine.traffic import Traffic
from xdplab.lab.lab import Lab
from xdplab.net.host import Host
from xdplab.net.interface import Interface

# The kernel's alone: sockets, commands, links, routes, namespaces.

ALL_FRAMES = 0x0003  # ETH_P_ALL


def sniffer(host: Host) -> socket.socket:
    """Open a socket that sees every frame that passes the host's interface, both ways."""
    raw = host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_FRAMES))
    raw.bind((host.interface.name, ALL_FRAMES))
    raw.settimeout(2)
    return raw


def send_udp(sender: Host, receiver: Host, count: int = 1) -> None:
    with sender.socket() as out:
        for _ in range(count):
            out.sendto(b"x" * 100, (receiver.ipv4, 4009))


def test_hosts_reach_each_other_over_ipv4_and_ipv6(lab: Lab) -> None:
    assert lab.peer.ping(lab.port.ipv4, count=3, interval=1).received == 3
    assert all_answered(lab.port, lab.peer.ipv6, 3)


def test_addresses_come_from_the_ranges_set_aside_for_tests(lab: Lab) -> None:
    assert (lab.port.ipv4, lab.peer.ipv4) == ("198.18.0.1", "198.18.0.2")
    assert (lab.port.ipv6, lab.peer.ipv6) == ("2001:db8::1", "2001:db8::2")
    assert lab.port.interface.mac == "02:00:c6:12:00:01"


def test_the_hosts_own_network_sees_nothing_of_a_lab(privileged: None) -> None:
    before = socket.if_nameindex()
    with Lab():
        assert socket.if_nameindex() == before


@pytest.mark.kernel
def test_a_quiet_link_stays_quiet(lab: Lab) -> None:
    with sniffer(lab.port) as raw:
        raw.settimeout(4)
        with pytest.raises(TimeoutError):
            raw.recv(2048)


@pytest.mark.kernel
def test_frames_leave_with_their_checksum_and_no_larger_than_the_wire_takes(lab: Lab) -> None:
    with sniffer(lab.peer) as raw, lab.port.socket(type=socket.SOCK_STREAM) as listener:
        listener.bind((lab.port.ipv4, 4007))
        listener.listen()
        with lab.peer.socket(type=socket.SOCK_STREAM) as client:
            client.connect((lab.port.ipv4, 4007))
            server, _ = listener.accept()
            client.send(b"x" * 60_000)
            with server:
                server.recv(60_000, socket.MSG_WAITALL)
        send_udp(lab.peer, lab.port)
        while UDP not in (frame := Ether(raw.recv(65535))):
            assert len(frame) <= 1514
    checksum = frame[UDP].chksum
    del frame[UDP].chksum
    assert Ether(bytes(frame))[UDP].chksum == checksum
    assert frame[IP].dst == lab.port.ipv4


def test_a_lab_has_the_queues_and_the_mtu_it_was_asked_for(privileged: None) -> None:
    with Lab(queues=3, mtu=9000) as lab:
        for host in (lab.port, lab.peer):
            assert host.interface.queues == 3
            assert host.interface.mtu == 9000
            assert "rx_queue_2_xdp_packets" in host.interface.driver_statistics()
        assert all_answered(lab.peer, lab.port.ipv4, size=8900)


@pytest.mark.kernel
def test_labs_at_the_same_addresses_do_not_meet(lab: Lab) -> None:
    with Lab() as other, lab.port.socket() as here, other.port.socket() as there:
        for receiver in (here, there):
            receiver.bind((lab.port.ipv4, 4009))
            receiver.settimeout(30)
        send_udp(other.peer, other.port)
        assert there.recv(200) == b"x" * 100
        here.setblocking(False)
        with pytest.raises(BlockingIOError):
            here.recv(200)


@pytest.mark.kernel
def test_labs_with_numbers_of_their_own_can_be_joined(lab: Lab) -> None:
    over = threading.Event()
    with Lab(number=1) as other, sniffer(lab.port) as left, sniffer(other.port) as right:

        def forward(source: socket.socket, target: socket.socket) -> None:
            while not over.is_set():
                try:
                    frame, address = source.recvfrom(2048)
                except TimeoutError:
                    continue
                if address[2] != socket.PACKET_OUTGOING:
                    target.send(frame)

        ways = [threading.Thread(target=forward, args=a) for a in ((left, right), (right, left))]
        for way in ways:
            way.start()
        try:
            assert all_answered(lab.peer, other.peer.ipv4, 2)
            assert all_answered(lab.peer, other.peer.ipv6, 2)
        finally:
            over.set()
            for way in ways:
                way.join()


@pytest.mark.kernel
def test_a_socket_of_a_host_works_on_any_thread(lab: Lab) -> None:
    with lab.port.socket() as receiver:
        receiver.bind((lab.port.ipv4, 4009))
        receiver.settimeout(30)
        sender = threading.Thread(target=send_udp, args=(lab.peer, lab.port))
        sender.start()
        assert receiver.recv(200) == b"x" * 100
        sender.join()


@pytest.mark.kernel
def test_low_ports_of_a_host_take_no_privilege(lab: Lab) -> None:
    text = "import socket; socket.socket(type=socket.SOCK_DGRAM).bind(('', 9))"
    done = lab.port.command([*without("net_bind_service"), sys.executable, "-c", text])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.kernel
def test_ping_counts_requests_that_nobody_answers(lab: Lab) -> None:
    deaf = Path("/proc/sys/net/ipv4/icmp_echo_ignore_all")
    lab.port.run(deaf.write_text, "1")
    assert deaf.read_text() == "0\n", "the host's own network was touched"
    result = lab.peer.ping(lab.port.ipv4, count=5, timeout=0.1)
    assert (result.sent, result.received) == (5, 0)


def test_ping_says_when_there_is_no_way_to_the_address(lab: Lab) -> None:
    with pytest.raises(XdplabError, match="Network is unreachable"):
        lab.peer.ping("192.0.2.1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"target_address": "example.org"},
        {"count": 0},
        {"interval": 0},
        {"interval": float("nan")},
        {"size": 65508},
        {"timeout": 0},
        {"count": 3600, "interval": 2},
    ],
)
def test_ping_refuses_what_cannot_work(lab: Lab, wrong: dict[str, object]) -> None:
    arguments: dict[str, object] = {"target_address": lab.port.ipv4, **wrong}
    with pytest.raises(ConfigurationError):
        lab.peer.ping(**arguments)  # type: ignore[arg-type]


@pytest.mark.kernel
def test_link_statistics_count_what_crossed_the_wire(lab: Lab) -> None:
    lab.peer.ping(lab.port.ipv4)  # so that addresses are resolved
    before = lab.port.interface.link_statistics()
    send_udp(lab.peer, lab.port, count=10)
    after = lab.port.interface.link_statistics()
    assert after["rx_packets"] - before["rx_packets"] == 10
    assert after["rx_dropped"] == 0


@pytest.mark.kernel
def test_an_interface_that_went_away_is_named(lab: Lab) -> None:
    lab.peer.command(["ip", "link", "del", "peer0"])
    for look in (lab.port.interface.link_statistics, lab.port.interface.driver_statistics):
        with pytest.raises(InterfaceGoneError, match=r"statistics of port0.*ENODEV"):
            look()


@pytest.mark.kernel
def test_an_unknown_interface_is_answered_with_those_there_are(lab: Lab) -> None:
    with pytest.raises(InterfaceGoneError, match=r"'eth7'.*: lo, port0"):
        Interface.find("eth7", lab.port.interface.namespace)


@pytest.mark.kernel
def test_find_looks_where_the_caller_is(lab: Lab) -> None:
    assert lab.port.run(Interface.find, "port0").mac == lab.port.interface.mac
    assert Interface.find("lo").ipv4 == "127.0.0.1"


@pytest.mark.kernel
@pytest.mark.parametrize(
    "route",
    [
        "-4 route add default via 198.18.0.2",
        "-6 route add default via 2001:db8::2",
        "-4 route add default via 198.18.0.2 table 7",
        "-4 route add default nexthop via 198.18.0.2 nexthop via 198.18.0.3",
    ],
)
def test_an_interface_knows_that_it_carries_the_default_route(lab: Lab, route: str) -> None:
    assert not lab.port.interface.carries_default_route()
    lab.port.command(["ip", *route.split()]).check_returncode()
    assert lab.port.interface.carries_default_route()
    assert not Interface.find("lo", lab.port.interface.namespace).carries_default_route()


@pytest.mark.kernel
@pytest.mark.parametrize(
    "upper",
    [
        "link add upper link port0 type macvlan",
        "link add upper type bridge; link set port0 master upper",
    ],
)
def test_a_default_route_above_an_interface_is_its_own_too(lab: Lab, upper: str) -> None:
    for step in f"{upper}; link set upper up; route add default dev upper".split("; "):
        lab.port.command(["ip", *step.split()]).check_returncode()
    assert lab.port.interface.carries_default_route()


@pytest.mark.kernel
def test_an_unreachable_default_route_leads_nowhere(lab: Lab) -> None:
    lab.port.command(["ip", "route", "add", "unreachable", "default"]).check_returncode()
    assert not lab.port.interface.carries_default_route()


@pytest.mark.kernel
def test_a_command_that_does_not_end_is_killed(lab: Lab) -> None:
    with pytest.raises(XdplabError, match=r"`sleep 100` did not end within 0\.2 s"):
        lab.port.command(["sleep", "100"], timeout=0.2)


def test_a_host_outlives_the_name_of_its_lab(privileged: None) -> None:
    port = Lab().port
    time.sleep(0.5)  # for the kernel to end a namespace that nobody held
    assert port.ping("198.18.0.2").received == 1


def test_a_closed_lab_says_so(privileged: None) -> None:
    lab = Lab()
    lab.close()
    lab.close()
    assert repr(lab) == "<Lab closed>"
    for use in (lab.port.socket, lab.peer.interface.link_statistics, lambda: lab.port.run(int)):
        with pytest.raises(ClosedError, match="closed"):
            use()


not_a_count = st.one_of(
    st.integers(max_value=0), st.floats(), st.booleans(), st.text(), st.none(), st.just(65536)
)


@given(not_a_count)
def test_a_lab_refuses_what_cannot_work_before_it_touches_anything(value: object) -> None:
    with pytest.raises(ConfigurationError, match="queues="):
        Lab(queues=value)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="mtu="):
        Lab(mtu=value)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="number="):
        Lab(number=value or -1)  # type: ignore[arg-type]


def steered(cpu: int) -> int:
    """Count how often a core was given frames by another to process."""
    rows = Path("/proc/net/softnet_stat").read_text().splitlines()
    return sum(int(row.split()[9], 16) for row in rows if int(row.split()[12], 16) == cpu)


@pytest.mark.kernel
@pytest.mark.privilege  # the kernel asks for CAP_NET_ADMIN on the host
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="takes two cores")
def test_what_a_host_receives_can_be_steered_to_another_core(lab: Lab) -> None:
    sending, other = sorted(os.sched_getaffinity(0))[:2]
    lab.port.steer_receiving([other])
    before = steered(other)
    with Traffic(lab.peer, lab.port, rate=5_000, count=500, cpu=sending) as traffic:
        assert traffic.wait(30)
    assert eventually(lambda: steered(other) > before + 10)
    lab.port.steer_receiving([])
    before = steered(other)
    with Traffic(lab.peer, lab.port, rate=5_000, count=500, cpu=sending) as traffic:
        assert traffic.wait(30)
    assert steered(other) <= before + 10


def test_steering_to_a_core_that_is_not_there_is_refused(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match="cpus=4096"):
        lab.port.steer_receiving([4096])
