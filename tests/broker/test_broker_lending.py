"""A real interface is lent to one client at a time, and comes back. A veth plays the real one."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from pyroute2 import IPRoute
from support.brokers import Broker
from support.child_programs import line, tell
from support.clients import Report, as_user, make_veth, own_network, puppet
from support.hosts import names
from support.programs import client
from support.requests import attach
from support.waiting import eventually

from xdplab.broker import protocol
from xdplab.broker.client import connect
from xdplab.core.errors import InterfaceGoneError, PermissionRefusedError
from xdplab.net.namespace import Namespace


def borrower(path: str, then: Callable[[], object] = lambda: None) -> Callable[[Report], object]:
    def client(report: Report) -> object:
        namespace = own_network()
        held = connect(protocol.INTERFACE, "card0", namespace, path=path)
        assert held.answer["name"] == "card0"
        assert socket.if_indextoname(held.answer["index"]) == "card0"
        then()
        report("borrowed")
        return held

    return client


def test_it_is_in_the_clients_namespace_until_the_client_goes(
    host: Namespace, lender: Broker
) -> None:
    with puppet(borrower(lender.socket)) as client:
        assert client.report() == "borrowed", lender.log()
        assert "card0" not in host.run(names)

        def another() -> str:
            with pytest.raises(InterfaceGoneError):
                connect(protocol.INTERFACE, "card0", own_network(), path=lender.socket)
            return "refused"

        assert as_user(another) == "refused"
        client.kill()
        assert eventually(lambda: "card0" in host.run(names)), lender.log()

    def is_up() -> bool:
        with IPRoute() as route:
            return bool(route.get_links(route.link_lookup(ifname="card0")[0])[0]["flags"] & 1)

    assert eventually(lambda: host.run(is_up))
    assert as_user(lambda: len(connect(
        protocol.INTERFACE, "card0", own_network(), path=lender.socket).answer)) == 2  # fmt: skip
    assert eventually(lambda: "card0" in host.run(names)), lender.log()


def test_an_engine_captures_on_a_borrowed_interface_and_it_comes_back(
    host: Namespace, lender: Broker, installed: Path
) -> None:
    text = """
from xdplab import Engine
from xdplab.lab.loan import Loan
with Loan("card0") as loan:
    with Engine(loan.interface) as engine:
        print("captures", flush=True)
        input()
        while (received := int(engine.telemetry.total()["rx_packets"])) < 10:
            pass  # what was sent last may be on its way
        print(received, flush=True)
print(loan, flush=True)
input()
"""
    with client(installed, lender.socket, text) as process:
        assert line(process) == "captures", lender.log()

        def is_connected() -> bool:
            with IPRoute() as route:
                (link,) = route.get_links(route.link_lookup(ifname="card0-peer")[0])
                return bool(link.get("operstate") == "UP")

        # Until the kernel has noticed, frames go nowhere.
        assert eventually(lambda: host.run(is_connected))

        def send() -> None:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
                wire.bind(("card0-peer", 0))
                for _ in range(10):
                    wire.send(bytes(60))

        host.run(send)
        tell(process)
        assert int(line(process)) >= 10
        assert line(process) == "<Loan of card0, given back>"
        assert eventually(lambda: "card0" in host.run(names)), lender.log()


def test_a_forked_child_does_not_keep_what_is_given_back(
    host: Namespace, lender: Broker, installed: Path
) -> None:
    text = """
import os, time
from xdplab.lab.loan import Loan
with Loan("card0"):
    child = os.fork()
    if not child:
        time.sleep(100)
print(child, flush=True)
input()
"""
    with client(installed, lender.socket, text) as process:
        child = int(line(process))
        try:
            assert eventually(lambda: "card0" in host.run(names)), lender.log()
        finally:
            os.kill(child, signal.SIGKILL)


def test_what_is_not_for_lending_or_carries_the_default_route_is_refused(
    host: Namespace, lender: Broker
) -> None:
    before = host.run(names)

    def client() -> str:
        namespace = own_network()
        for name, words in (("private0", "--interface private0"), ("card1", "default route"),
                            ("lo", "--interface lo"), ("nothing", "--interface")):  # fmt: skip
            with pytest.raises(PermissionRefusedError, match=words):
                connect(protocol.INTERFACE, name, namespace, path=lender.socket)
        return "refused"

    assert as_user(client) == "refused"
    assert host.run(names) == before


def rename_and_take_its_place() -> None:
    """Put something else where it was, by name and index, and hide the real one."""
    with IPRoute() as route:
        index = route.link_lookup(ifname="card0")[0]
        route.link("set", index=index, ifname="hidden")
        route.link("add", kind="veth", ifname="card0", peer={"ifname": "trap"})


def take_it_away() -> None:
    """Move it on into another namespace, and make another of its name and index."""
    import ctypes

    with IPRoute() as route:
        index = route.link_lookup(ifname="card0")[0]
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        libc = ctypes.CDLL(None)
        assert libc.unshare(0x40000000) == 0
        elsewhere = os.open("/proc/self/ns/net", os.O_RDONLY)
        assert libc.setns(here, 0) == 0
        route.link("set", index=index, net_ns_fd=elsewhere)
        route.link("add", kind="veth", ifname="card0", index=index, peer={"ifname": "trap"})
    # The descriptor stays open, and with it the namespace.


def hardware_address(name: str) -> str:
    with IPRoute() as route:
        link = route.get_links(route.link_lookup(ifname=name)[0])[0]
        return str(link.get("address"))


def test_it_comes_back_itself_whatever_stands_in_its_place(host: Namespace, lender: Broker) -> None:
    genuine = host.run(hardware_address, "card0")
    with puppet(borrower(lender.socket, rename_and_take_its_place)) as client:
        assert client.report() == "borrowed"
    assert eventually(lambda: "card0" in host.run(names)), lender.log()
    assert host.run(hardware_address, "card0") == genuine


def test_an_impostor_does_not_get_into_the_hosts_namespace(host: Namespace, lender: Broker) -> None:
    before = host.run(names)
    with puppet(borrower(lender.socket, take_it_away)) as client:
        assert client.report() == "borrowed"
    assert lender.is_quiet()
    # A veth ends with the namespace that it was hidden in, and its other end with it.
    assert host.run(names) <= before - {"card0"}


def test_a_name_that_is_taken_at_home_does_not_keep_it_away(
    host: Namespace, lender: Broker
) -> None:
    def name_it_so() -> None:
        with IPRoute() as route:
            index = route.link_lookup(ifname="card0")[0]
            route.link("property_add", index=index, altname=["mine", "private0"])

    with puppet(borrower(lender.socket, name_it_so)) as client:
        assert client.report() == "borrowed"
    assert eventually(lambda: "card0" in host.run(names)), lender.log()


def test_a_program_does_not_come_home_with_it(host: Namespace, lender: Broker) -> None:
    def client(report: Report) -> object:
        namespace = own_network()
        with connect(protocol.INTERFACE, "card0", namespace, path=lender.socket) as held:
            kept = attach(lender.socket, namespace, held.answer["index"])
        port, _ = make_veth()
        return kept + attach(lender.socket, namespace, port)

    def program() -> object:
        with IPRoute() as route:
            (link,) = route.get_links(route.link_lookup(ifname="card0")[0])
            return link.get_attr("IFLA_XDP").get_attr("IFLA_XDP_PROG_ID")

    with puppet(client) as made:
        assert made.report() == "done"
        assert lender.is_quiet()
        assert host.run(program) is None
        # The client's link is one of nothing now, and its other one is as it was.
        infos = [each.read_text() for each in Path(f"/proc/{made.process}/fdinfo").iterdir()]
        links = [info.split("ifindex:")[1].split()[0] for info in infos if "ifindex:" in info]
        assert sorted(number == "0" for number in links) == [False, True]


def test_a_lender_that_is_told_to_end_again_and_again_brings_it_back(
    host: Namespace, lender: Broker
) -> None:
    """As systemd tells all processes of a service, and the listener its sessions."""
    with puppet(borrower(lender.socket)) as client:
        assert client.report() == "borrowed"
        (session,) = lender.sessions()
        with suppress(ProcessLookupError):
            while Path(f"/proc/{session}/fd").exists():
                os.kill(session, signal.SIGTERM)
        assert lender.is_quiet()
        assert "card0" in host.run(names), lender.log()


def test_an_interrupt_at_the_brokers_terminal_brings_it_back(
    host: Namespace, lender: Broker
) -> None:
    with puppet(borrower(lender.socket)) as client:
        assert client.report() == "borrowed"
        (session,) = lender.sessions()
        assert os.getpgid(session) != os.getpgid(lender.process.pid)  # to which Ctrl-C goes
        lender.process.send_signal(signal.SIGINT)
        lender.process.wait(30)
        assert "card0" in host.run(names), lender.log()


def test_a_broker_that_is_told_to_end_brings_it_back_first(host: Namespace, lender: Broker) -> None:
    with ExitStack() as stack:
        client = stack.enter_context(puppet(borrower(lender.socket)))
        assert client.report() == "borrowed"
        lender.process.terminate()
        lender.process.wait(30)
        assert "card0" in host.run(names), lender.log()
