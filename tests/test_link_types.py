"""Interfaces without Ethernet frames: refused at every door, and told what to take instead."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from xdplab import Engine, Host, Lab, Stream, Traffic
from xdplab.core.errors import ConfigurationError
from xdplab.doctor import interfaces
from xdplab.net.interface import Interface
from xdplab.net.link_type import ETHERNET, LOOPBACK
from xdplab.net.namespace import Namespace

pytestmark = [pytest.mark.kernel, pytest.mark.privilege]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def place(privileged: None) -> Iterator[Namespace]:
    """Have a namespace with a TUN device, which is up."""
    with Namespace.create() as made:
        for command in (
            "ip link set lo up",
            "ip tuntap add dev tun0 mode tun",
            "ip link set tun0 up",
        ):
            assert made.run(run, *command.split()).returncode == 0
        yield made


DOORS: dict[str, Callable[[Interface, Lab], object]] = {
    "interface": lambda tun, _lab: Engine(tun, attach="skb"),
    "name": lambda tun, _lab: tun.namespace.run(Engine, "tun0", attach="skb"),
    "host": lambda tun, _lab: Engine(Host(tun), attach="skb"),
    "forward_to": lambda tun, lab: Engine(lab.port, forward_to=tun),
    "forward": lambda tun, lab: Engine(tun, forward_to=lab.port),
    "sender": lambda tun, lab: Traffic(Host(tun), lab.port),
    "receiver": lambda tun, lab: Traffic(lab.peer, Host(tun)),
    "stream": lambda tun, _lab: Stream(Host(tun)),
    **{
        path: (lambda tun, _lab, path=path: Engine(tun, attach="skb", path=path))  # type: ignore[misc]
        for path in ("udp-blocking", "udp-epoll", "udp-uring", "packet", "packet-mmap", "xdp")
    },
}


@pytest.mark.parametrize("door", DOORS)
def test_what_carries_no_ethernet_frames_is_refused_wherever_it_is_named(
    place: Namespace, lab: Lab, door: str
) -> None:
    tun = Interface.find("tun0", place)
    with pytest.raises(ConfigurationError, match=r"=tun0 carries raw IP packets \(link type 65534"):
        DOORS[door](tun, lab)


def test_the_remedy_that_is_named_works_as_typed(place: Namespace) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Engine(Interface.find("tun0", place), attach="skb")
    command = re.search(r"`(ip tuntap add dev (\S+) mode tap)`", str(refused.value))
    assert command is not None
    assert place.run(run, *command[1].split()).returncode == 0
    assert place.run(run, "ip", "link", "set", command[2], "up").returncode == 0
    with Engine(Interface.find(command[2], place), attach="skb") as engine:
        assert engine.running


def test_the_command_line_says_so_and_no_more(place: Namespace) -> None:
    program = "import sys; from xdplab.cli.cli import main; sys.exit(main())"
    words = ["run", "--interface", "tun0", "--seconds", "1"]
    done = place.run(run, sys.executable, "-c", program, *words)
    assert done.returncode != 0
    assert "tun0 carries raw IP packets" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_lists_them(place: Namespace) -> None:
    found = {each.name: each for each in place.run(lambda: [*interfaces.interfaces()])}
    assert found["interface tun0"].verdict == "limited"
    assert "raw IP packets" in found["interface tun0"].seen
    assert "interface lo" not in found


def test_loopback_and_tap_carry_ethernet_frames(place: Namespace) -> None:
    assert place.run(run, *["ip", "tuntap", "add", "dev", "tap0", "mode", "tap"]).returncode == 0
    assert place.run(run, *["ip", "link", "set", "tap0", "up"]).returncode == 0
    for name, kind in (("lo", LOOPBACK), ("tap0", ETHERNET)):
        found = Interface.find(name, place)
        assert found.link_type == kind
        with Engine(found, attach="skb"):
            pass


# CAN, PPP, tunnels of several kinds, a monitor, one that nobody knows.
@pytest.mark.parametrize("kind", [280, 512, 519, 768, 769, 776, 778, 823, 803, 824, 65534, 65535])
def test_every_other_link_type_is_named_with_what_to_take_instead(lab: Lab, kind: int) -> None:
    other = dataclasses.replace(lab.port.interface, link_type=kind)
    with pytest.raises(ConfigurationError) as refused:
        Engine(other)
    assert f"(link type {kind})" in str(refused.value)
    assert ":  " not in str(refused.value) and ": ." not in str(refused.value)
