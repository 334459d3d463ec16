"""What a receive path other than AF_XDP can't do is refused with the remedy, and leaves nothing."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest
from support.receive_paths import each_path, engine_on, received, send
from support.waiting import eventually

from xdplab import ConfigurationError, Engine, Interface, Lab, QueueBusyError, Stream
from xdplab.configuration.keywords import grouped

pytestmark = pytest.mark.kernel  # whose sockets they are


@each_path
def test_a_path_whose_socket_would_receive_uncounted_is_not_reconfigured(
    lab: Lab, path: str
) -> None:
    with engine_on(lab, path) as engine:
        with pytest.raises(ConfigurationError, match="Make a new one"):
            engine.reconfigure(cpu=0)
        send(lab, 500)
        assert eventually(lambda: received(engine) >= 500)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"path": "udp-epol"}, "Did you mean 'udp-epoll'?"),
        ({"action": "reflect"}, "action='reflect' takes path='xsk'"),
        ({"wait": "spin"}, "waits in its own way"),
        ({"queue": 1}, "queue=1 must be"),
        ({"ring_size": 1024}, "ring_size=1024 is AF_XDP's"),
        ({"multi_buffer": True}, "multi_buffer=True is AF_XDP's"),
        ({"bind": "copy"}, "bind='copy' is AF_XDP's"),
        ({"metadata": True}, "metadata=True is AF_XDP's"),
        ({"unaligned": True}, "unaligned=True is AF_XDP's"),
        ({"huge_pages": "auto"}, "huge_pages='auto' is AF_XDP's"),
        ({"socket_buffer": 1}, "socket_buffer=1 must be"),
        ({"path": "xdp", "socket_buffer": 1 << 20}, "takes a path with an ordinary socket"),
        ({"path": "xsk", "socket_buffer": 1 << 20}, "ring_size's to say"),
    ],
)
def test_what_a_path_can_not_do_is_refused_with_the_remedy(
    lab: Lab, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        Engine(lab.port, **grouped({"path": "udp-epoll", **settings}))
    Engine(lab.port, path="udp-epoll").close()


def test_two_interfaces_and_a_stream_take_af_xdp(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match=r"forward_to=.*path='xsk'"):
        Engine(lab.port, path="packet", forward_to=lab.peer)
    with pytest.raises(ConfigurationError, match=r"stream=.*path='xsk'"):
        Engine(lab.port, path="packet", stream=Stream(lab.peer))


def test_a_path_that_waits_in_its_own_way_has_no_strategies(lab: Lab) -> None:
    with Engine(lab.port, path="packet") as engine:
        assert engine.wait_strategies == ()
        assert (engine.wait, engine.wait_note, engine.wait_ineffective) == ("", "", {})
        with pytest.raises(ConfigurationError, match="waits in its own way"):
            engine.wait = "spin"
        with pytest.raises(ConfigurationError, match="receives and drops"):
            engine.action = "echo"
        assert "path='packet'" in repr(engine)


def test_a_port_that_is_taken_is_told_and_nothing_is_left(lab: Lab) -> None:
    with (
        lab.port.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken,
        pytest.raises(QueueBusyError, match=r"EADDRINUSE.*port 9"),
    ):
        taken.bind((lab.port.ipv4, 9))
        Engine(lab.port, path="udp-blocking")
    Engine(lab.port, path="udp-blocking").close()
    Engine(lab.port).close()


def test_an_interface_without_an_address_is_told_so(lab: Lab) -> None:
    assert lab.port.command(["ip", "address", "flush", "dev", "port0"]).returncode == 0
    bare = Interface.find("port0", lab.port.interface.namespace)
    with pytest.raises(ConfigurationError, match="ip address add"):
        Engine(bare, path="udp-epoll")
    Engine(bare, path="packet").close()
