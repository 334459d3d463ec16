"""The load balancer between real clients and servers."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from math import sqrt

import pytest
from support.balanced import VIRTUAL, Balanced
from support.waiting import eventually

# Routes are set by the hosts' own commands.
pytestmark = [pytest.mark.kernel, pytest.mark.privilege]

NAMES = [f"s{number}" for number in range(10)]
PORTS = (80, 81, 82, 83)
REQUESTS, AT_ONCE = 10_000, 40
KEPT = 40  # connections that stay open all the time
VIRTUAL_IN_URL = {4: VIRTUAL[4], 6: f"[{VIRTUAL[6]}]"}


def curl(site: Balanced, url: str, *options: str) -> list[str]:
    """Ask for each URL with a connection of its own; return status, server and error of each."""
    written = "%{http_code} %header{x-server} %{errormsg}\n"
    asked = ["-s", "-H", "Connection: close", "-o", "/dev/null", "-w", written, *options, url]
    return site.client.command(["curl", *asked], timeout=250).stdout.splitlines()


@pytest.fixture(scope="module")
def site(privileged: None) -> Iterator[Balanced]:
    with Balanced(NAMES, PORTS) as made:
        yield made


@pytest.mark.parametrize(
    ("port", "version", "of_servers", "encapsulation"),
    [
        (81, 4, 4, "gue"),
        (82, 4, 6, "ipip"),
        (82, 6, 4, "ipip"),
        (81, 6, 6, "gue"),
        (83, 6, 6, "ipip"),
    ],
)
def test_clients_reach_servers_of_either_version_in_either_wrapping(
    site: Balanced, port: int, version: int, of_servers: int, encapsulation: str
) -> None:
    service = site.balancer.add_service(VIRTUAL[version], port, encapsulation=encapsulation)
    for name in NAMES[:4]:
        server = site.net[name]
        service.add_server(server.ipv4 if of_servers == 4 else server.ipv6)
    seen: Counter[str] = Counter()
    while len(seen) < 4:  # each gets its share sooner or later
        answers = curl(site, f"http://{VIRTUAL_IN_URL[version]}:{port}/[1-10]")
        assert {answer[:4] for answer in answers} == {"200 "}
        seen.update(answer[4:6] for answer in answers)
    assert {*seen} == {*NAMES[:4]}
    site.balancer.remove_service(service)


class Kept:
    """A connection that stays open."""

    def __init__(self, site: Balanced) -> None:
        self.socket = site.client.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(60)
        self.socket.connect((VIRTUAL[4], 80))
        self.server = self.ask()

    def ask(self) -> str:
        """Send a request; return the name of the server, or nothing from a broken connection."""
        try:
            self.socket.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith((b"\r\n\r\ns" + answer[-1:],)):
                if not (more := self.socket.recv(4096)):
                    return ""
                answer += more
        except ConnectionError:
            return ""
        return answer[-2:].decode()


def test_connections_to_servers_that_stay_never_break_while_others_come_and_go(
    site: Balanced,
) -> None:
    addresses = {name: site.net[name].ipv4 for name in NAMES}
    names = {address: name for name, address in addresses.items()}
    service = site.balancer.add_service(VIRTUAL[4], 80)
    # Weights differ, too.
    service.set_servers({addresses[name]: 1 + (name == "s0") for name in NAMES[:8]})
    kept = [Kept(site) for _ in range(KEPT)]
    broken_before, first = site.broken.copy(), site.accepted.total()
    said: list[str] = []

    def ask() -> None:
        at_once = ("--parallel", "--parallel-immediate", "--parallel-max", str(AT_ONCE))
        said.extend(curl(site, f"http://{VIRTUAL[4]}/[1-{REQUESTS}]", *at_once))

    clients = threading.Thread(target=ask)
    clients.start()
    phases = []
    for number, change in enumerate(("remove", "add", ""), 1):
        begun, weights = site.accepted.copy(), service.servers
        before = service.table
        enough = first + number * REQUESTS // 3  # however many came while the servers changed
        if change:
            assert eventually(lambda enough=enough: site.accepted.total() >= enough, 200)
        else:
            clients.join()
        phases.append((site.accepted - begun, {names[one]: weights[one] for one in weights}))
        if change == "remove":
            for name in NAMES[1:4]:
                service.remove_server(addresses[name])
            changed, share = before != service.table, 3 / 9
        elif change == "add":
            for name in NAMES[8:]:
                service.add_server(addresses[name])
            changed, share = before != service.table, 2 / 8
        if change:
            assert changed.mean() <= share + 0.02
            for each in kept:
                answered = each.ask() if each.server else ""
                assert answered == (each.server if each.server not in NAMES[1:4] else "")
                each.server = answered
    for accepted, weights in phases:
        assert_shared(accepted, weights)
    # Those that were in flight to a server when it was removed.
    failed = [line for line in said if not line.startswith("200 s")]
    assert len(said) == REQUESTS
    assert len(failed) <= 3 * AT_ONCE, failed
    assert {*(site.broken - broken_before)} <= {*NAMES[1:4]}
    assert sum(bool(each.server) for each in kept) > KEPT / 4
    for each in kept:
        each.socket.close()
    (counts,) = site.balancer.counts().services
    assert counts.dropped == 0


def assert_shared(accepted: Mapping[str, int], weights: Mapping[str, float]) -> None:
    """Check shares to 5 %, and to what is chance with so few connections."""
    total, all_ = sum(accepted.values()), sum(weights.values())
    for name, weight in weights.items():
        expected = total * weight / all_
        assert abs(accepted[name] - expected) <= 0.05 * expected + 4 * sqrt(expected), accepted
