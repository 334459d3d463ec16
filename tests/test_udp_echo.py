"""The UDP echo servers beside which latency is measured: honest servers, and soon gone."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Any

import pytest
from support.waiting import eventually

from xdplab import ConfigurationError, KernelError, Lab, Traffic
from xdplab.bench.peers.udp_echo import MODES, UdpEcho

pytestmark = pytest.mark.kernel  # whose sockets they are


PORT = 9
CORE = 0

each_mode = pytest.mark.parametrize("mode", MODES)


def ask(lab: Lab) -> socket.socket:
    asking = lab.peer.socket()
    asking.connect((lab.port.ipv4, PORT))
    asking.settimeout(30)
    return asking


@each_mode
def test_a_datagram_of_any_size_comes_back_byte_for_byte(lab: Lab, mode: str) -> None:
    sizes = (0, 1, 2, 17, 1471, 1472, 1473, 9000, 65_507)  # up to the largest there is
    with UdpEcho(lab.port, mode, port=PORT, cpu=CORE) as echo, ask(lab) as asking:
        for size in sizes:
            datagram = bytes(number % 251 for number in range(size))
            asking.send(datagram)
            assert asking.recv(70_000) == datagram
        assert eventually(lambda: echo.answered == len(sizes))
        assert (echo.refused, echo.error) == (0, None)


@each_mode
def test_each_sender_gets_its_own_answers_in_order(lab: Lab, mode: str) -> None:
    with UdpEcho(lab.port, mode, port=PORT, cpu=CORE), ask(lab) as one, ask(lab) as other:
        for number in range(100):
            one.send(b"one %d" % number)
            other.send(b"other %d" % number)
        assert [one.recv(100) for _ in range(100)] == [b"one %d" % n for n in range(100)]
        assert [other.recv(100) for _ in range(100)] == [b"other %d" % n for n in range(100)]


@each_mode
def test_an_answer_that_can_not_be_sent_does_not_end_the_server(lab: Lab, mode: str) -> None:
    with (
        UdpEcho(lab.port, mode, port=PORT, cpu=CORE) as echo,
        lab.peer.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw,
        ask(lab) as asking,
    ):
        from_port_0 = struct.pack("!HHHH", 0, PORT, 8 + 4, 0) + b"lost"
        raw.sendto(from_port_0, (lab.port.ipv4, 0))
        assert eventually(lambda: echo.refused == 1)
        asking.send(b"still there?")
        assert asking.recv(100) == b"still there?"


@each_mode
def test_a_server_ends_idle_or_flooded_and_its_port_is_free_again(lab: Lab, mode: str) -> None:
    for _ in range(3):
        UdpEcho(lab.port, mode, port=PORT, cpu=CORE).close()
    with Traffic(lab.peer, lab.port, rate="max"):
        echo = UdpEcho(lab.port, mode, port=PORT, cpu=CORE)
        assert eventually(lambda: echo.answered > 1000)
        echo.close()
    echo.close()
    assert echo.closed
    assert echo.answered > 1000
    UdpEcho(lab.port, mode, port=PORT, cpu=CORE).close()


def test_a_server_that_was_forgotten_is_gone(lab: Lab) -> None:
    UdpEcho(lab.port, port=PORT, cpu=CORE)
    with UdpEcho(lab.port, port=PORT, cpu=CORE) as echo:
        assert not echo.closed


@pytest.mark.parametrize("wrong", [{"mode": "select"}, {"port": 0}, {"port": 1 << 16}, {"cpu": -1}])
def test_what_can_not_work_is_refused(lab: Lab, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        UdpEcho(lab.port, **{"port": PORT, "cpu": CORE} | wrong)


def test_a_port_that_is_in_use_is_named(lab: Lab) -> None:
    with (
        UdpEcho(lab.port, port=PORT, cpu=CORE),
        pytest.raises(KernelError, match="port 9: the kernel said EADDRINUSE") as caught,
    ):
        UdpEcho(lab.port, port=PORT, cpu=CORE)
    assert caught.value.errno == errno.EADDRINUSE
