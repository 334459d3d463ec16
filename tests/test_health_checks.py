"""Health checks of a balancer's servers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from support.waiting import eventually

from xdplab import GALLERY, Balancer, ConfigurationError, HealthChecks, Lab, Program
from xdplab.xdp.balancer.service import Service

pytestmark = pytest.mark.kernel  # which runs the program

VIRTUAL, PORT = "198.18.100.1", 8080
NOBODY = "203.0.113.1"  # to which no route leads: a check fails at once
QUICK = {"every": 0.01, "timeout": 20.0}  # s


@pytest.fixture
def service(lab: Lab) -> Iterator[Service]:
    with Program(GALLERY["balancer"], lab.port) as program:
        yield Balancer(program).add_service(VIRTUAL, PORT)


def listening(lab: Lab) -> socket.socket:
    """Listen on the other host."""
    listener = lab.peer.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((lab.peer.ipv4, PORT))
    listener.listen(4096)
    return listener


def test_a_server_that_does_not_answer_is_taken_out_and_comes_back(
    lab: Lab, service: Service
) -> None:
    peer = lab.peer.ipv4
    service.set_servers({peer: 3, NOBODY: 2})
    with HealthChecks(service, **QUICK) as checks:
        # It has neither a listener nor a host: both are taken out, and no packet finds a server.
        assert eventually(lambda: checks.down == {peer: 3, NOBODY: 2})
        assert service.servers == {}
        with listening(lab):
            assert eventually(lambda: service.servers == {peer: 3})
            assert checks.down == {NOBODY: 2}
            assert {*service.table} == {peer}
            shown = str(checks)
            assert "up" in shown
            assert "down" in shown
        assert eventually(lambda: service.servers == {})
        checks.forget(NOBODY)
        with pytest.raises(ConfigurationError, match="not taken out"):
            checks.forget(NOBODY)
        service.add_server(NOBODY)
        assert eventually(lambda: NOBODY in checks.down)
    assert "closed" in repr(checks)
    checks.close()


def test_few_failures_take_nobody_out(lab: Lab, service: Service) -> None:
    service.add_server(lab.peer.ipv4)
    with HealthChecks(service, failures=1000, **QUICK) as checks:
        assert eventually(lambda: "failed" in str(checks))
        with listening(lab):
            assert eventually(lambda: "answered" in str(checks))
        assert checks.down == {}
    assert service.servers == {lab.peer.ipv4: 1}


def test_http_asks_for_a_path_and_wants_a_good_status(lab: Lab, service: Service) -> None:
    service.add_server(lab.peer.ipv4)
    status, asked = [b"200 OK"], set()

    def answer(listener: socket.socket) -> None:
        with suppress(OSError):  # it is closed
            while True:
                connection, _client = listener.accept()
                with connection, suppress(OSError):
                    asked.add(connection.recv(4096).splitlines()[0])
                    connection.sendall(b"HTTP/1.0 " + status[0] + b"\r\n\r\n")

    with closing(listening(lab)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        with HealthChecks(service, path="/health?deep=1", **QUICK) as checks:
            assert eventually(lambda: "answered" in str(checks))
            for bad in (b"503 Service Unavailable", b"404 Not Found", b"none"):
                status[0] = bad
                assert eventually(lambda: not service.servers)
                status[0] = b"301 Moved"
                assert eventually(lambda: service.servers)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert asked == {b"GET /health?deep=1 HTTP/1.0"}


def test_a_change_of_servers_by_the_user_is_seen(lab: Lab, service: Service) -> None:
    service.add_server(NOBODY)
    with HealthChecks(service, failures=1, **QUICK) as checks:
        assert eventually(lambda: checks.down)
        with listening(lab):
            service.set_servers({lab.peer.ipv4: 1})
            assert eventually(lambda: "answered" in str(checks))
        assert eventually(lambda: len(checks.down) == 2)


def test_checks_end_where_the_program_was_closed(lab: Lab) -> None:
    with Program(GALLERY["balancer"], lab.port) as program:
        service = Balancer(program).add_service(VIRTUAL, PORT)
        service.add_server(NOBODY)
        listener = listening(lab)
        service.add_server(lab.peer.ipv4)
        checks = HealthChecks(service, **QUICK)
        assert eventually(lambda: lab.peer.ipv4 in service.servers and checks.down)
    listener.close()  # what fails now can't be taken out
    assert eventually(lambda: "ended: " in str(checks))
    checks.close()


def test_wrong_values_are_refused(service: Service) -> None:
    for wrong in ({"path": "health"}, {"path": "/a b"}, {"every": 0}, {"failures": 0}, {"port": 0}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            HealthChecks(service, **wrong)
    with pytest.raises(ConfigurationError, match="a Service"):
        HealthChecks(VIRTUAL)


def test_a_server_that_says_nothing_is_taken_out_after_the_timeout(service: Service) -> None:
    service.add_server("198.18.0.77")  # a host of the wire's network that is not there
    with HealthChecks(service, every=0.01, timeout=0.05) as checks:
        assert eventually(lambda: checks.down)
