"""Who is served, how many at once, and that nobody holds up the others."""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from pyroute2 import IPRoute
from support.broker_connections import is_served, one_visit, raw, slow_to_close
from support.brokers import Broker, Start
from support.clients import NOBODY, SERVED, Report, as_user, own_network, puppet
from support.waiting import eventually

from xdplab.broker import protocol
from xdplab.broker.client import connect
from xdplab.core.errors import KernelError, PermissionRefusedError

STRANGER = 12345


def test_the_socket_is_roots_and_the_groups(broker: Broker) -> None:
    status = Path(broker.socket).stat()
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert (status.st_uid, status.st_gid) == (0, SERVED)


def test_a_member_is_served_by_first_group_or_by_another(broker: Broker) -> None:
    assert as_user(lambda: one_visit(broker.socket), group=SERVED)
    assert as_user(lambda: one_visit(broker.socket), group=STRANGER, groups=[STRANGER, SERVED])


def test_who_is_in_no_such_group_can_not_even_connect(broker: Broker) -> None:
    def client() -> str:
        with pytest.raises(PermissionRefusedError, match="group that you are not in"):
            connect(protocol.LAB, path=broker.socket)
        return "refused"

    assert as_user(client, group=STRANGER) == "refused"


def test_who_got_past_the_sockets_mode_is_refused_by_the_listener(broker: Broker) -> None:
    """As root could have passed the socket on, or changed its mode."""

    def client() -> str:
        with pytest.raises(PermissionRefusedError, match="group that you are not in"):
            connect(protocol.LAB, path=broker.socket)
        return "refused"

    Path(broker.socket).chmod(0o666)
    try:
        assert as_user(client, group=STRANGER, groups=[STRANGER + 1]) == "refused"
    finally:
        Path(broker.socket).chmod(0o660)
    assert "not in the group" in broker.log()


def test_the_silent_and_the_deaf_are_ended_while_others_are_served(broker: Broker) -> None:
    def silent_and_deaf(report: Report) -> object:
        stack = ExitStack()
        silent = [stack.enter_context(raw(broker.socket)) for _ in range(5)]
        deaf = connect(protocol.NETWORK, descriptor=own_network(), path=broker.socket)
        deaf.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            while True:  # until the broker's answers fill all there is
                protocol.send(deaf.socket, protocol.encode_request("generator_status", {}))
        return silent, deaf, stack

    with puppet(silent_and_deaf) as client:
        assert client.report() == "done"
        assert broker.sessions()
        began = time.monotonic()
        assert all(as_user(lambda: one_visit(broker.socket)) for _ in range(5))
        assert time.monotonic() - began < 30
        assert broker.is_quiet()
    assert "it takes too long" in broker.log()


def test_200_clients_at_once_are_all_served(broker: Broker) -> None:
    """Of four users, since one has so many connections and no more."""

    def client(report: Report) -> object:
        namespace = own_network()
        held = [
            connect(protocol.NETWORK, descriptor=namespace, path=broker.socket) for _ in range(50)
        ]
        report("connected")
        assert all(is_served(each) for each in reversed(held))
        return held

    with ExitStack() as stack:
        clients = [stack.enter_context(puppet(client, NOBODY - number)) for number in range(4)]
        assert [each.report() for each in clients] == ["connected"] * 4
        assert len(broker.sessions()) == 200
        assert [each.report() for each in clients] == ["done"] * 4
    assert broker.is_quiet()


def test_a_user_who_has_all_connections_leaves_the_others_theirs(start_broker: Start) -> None:
    broker = start_broker("--sessions", "3")

    def greedy(_report: Report) -> object:
        namespace = own_network()
        held = [
            connect(protocol.NETWORK, descriptor=namespace, path=broker.socket) for _ in range(3)
        ]
        for _ in range(20):
            with pytest.raises(KernelError, match="connections of a user") as refused:
                connect(protocol.NETWORK, descriptor=namespace, path=broker.socket)
            assert refused.value.errno == errno.EUSERS
        held.pop().close()
        assert eventually(lambda: len(broker.sessions()) == 2)
        held.append(connect(protocol.NETWORK, descriptor=namespace, path=broker.socket))
        return held

    with puppet(greedy) as client:
        assert client.report() == "done"
        assert as_user(lambda: one_visit(broker.socket), user=NOBODY - 1)
    assert broker.is_quiet()


def test_what_is_left_with_a_refused_connection_holds_nobody_up(start_broker: Start) -> None:
    broker = start_broker("--sessions", "1")

    def client(report: Report) -> object:
        namespace = own_network()
        with IPRoute() as route:
            route.link("set", index=1, state="up")
        held = connect(protocol.NETWORK, descriptor=namespace, path=broker.socket)
        slow = slow_to_close()
        with raw(broker.socket) as refused:
            protocol.send(refused, protocol.encode_first(protocol.LAB), [slow])
        os.close(slow)
        return held

    with puppet(client) as made:
        assert made.report() == "done"
        began = time.monotonic()
        assert as_user(lambda: one_visit(broker.socket), user=NOBODY - 1)
        assert time.monotonic() - began < 20


def test_a_listener_without_descriptors_serves_again_when_there_are(start_broker: Start) -> None:
    broker = start_broker("--sessions", "100", before=("prlimit", "--nofile=40:40"))

    def client(report: Report) -> object:
        namespace = own_network()
        with ExitStack() as stack:
            held = []
            for _ in range(60):
                each = stack.enter_context(raw(broker.socket))
                protocol.send(each, protocol.encode_first(protocol.NETWORK), [namespace])
                held.append(each)
            assert protocol.receive(held[0])[0]
            report("many")
            assert eventually(lambda: len(broker.sessions()) > 20)
            stack.pop_all()
        return held

    with puppet(client) as made:
        assert made.report() == "many"
        assert made.report() == "done"
    assert broker.is_quiet()
    assert as_user(lambda: one_visit(broker.socket))


def test_a_client_may_come_and_go_without_a_word(broker: Broker) -> None:
    def client() -> None:
        for _ in range(20):
            with raw(broker.socket):
                pass

    as_user(client)
    # They cost nobody a session, and the broker serves the next as before.
    assert broker.is_quiet()
    assert as_user(lambda: one_visit(broker.socket))


def test_without_a_broker_the_error_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=r"ENOENT.*broker --group"):
        connect(protocol.LAB, path=str(tmp_path / "nothing"))
