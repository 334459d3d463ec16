"""A network: several hosts joined by wires, of which those with several forward packets."""

from __future__ import annotations

import gc
import itertools
import os
import random
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.capabilities import without
from support.child_programs import line, python
from support.ended_namespaces import Witness
from support.loads import HOLDABLE_RATE
from support.pings import all_answered
from support.waiting import eventually

from xdplab import GALLERY, Capture, Engine, Lab, Network, Program, Traffic
from xdplab.backends.network_plan import NetworkPlan
from xdplab.core.errors import ClosedError, ConfigurationError

COUNT = 500


@st.composite
def plans(draw: st.DrawFn) -> NetworkPlan:
    """Draw a network in which all hosts are joined, by a tree of wires and some more."""
    names = [f"host{number}" for number in range(draw(st.integers(2, 12)))]
    rolls = random.Random(draw(st.integers(0, 1 << 32)))
    wires = [
        (names[rolls.randrange(number)], names[number])[:: rolls.choice([1, -1])]
        for number in range(1, len(names))
    ]
    others = [pair for pair in itertools.combinations(names, 2) if set(pair) not in map(set, wires)]
    rolls.shuffle(others)
    wires += others[: draw(st.integers(0, 8))]
    rolls.shuffle(wires)
    return NetworkPlan(tuple(wires), 1, 1500)


@given(plan=plans())
def test_routes_lead_to_each_wire_by_a_shortest_way(plan: NetworkPlan) -> None:
    owners = {
        address.ip: ends[side]
        for number, ends in enumerate(plan.wires)
        for side in (0, 1)
        for address in plan.end(number, side).addresses[:2]
    }
    assert len(owners) == 4 * len(plan.wires)
    next_hosts = {
        name: {route.network: owners[route.gateway] for route in plan.routes(name)}
        for name in plan.hosts
    }
    for host in plan.hosts:
        distances = {host: 0}
        for reached in (waiting := [host]):
            for name in plan.neighbours(reached):
                if name not in distances:
                    distances[name] = distances[reached] + 1
                    waiting.append(name)
        for number, ends in enumerate(plan.wires):
            for network in (each.network for each in plan.end(number, 0).addresses[:2]):
                here, steps = host, 0
                while here not in ends:
                    here, steps = next_hosts[here][str(network)], steps + 1
                assert steps == min(distances[end] for end in ends)


@pytest.mark.parametrize(
    ("wires", "words"),
    [
        ((), r"wires: 0 of them. Name 1 to 64, such as Network"),
        (tuple(f"a-b{number}" for number in range(65)), "wires: 65 of them"),
        (("client",), "wires='client' must name two hosts with a dash between them"),
        (("a-b-c",), "wires='a-b-c' must name two hosts"),
        (("a-a",), "wires='a-a' must name two hosts"),
        (("a-1",), "wires='a-1' must name two hosts"),
        (("a-b\n",), "must name two hosts"),
        (("client-twelve_chars",), None),
        (("client-thirteen_long",), "at most 12 letters"),
        (("a-b", "b-a"), "wires='b-a' joins two hosts that another wire joins already"),
        (("a-b", "c-d"), "wires: no way leads from 'a' to 'c'"),
        ((3,), "wires=3 must be text"),
        ((None,), "wires=None must be text"),
    ],
)
def test_wires_that_make_no_network_are_refused(wires: tuple[str, ...], words: str | None) -> None:
    # The soft NIC refuses any, but only once the wires are checked.
    with pytest.raises(ConfigurationError, match=words or "a Network needs the kernel"):
        Network(*wires, backend="soft")


@pytest.mark.parametrize(("name", "value"), [("queues", 0), ("mtu", 68), ("backend", "hard")])
def test_settings_out_of_range_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}={value!r}"):
        Network("a-b", **{name: value})  # type: ignore[arg-type]


@pytest.mark.privilege  # that it lacks
def test_without_privilege_it_says_who_could_make_one() -> None:
    text = """
import os
from xdplab import Network, PermissionRefusedError
os.environ.pop("XDPLAB_BACKEND", None)
os.environ["XDPLAB_BROKER"] = "/nonexistent/broker.sock"
try:
    Network("a-b")
except PermissionRefusedError as error:
    print(str(error).replace(chr(10), " "), flush=True)
"""
    with python(text, *without("net_admin")) as process:
        assert "broker" in line(process)


@pytest.mark.kernel
@pytest.mark.parametrize(
    "wires",
    [("a-b",), ("a-b", "b-c", "c-d"), ("a-b", "b-c", "c-a"), ("x-a", "x-b", "c-x")],
    ids=["pair", "line", "ring", "star"],
)
def test_each_host_reaches_each_end_of_each_wire(privileged: None, wires: tuple[str, ...]) -> None:
    with Network(*wires) as net:
        pairs = [tuple(wire.split("-")) for wire in wires]
        ends = [net[pair[::way]] for pair in pairs for way in (1, -1)]  # type: ignore[index]
        for host, target in itertools.permutations(ends, 2):
            assert all_answered(host, target.ipv4)
            assert all_answered(host, target.ipv6)


@pytest.mark.kernel
def test_an_end_of_a_wire_is_a_host(privileged: None) -> None:
    with Network("client-router", "router-server", queues=2, mtu=3000) as net:
        assert net.hosts == ("client", "router", "server")
        client, first, second = net["client"], net["router", "client"], net["router", "server"]
        assert (client.ipv4, first.ipv6) == ("198.18.0.1", "2001:db8::2")
        assert (second.ipv4, net["server"].ipv6) == ("198.18.1.1", "2001:db8::1:2")
        assert (second.interface.name, second.interface.queues) == ("to-server", 2)
        assert (client.interface.name, client.interface.mtu) == ("to-router", 3000)
        assert client is net["client", "router"]
        assert first.interface.namespace is second.interface.namespace
        assert client.interface.leads_to(first.interface)
        assert not client.interface.leads_to(second.interface)


@pytest.mark.kernel
def test_what_is_no_end_of_a_wire_is_refused(privileged: None) -> None:
    with Network("client-router", "router-server") as net:
        for name, words in (
            ("router", r"2 wires.*net\['router', 'client'\] or net\['router', 'server'\]"),
            ("clint", "Did you mean 'client'"),
            (("client", "server"), "the other end of a wire of client='server' is none of: router"),
            (("client", "router", "server"), r"must be a host, .*net\['client', 'router'\]"),
            (("client", 3), "=3 is none of: router"),
            ((), r"name=\(\) is none of"),
            (0, "name=0 is none of: client, router, server"),
        ):
            with pytest.raises(ConfigurationError, match=words):
                net[name]  # type: ignore[index]
        with pytest.raises(TypeError, match="not iterable"):
            iter(net)  # type: ignore[call-overload]
        with pytest.raises(ConfigurationError, match=r"Network\(..., mtu=...\)"):
            net.mtu = 9000


@pytest.mark.kernel
def test_it_shows_each_end_of_each_wire(privileged: None) -> None:
    with Network("client-router", "router-server") as net:
        assert repr(net) == "<Network client-router, router-server>"
        rows = [each.split() for each in str(net).splitlines()[2:]]
        assert rows == [
            [wire, host, end.interface.name, end.ipv4, end.ipv6, end.interface.mac]
            for wire, host, end in (
                ("client-router", "client", net["client"]),
                ("client-router", "router", net["router", "client"]),
                ("router-server", "router", net["router", "server"]),
                ("router-server", "server", net["server"]),
            )
        ]
        assert "to-server" in net._repr_html_()
        host = net["client"]
    assert (repr(net), str(net), net.closed) == ("<Network closed>", "<Network closed>", True)
    net.close()
    with pytest.raises(ClosedError):
        host.ping("198.18.1.2")


@pytest.mark.kernel
def test_programs_engines_captures_and_generators_work_on_its_ends(privileged: None) -> None:
    with (
        Network("client-router", "router-server") as net,
        Program(GALLERY["count"], net["router", "client"]) as program,
    ):
        program.attach()
        program.attach(net["router", "server"])
        counted = program.maps["counts"]
        assert all_answered(net["client"], net["server"].ipv4)
        assert counted[(0x800, 1, 0)].packets == 2, "one on each side of the router"
        with Traffic(
            net["client"], net["router", "client"], rate=HOLDABLE_RATE / 5, count=COUNT
        ) as traffic:
            assert traffic.wait(60)
        assert eventually(lambda: counted.get((0x800, 17, 0), (0, 0))[0] == COUNT)
        with (
            Engine(net["server"], ring_size=4096) as engine,
            Traffic(
                net["router", "server"], net["server"], rate=HOLDABLE_RATE / 5, count=COUNT
            ) as traffic,
        ):
            assert traffic.wait(60)
            assert eventually(lambda: engine.telemetry.total()["rx_packets"] == COUNT)
        with (
            Capture(net["client"]) as capture,
            Traffic(net["router", "client"], net["client"], rate=1000, count=COUNT) as traffic,
        ):
            assert len(capture.recv())
            assert traffic.wait(60)


@pytest.mark.kernel
@pytest.mark.privilege  # a witness enters the namespaces of this process
def test_however_it_ends_nothing_is_left(privileged: None) -> None:
    gc.collect()
    with Network("a-b", "b-c"):
        witness = Witness(os.getpid())
        assert witness.left() == 3
    assert witness.sees_the_end()
    net = Network("a-b", "b-c")
    witness = Witness(os.getpid())
    end = net["b", "c"]
    del net
    gc.collect()
    assert end.interface.is_up()
    del end
    gc.collect()
    assert witness.sees_the_end()


@pytest.mark.kernel
@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_to_the_process_ends_all_its_namespaces(
    privileged: None, way: signal.Signals
) -> None:
    text = "from xdplab import Network; net = Network('a-b', 'b-c'); print(repr(net), flush=True)"
    with python(f"{text}; input()") as process:
        assert line(process) == "<Network a-b, b-c>"
        witness = Witness(process.pid)
        assert witness.left() == 3
        process.send_signal(way)
        process.wait()
        assert witness.sees_the_end()


@pytest.mark.kernel
def test_labs_and_networks_do_not_meet(privileged: None) -> None:
    with Network("a-b") as net, Network("a-b") as other, Lab() as lab:
        assert net["a"].ipv4 == other["a"].ipv4 == lab.port.ipv4
        names = {each.interface.namespace.identity for each in (net["a"], other["a"], lab.port)}
        assert len(names) == 3
