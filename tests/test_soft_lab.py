"""A simulated lab: the hosts that a real one has, and nothing of the real network in reach."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest
from support.child_programs import line, python
from support.waiting import eventually

from xdplab.backends.soft.host import SoftNamespace
from xdplab.core.errors import ClosedError, ConfigurationError, InterfaceGoneError
from xdplab.engine.engine import Engine
from xdplab.engine.traffic import Traffic
from xdplab.lab.lab import Host, Lab
from xdplab.net.interface import Interface


@pytest.fixture
def soft() -> Iterator[Lab]:
    with Lab(backend="soft") as made:
        yield made


def wire_of(lab: Lab) -> SoftNamespace:
    namespace = lab.port.interface.namespace
    assert isinstance(namespace, SoftNamespace)
    return namespace


def test_it_has_the_names_and_addresses_of_a_real_lab() -> None:
    with Lab(queues=3, mtu=9000, number=7, backend="soft") as lab:
        port, peer = lab.port.interface, lab.peer.interface
        assert (port.name, port.index, port.mac) == ("port0", 3, "02:00:c6:12:07:01")
        assert (peer.name, peer.index, peer.mac) == ("peer0", 2, "02:00:c6:12:07:02")
        assert (lab.port.ipv4, lab.port.ipv6) == ("198.18.7.1", "2001:db8::7:1")
        assert (lab.peer.ipv4, lab.peer.ipv6) == ("198.18.7.2", "2001:db8::7:2")
        for interface in (port, peer):
            assert (interface.queues, interface.mtu, interface.driver) == (3, 9000, "soft")
            assert interface.is_up()
            assert not interface.carries_default_route()
            assert not interface.interrupt_cores


def test_it_says_that_it_is_simulated(soft: Lab) -> None:
    traffic = Traffic(soft.peer, soft.port)
    engine = Engine(soft.port)
    try:
        assert soft.simulated
        assert engine.simulated
        for what in (soft, soft.port, engine, traffic):
            assert "[simulated]" in repr(what)
        assert str(engine.ledger(traffic).read()).startswith("[simulated]\n")
    finally:
        engine.close()
        traffic.close()


@pytest.mark.parametrize(
    "reach",
    [
        lambda host: host.run(lambda: None),
        lambda host: host.socket(),
        lambda host: host.command(["true"]),
        lambda host: host.steer_receiving([]),
        lambda host: host.interface.namespace.fd,
        lambda host: Interface.find("port0", host.interface.namespace),
    ],
    ids=["run", "socket", "command", "steer_receiving", "fd", "find"],
)
def test_nothing_enters_a_simulated_host(soft: Lab, reach: Callable[[Host], object]) -> None:
    with pytest.raises(ConfigurationError, match=r"no network stack.*Lab\(backend='kernel'\)"):
        reach(soft.port)
    soft.close()
    with pytest.raises(ClosedError):
        reach(soft.port)


def test_ends_and_labs_are_told_apart(soft: Lab) -> None:
    with Lab(backend="soft") as other:
        hosts = (soft.port, soft.peer, other.port, other.peer)
        assert len({host.interface.namespace.identity for host in hosts}) == 4
    with pytest.raises(ConfigurationError, match="is the interface that it captures on"):
        Engine(soft.port, forward_to=soft.port)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_its_stacks_answer_pings(soft: Lab, family: str) -> None:
    result = soft.peer.ping(getattr(soft.port, family), count=5, interval=0.001)
    assert (result.sent, result.received) == (5, 5)
    link = soft.port.interface.link_statistics()
    assert link["rx_packets"] >= 5
    assert link["tx_packets"] >= 5


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_ping_may_be_as_large_as_on_a_real_host(soft: Lab, family: str) -> None:
    result = soft.peer.ping(getattr(soft.port, family), size=65_507)
    assert (result.sent, result.received) == (1, 1)


def test_nobody_else_answers_pings(soft: Lab) -> None:
    result = soft.peer.ping("198.18.99.1", count=2, interval=0.001, timeout=0.05)
    assert (result.sent, result.received) == (2, 0)


def test_a_ping_is_checked_as_on_a_real_host(soft: Lab) -> None:
    with pytest.raises(ConfigurationError, match="is no IP address"):
        soft.peer.ping("port0")
    with pytest.raises(ConfigurationError, match="interval=0"):
        soft.peer.ping(soft.port.ipv4, interval=0)


def test_a_lab_that_is_closed_ends_the_pings_under_way_which_wait_for_no_other() -> None:
    lab = Lab(backend="soft")
    outcome: list[BaseException] = []

    def ping() -> None:
        try:
            lab.peer.ping("198.18.99.1", count=20, interval=1)
        except (InterfaceGoneError, ClosedError) as error:
            outcome.append(error)

    threads = [threading.Thread(target=ping) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: lab.port.interface.link_statistics()["rx_packets"] >= 3)
    assert lab.peer.ping(lab.port.ipv4).received == 1
    assert all(thread.is_alive() for thread in threads)
    lab.close()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert len(outcome) == 3


def test_a_wire_that_is_cut_takes_both_interfaces_away(soft: Lab) -> None:
    wire_of(soft).wire.cut()
    for host in (soft.port, soft.peer):
        with pytest.raises(InterfaceGoneError, match="statistics of"):
            host.interface.link_statistics()
        with pytest.raises(InterfaceGoneError, match="statistics of"):
            host.interface.driver_statistics()
    with pytest.raises(InterfaceGoneError):
        Traffic(soft.peer, soft.port)
    with pytest.raises(InterfaceGoneError):
        Engine(soft.port)


def test_a_closed_lab_says_so(soft: Lab) -> None:
    soft.close()
    soft.close()
    assert soft.closed
    assert repr(soft) == "<Lab closed>"
    for use in (
        soft.port.interface.link_statistics,
        soft.port.interface.is_up,
        lambda: soft.peer.ping("198.18.0.1"),
        lambda: Traffic(soft.peer, soft.port),
        lambda: Engine(soft.port),
    ):
        with pytest.raises(ClosedError):
            use()


def test_a_forked_child_is_told_that_it_has_no_wire() -> None:
    text = """
import os, signal
from xdplab import ClosedError, Engine, Lab, Traffic
lab = Lab(backend="soft")
child = os.fork()
if child == 0:
    signal.alarm(30)  # instead of waiting for a thread that there isn't
    for use in (
        lambda: setattr(lab.port.faults, "jitter", 0.1),
        lambda: Engine(lab.port),
        lambda: Traffic(lab.peer, lab.port),
        lab.port.interface.link_statistics,
    ):
        try:
            use()
        except ClosedError:
            continue
        os._exit(1)
    lab.close()
    os._exit(0)
print(os.waitpid(child, 0)[1], lab.peer.ping(lab.port.ipv4).received, flush=True)
"""
    with python(text) as process:
        assert line(process) == "0 1"


def test_a_lab_that_nobody_holds_is_gone() -> None:
    lab = Lab(backend="soft")
    gone = weakref.ref(wire_of(lab).wire)
    before = threading.active_count()
    del lab
    gc.collect()
    assert gone() is None
    assert threading.active_count() <= before


def test_many_labs_at_once_are_made_and_closed() -> None:
    labs = [Lab(backend="soft", number=number) for number in range(20)]
    try:
        for lab in labs:
            assert lab.peer.ping(lab.port.ipv4).received == 1
    finally:
        for lab in labs:
            lab.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"queues": 0},
        {"queues": 4097},
        {"mtu": 1279},
        {"mtu": 65536},
        {"number": -1},
        {"number": 512},
    ],
)
def test_it_is_checked_as_a_real_one(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Lab(backend="soft", **wrong)  # type: ignore[arg-type]


def test_it_may_have_as_many_queues_as_a_real_one() -> None:
    with Lab(queues=4096, mtu=65535, backend="soft") as lab:
        assert lab.port.interface.driver_statistics()["rx_queue_4095_xdp_packets"] == 0
