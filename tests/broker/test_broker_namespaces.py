"""The broker enters its client's own network namespaces, and no others."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from support.brokers import Broker
from support.clients import NOBODY, SERVED, as_user, make_veth, own_network, puppet
from support.requests import attach

from xdplab.broker import protocol
from xdplab.broker.client import connect
from xdplab.core.errors import ConfigurationError, PermissionRefusedError, XdplabError

OTHER_USER = 65533


def test_a_client_has_a_program_attached_in_a_namespace_of_its_own(broker: Broker) -> None:
    def client() -> int:
        namespace = own_network()
        port, _ = make_veth()
        return len(attach(broker.socket, namespace, port))

    assert as_user(client) == 2  # link and verdicts


@pytest.mark.parametrize(
    ("program", "changes"),
    [
        ("capture", {"counts": 0}),
        ("capture", {"counts": 0, "takes_all": 1, "multi_buffer": 1}),
        ("capture", {"counts": 0, "attach_mode": 1}),
        ("capture_metadata", {"counts": 0, "metadata": 1}),
        ("count", {"counts": 1, "address": 0x0100007F}),
        ("count", {"counts": 2}),
        ("count", {"counts": 3}),
    ],
)
def test_each_program_of_ours_is_loaded_without_the_power_to_read_the_kernel(
    broker: Broker, program: str, changes: dict[str, int]
) -> None:
    def client() -> int:
        namespace = own_network()
        port, _ = make_veth()
        return len(attach(broker.socket, namespace, port, program, **changes))

    assert as_user(client) == (2 if program == "count" else 3)


def opened(path: str) -> Callable[[], int]:
    return lambda: os.open(path, os.O_RDONLY)


WRONG: dict[str, tuple[Callable[[], int], type[XdplabError]]] = {
    "the host's": (opened("/proc/self/ns/net"), PermissionRefusedError),
    "a user namespace": (opened("/proc/self/ns/user"), ConfigurationError),
    "a process namespace": (opened("/proc/self/ns/pid"), ConfigurationError),
    "a mount namespace": (opened("/proc/self/ns/mnt"), ConfigurationError),
    "a file": (opened("/etc/passwd"), ConfigurationError),
    "a folder of namespaces": (opened("/proc/self/ns"), ConfigurationError),
    "a device": (opened("/dev/null"), ConfigurationError),
    "a memfd": (lambda: os.memfd_create("net"), ConfigurationError),
    "a pipe": (lambda: os.pipe()[0], ConfigurationError),
    "a socket": (lambda: socket.socket().detach(), ConfigurationError),
    "a process": (lambda: os.pidfd_open(os.getpid()), ConfigurationError),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_a_network_namespace_of_the_clients_is_refused(
    broker: Broker, what: str
) -> None:
    make, refusal = WRONG[what]

    def client() -> str:
        # Opened as root where a user can't; the client need not have opened it itself.
        with pytest.raises(refusal):
            connect(protocol.NETWORK, descriptor=descriptor, path=broker.socket)
        with pytest.raises(refusal):
            connect(protocol.INTERFACE, "eth0", descriptor, path=broker.socket)
        return "refused"

    descriptor = make()
    try:
        assert as_user(client) == "refused"
        # Root gets no further: the host's interfaces are nobody's to hand out.
        assert as_user(client, user=0) == "refused"
    finally:
        os.close(descriptor)


def test_a_namespace_of_another_user_is_refused(broker: Broker) -> None:
    with puppet(lambda _report: own_network()) as theirs:
        assert theirs.report() == "done"

        def client() -> str:
            with pytest.raises(PermissionRefusedError, match="of your own"):
                connect(protocol.NETWORK, descriptor=descriptor, path=broker.socket)
            return "refused"

        descriptor = os.open(f"/proc/{theirs.process}/ns/net", os.O_RDONLY)
        assert as_user(client, user=OTHER_USER) == "refused"
        assert as_user(client, user=0) == "refused"
        os.close(descriptor)


def test_a_namespace_that_root_made_for_a_lab_is_refused(broker: Broker) -> None:
    from xdplab.net.namespace import Namespace

    with Namespace.create() as made:  # belongs to the first user namespace

        def client() -> str:
            with pytest.raises(PermissionRefusedError):
                connect(protocol.NETWORK, descriptor=made.fd, path=broker.socket)
            return "refused"

        assert as_user(client) == "refused"


@pytest.mark.parametrize("count", [0, 2, 5])
def test_one_descriptor_comes_with_the_first_message_and_no_other_number(
    broker: Broker, count: int
) -> None:
    def client() -> str:
        namespace = own_network()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as raw:
            raw.connect(broker.socket)
            protocol.send(raw, protocol.encode_first(protocol.NETWORK), [namespace] * count)
            with pytest.raises(XdplabError):
                protocol.decode_answer(protocol.receive(raw)[0])
            assert protocol.receive(raw)[0] == b""  # and the connection is over
        return "refused"

    assert as_user(client) == "refused"


def test_the_interface_of_another_namespace_has_no_number_in_ones_own(broker: Broker) -> None:
    """The kernel looks an index up in the session's namespace, whatever the host has there."""
    hosts = [int(place.read_text()) for place in Path("/sys/class/net").glob("*/ifindex")]

    def client() -> str:
        namespace = own_network()
        for index in {*hosts, 2, 3, 4} - {1}:
            with pytest.raises(XdplabError):
                attach(broker.socket, namespace, index)
        return "refused"

    assert as_user(client, NOBODY, SERVED) == "refused"
