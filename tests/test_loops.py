"""Packets that would run in a loop for ever: the last step that closes the ring is refused."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from xdplab import Engine, Lab, Stream
from xdplab.core.errors import ConfigurationError
from xdplab.net.interface import Interface
from xdplab.net.namespace import Namespace

ENDLESS = "in a loop for ever"


@pytest.fixture
def place(privileged: None) -> Iterator[Namespace]:
    """Have a namespace with loopback and both ends of a pair, all of them up."""
    with Namespace.create() as made:
        for command in (
            "link set lo up",
            "link add v0 type veth peer p0",
            "link set v0 up",
            "link set p0 up",
            "link add w0 type veth peer q0",
            "link set w0 up",
            "link set q0 up",
        ):
            made.run(_ip, command)
        yield made


def _ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True, capture_output=True, timeout=30)


def of_the_kernel(test: Callable[..., None]) -> Callable[..., None]:
    return pytest.mark.kernel(pytest.mark.privilege(test))


@of_the_kernel
@pytest.mark.parametrize("action", ["reflect", "echo", "forward"])
def test_what_loopback_sends_it_receives_so_no_engine_sends_back_there(
    place: Namespace, action: str
) -> None:
    lo = Interface.find("lo", place)
    with pytest.raises(ConfigurationError, match=ENDLESS):
        Engine(lo, attach="skb", action=action)
    with Engine(lo, attach="skb") as engine:
        with pytest.raises(ConfigurationError, match=ENDLESS):
            engine.action = action
        assert engine.action == "drop"


@of_the_kernel
def test_a_stream_on_loopback_is_received_and_dropped(place: Namespace, lab: Lab) -> None:
    lo = Interface.find("lo", place)
    stream = Stream(lab.port, rate=1000, count=10)
    with Engine(lo, attach="skb", stream=stream) as engine:
        assert engine.action == "generate"
        with pytest.raises(ConfigurationError, match=ENDLESS):
            engine.action = "reflect"


@of_the_kernel
def test_the_two_ends_of_a_pair_are_not_joined(place: Namespace) -> None:
    near, far = (Interface.find(name, place) for name in ("v0", "p0"))
    with pytest.raises(ConfigurationError, match="two ends of one pair"):
        Engine(near, forward_to=far)
    with Engine(near, forward_to=far, action="drop") as engine:
        with pytest.raises(ConfigurationError, match=ENDLESS):
            engine.action = "forward"
        assert engine.action == "drop"


@of_the_kernel
def test_a_pair_is_told_from_others_of_the_same_numbers(privileged: None) -> None:
    # In each lab the port's index is 3 and the peer's is 2.
    with Lab() as one, Lab(number=1) as other:
        with Engine(one.port, forward_to=other.peer) as engine:
            assert engine.action == "forward"
        with pytest.raises(ConfigurationError, match="two ends of one pair"):
            Engine(one.port, forward_to=one.peer)


@pytest.mark.parametrize("first", ["reflect", "echo"])
@pytest.mark.parametrize("second", ["reflect", "echo"])
def test_two_engines_do_not_throw_packets_at_each_other(lab: Lab, first: str, second: str) -> None:
    with Engine(lab.port, action=first) as engine:
        with pytest.raises(ConfigurationError, match="another engine"):
            Engine(lab.peer, action=second)
        with Engine(lab.peer) as other:
            with pytest.raises(ConfigurationError, match="another engine"):
                other.action = second
            assert other.action == "drop"
            engine.action = "drop"
            other.action = second
            with pytest.raises(ConfigurationError, match="another engine"):
                engine.action = first
    # What is closed sends nothing back.
    with Engine(lab.port, action=first):
        pass


def test_engines_in_a_ring_are_refused_and_in_a_row_are_not(privileged: None) -> None:
    with Lab() as one, Lab(number=1) as other, Engine(one.port, forward_to=other.port) as engine:
        with pytest.raises(ConfigurationError, match="another engine"):
            Engine(one.peer, forward_to=other.peer)
        with (
            Engine(one.peer, action="reflect"),
            pytest.raises(ConfigurationError, match="another engine"),
        ):
            Engine(other.peer, action="echo")
        engine.action = "drop"
        with Engine(one.peer, forward_to=other.peer):
            pass


def test_a_lab_that_was_closed_is_in_nobodys_way(lab: Lab) -> None:
    with Lab(number=1) as gone:
        left = Engine(gone.port, action="reflect")
    with Engine(lab.port, action="reflect") as engine:
        assert engine.running
    left.close()
    assert left.closed


@of_the_kernel
def test_a_pair_in_two_namespaces_is_found_by_names_too(privileged: None) -> None:
    name = f"xdplab-{os.getpid()}-loop"
    with Namespace.create() as place:
        place.run(_ip, f"netns add {name}")
        try:
            place.run(_ip, f"link add v0 type veth peer p0 netns {name}")
            other = Namespace(os.open(f"/run/netns/{name}", os.O_RDONLY))
            place.run(_ip, "link set v0 up")
            other.run(_ip, "link set p0 up")
            with (
                Engine(Interface.find("v0", place), action="reflect"),
                pytest.raises(ConfigurationError, match="another engine"),
            ):
                Engine(Interface.find("p0", other), action="reflect")
        finally:
            place.run(_ip, f"netns delete {name}")


@of_the_kernel
def test_two_ports_of_a_bridge_are_not_joined_once_more(place: Namespace) -> None:
    for command in (
        "link add br0 type bridge",
        "link set br0 up",
        "link set p0 master br0",
        "link set q0 master br0",
    ):
        place.run(_ip, command)
    near, far = (Interface.find(name, place) for name in ("v0", "w0"))
    with pytest.raises(ConfigurationError, match="one bridge, br0") as refused:
        Engine(near, forward_to=far)
    command = str(refused.value).split("`")[1]
    with Engine(near, forward_to=far, action="drop") as engine:
        with pytest.raises(ConfigurationError, match="one bridge, br0"):
            engine.action = "forward"
        subprocess.run(command.split(), check=True, timeout=30)
        engine.action = "forward"
