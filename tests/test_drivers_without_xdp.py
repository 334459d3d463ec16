"""Drivers that lack a part of XDP: what is asked of them is refused, with what they take."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from xdplab import ConfigurationError, Engine, Host, Interface, KernelError, Traffic
from xdplab.net.namespace import Namespace

pytestmark = [pytest.mark.kernel, pytest.mark.privilege]


def run(command: str) -> None:
    subprocess.run(command.split(), check=True, timeout=60)


@pytest.fixture
def place(privileged: None) -> Iterator[Namespace]:
    """Have a bridge, whose driver has nothing of XDP, and a tap, whose driver has all of it."""
    with Namespace.create() as made:
        for command in (
            "ip link add bridge0 type bridge",
            "ip tuntap add dev tap0 mode tap",
            "ip address add 198.18.0.1/24 dev bridge0",
            "ip address add 198.18.1.1/24 dev tap0",
            "ip link set bridge0 up",
            "ip link set tap0 up",
        ):
            made.run(run, command)
        yield made


def test_zero_copy_without_native_xdp_is_told_which_mode_there_is(place: Namespace) -> None:
    bridge = Interface.find("bridge0", place)
    with pytest.raises(KernelError, match=r"neither zero-copy nor native XDP.*attach='skb'"):
        Engine(bridge, bind="zero-copy")
    with Engine(bridge, attach="skb") as engine:
        assert not engine.zero_copy


def test_a_generator_whose_driver_drops_all_of_its_frames_does_not_start(place: Namespace) -> None:
    bridge, tap = (Host(Interface.find(name, place)) for name in ("bridge0", "tap0"))
    traffic = Traffic(bridge, tap, count=1)
    with pytest.raises(ConfigurationError, match="the driver of bridge0 sends no frame"):
        traffic.start()
    assert not traffic.running
    traffic.close()
    with Traffic(tap, bridge, count=1) as sent:
        assert sent.wait(30)
