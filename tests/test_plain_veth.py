"""A veth as docker makes it: its stack leaves to the device what that does not do."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support.waiting import eventually
from support.xskmaps import steering

from xdplab import GALLERY, Engine, Lab, Memory, Program, Worker
from xdplab.course import answers
from xdplab.doctor import interfaces
from xdplab.net.far_end import far_end
from xdplab.net.interface import Interface
from xdplab.net.namespace import Namespace

pytestmark = [pytest.mark.kernel, pytest.mark.privilege]

PATIENCE = 30.0  # seconds: a busy machine runs a worker late


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture
def names(privileged: None) -> Iterator[tuple[str, str, str]]:
    """Have a namespace in the middle, with v0 and w0, whose other ends p0 and q0 are hosts' own."""
    middle, left, right = (f"xdplab-{os.getpid()}-{each}" for each in ("middle", "left", "right"))
    try:
        for name in (middle, left, right):
            run("ip", "netns", "add", name)
        for near, far, host, number in (("v0", "p0", left, 2), ("w0", "q0", right, 3)):
            run("ip", "-n", middle, "link", "add", near, "type", "veth", "peer", far, "netns", host)
            run("ip", "-n", middle, "link", "set", near, "up")
            run("ip", "-n", host, "address", "add", f"10.9.0.{number}/24", "dev", far)
            run("ip", "-n", host, "address", "add", f"2001:db8::{number}/64", "dev", far, "nodad")
            run("ip", "-n", host, "link", "set", far, "up")
        run("ip", "-n", middle, "address", "add", "10.9.0.1/24", "dev", "v0")
        run("ip", "-n", middle, "address", "add", "2001:db8::1/64", "dev", "v0", "nodad")
        yield middle, left, right
    finally:
        for name in (middle, left, right):
            with suppress(AssertionError):
                run("ip", "netns", "delete", name)


def namespace(name: str) -> Namespace:
    return Namespace(os.open(f"/run/netns/{name}", os.O_RDONLY))


def udp_socket(name: str, target: str) -> socket.socket:
    """Make a socket in a namespace that sends to a target."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    made = namespace(name).run(socket.socket, family, socket.SOCK_DGRAM)
    made.connect((target, 7))
    return made


def udp_answers(name: str, target: str, count: int = 10, patience: float = PATIENCE) -> int:
    """Send datagrams from a namespace, and count those that are answered."""
    with udp_socket(name, target) as udp:
        udp.settimeout(patience)
        answered = 0
        for number in range(count):
            message = os.urandom(97 * number)
            udp.send(message)
            with suppress(TimeoutError):
                answered += udp.recv(2048) == message
    return answered


def refuses_answers(name: str, target: str, count: int = 1) -> bool:
    """Send datagrams from a namespace; tell whether it refuses each answer for its checksum."""
    before = csum_errors(name)
    with udp_socket(name, target) as udp:
        udp.setblocking(False)
        for number in range(count):
            udp.send(os.urandom(97 * number))

        def refused() -> bool:
            with suppress(BlockingIOError):
                udp.recv(2048)  # Linux looks at the checksum of a long one when it is read
                raise AssertionError("it took an answer")
            return csum_errors(name) == before + count

        return eventually(refused)


_CSUM_ERRORS = ("UdpInCsumErrors", "Udp6InCsumErrors", "TcpInCsumErrors")


def csum_errors(name: str) -> int:
    rows = [line.split() for line in run("ip", "netns", "exec", name, "nstat", "-asz").splitlines()]
    return sum(int(row[1]) for row in rows if row[0] in _CSUM_ERRORS)


def tcp_carries(
    source: str, destination: str, target: str, count: int, patience: float = PATIENCE
) -> bool:
    """Move bytes over TCP from one namespace to another."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    message = os.urandom(count)
    with namespace(destination).run(socket.socket, family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((target, 5001))
        listener.listen()
        listener.settimeout(patience)
        with namespace(source).run(socket.socket, family) as sender:
            sender.settimeout(patience)
            try:
                sender.connect((target, 5001))
            except TimeoutError:
                return False
            taken, _ = listener.accept()
            with taken:
                taken.settimeout(patience)
                came = b""
                sender.setblocking(False)
                left = message
                while len(came) < count:
                    with suppress(BlockingIOError):
                        left = left[sender.send(left) :] if left else left
                    try:
                        came += taken.recv(1 << 16)
                    except TimeoutError:
                        return False
                return came == message


MODES = ["native", "skb"]


@pytest.mark.parametrize("attach", MODES)
@pytest.mark.parametrize("target", ["10.9.0.1", "2001:db8::1"])
def test_echo_over_a_plain_veth_answers_every_datagram(
    names: tuple[str, str, str], attach: str, target: str
) -> None:
    middle, left, _ = names
    with Engine(Interface.find("v0", namespace(middle)), action="echo", attach=attach) as engine:
        book = engine.ledger()
        assert udp_answers(left, target) == 10
        assert eventually(lambda: engine.telemetry.counters()["checksums_finished"] >= 10)
        assert f"`ip netns exec {left} ethtool -K p0 tx off`" in book.explain()
        engine.checksum = "none"
        assert refuses_answers(left, target)
        engine.checksum = "software"
        assert udp_answers(left, target) == 10
    assert csum_errors(left) == 1


@pytest.mark.parametrize("attach", MODES)
@pytest.mark.parametrize("multi_buffer", [False, True])
def test_what_is_left_to_the_device_arrives_and_the_worker_does_not_finish_it(
    names: tuple[str, str, str], attach: str, multi_buffer: bool
) -> None:
    middle, left, _ = names
    with Engine(
        Interface.find("v0", namespace(middle)),
        action="echo",
        attach=attach,
        memory=Memory(multi_buffer=multi_buffer, unaligned=multi_buffer),
        worker=Worker(checksum="device"),
    ) as engine:
        book = engine.ledger()
        for target in ("10.9.0.1", "2001:db8::1"):
            assert udp_answers(left, target) == 10
        account = book.settle(30)
        assert account.packets("checksum left to the device") >= 20
        assert account.balanced, account
        assert "with the request that the device finishes it" in account.explain()
        assert engine.telemetry.total()["checksums_finished"] == 0
        # What it is by then can be changed while packets flow.
        engine.checksum = "none"
        assert refuses_answers(left, "10.9.0.1")
        engine.checksum = "device"
        assert udp_answers(left, "10.9.0.1") == 10
    assert csum_errors(left) == 1


@pytest.mark.parametrize("who", ["software", "device"])
@pytest.mark.parametrize("target", ["10.9.0.3", "2001:db8::3"])
def test_tcp_passes_an_engine_between_two_plain_veths(
    names: tuple[str, str, str], target: str, who: str
) -> None:
    middle, left, right = names
    near, far = (Interface.find(name, namespace(middle)) for name in ("v0", "w0"))
    counter = {"software": "checksums_finished", "device": "checksums_asked"}[who]
    with Engine(near, forward_to=far, worker=Worker(checksum=who)) as engine:
        assert tcp_carries(left, right, target, 100_000)
        assert eventually(lambda: engine.telemetry.total()[counter] > 0)
    assert csum_errors(left) == csum_errors(right) == 0


def commands_in(words: str) -> list[str]:
    return [part for part in words.split("`") if "ethtool -K" in part]


@pytest.mark.parametrize("multi_buffer", [True, False])
def test_packets_longer_than_the_mtu_are_told_with_the_remedy(
    names: tuple[str, str, str], multi_buffer: bool
) -> None:
    middle, left, right = names
    near, far = (Interface.find(name, namespace(middle)) for name in ("v0", "w0"))
    # In the stack an XDP program leaves the far end's segmentation as it is.
    with Engine(
        near, forward_to=far, attach="skb", memory=Memory(multi_buffer=multi_buffer)
    ) as engine:
        book = engine.ledger()
        tcp_carries(left, right, "10.9.0.3", 30_000, patience=5)
        account = book.settle(30)
        line = "too long to be sent" if multi_buffer else "larger than a UMEM frame"
        assert account.packets(line) > 0
        assert "Every packet arrived" not in account.explain()
        commands = commands_in(account.explain())
        assert f"ip netns exec {left} ethtool -K p0 tx off" in commands
        for command in commands:
            run(*command.split())
        again = engine.ledger()
        assert tcp_carries(left, right, "10.9.0.3", 1_000_000)
        assert "Every packet arrived." in again.explain()


def test_the_remedy_that_the_ledger_names_works_as_typed(names: tuple[str, str, str]) -> None:
    middle, left, _ = names
    near = Interface.find("v0", namespace(middle))
    with Engine(near, action="echo", worker=Worker(checksum="none")) as engine:
        book = engine.ledger()
        assert refuses_answers(left, "10.9.0.1", 2)
        said = book.explain()
        assert "Every packet arrived" not in said
        (command,) = commands_in(said)
        run(*command.split())
        again = engine.ledger()
        assert udp_answers(left, "10.9.0.1") == 10
        assert "Every packet arrived." in again.explain()


def test_the_doctor_names_what_the_other_end_leaves_to_its_device(
    names: tuple[str, str, str],
) -> None:
    middle, left, _ = names
    near = Interface.find("v0", namespace(middle))
    found = interfaces.offloads(near)
    assert found.verdict == "limited"
    for word in ("p0", "checksums", "tx", "tso, gso"):
        assert word in found.seen
    # Those of the namespace that it is run in, in full.
    listed = {each.name: each for each in namespace(middle).run(lambda: [*interfaces.interfaces()])}
    assert listed["v0: offloads"] == found
    assert "q0" in listed["w0: offloads"].seen
    (command,) = [each for each in commands_in(found.remedy) if "p0" in each]
    assert command == f"sudo ip netns exec {left} ethtool -K p0 tx off"
    run(*command.split()[1:])
    assert "p0" not in interfaces.offloads(near).seen


def test_a_way_is_named_into_a_namespace_without_a_name(names: tuple[str, str, str]) -> None:
    middle, left, _ = names
    near = Interface.find("v0", namespace(middle))
    with subprocess.Popen(
        ["ip", "netns", "exec", left, "sleep", "60"], stdout=subprocess.DEVNULL
    ) as inside:
        assert eventually(lambda: _namespace_of(inside.pid) == namespace(left).identity)
        run("umount", f"/run/netns/{left}")
        Path(f"/run/netns/{left}").unlink()
        (command,) = [c for c in commands_in(interfaces.offloads(near).remedy) if "p0" in c]
        assert command == f"sudo nsenter --target {inside.pid} --net ethtool -K p0 tx off"
        run(*command.split()[1:])
        assert "p0" not in interfaces.offloads(near).seen
        inside.terminate()


def _namespace_of(process: int) -> tuple[int, int]:
    found = Path(f"/proc/{process}/ns/net").stat()
    return found.st_dev, found.st_ino


def test_a_lab_leaves_nothing_to_its_devices(lab: Lab) -> None:
    for host in (lab.port, lab.peer):
        end = far_end(host.interface)
        assert end is not None and end.name
        assert "other end" not in interfaces.offloads(host.interface).seen


# Swaps addresses and ports of UDP over IPv4.
ECHO = """
	__u8 *packet = (__u8 *)(long)data;

	if (data + 42 > end || data[12] != 8 || data[13] || data[23] != 17)
		return XDP_PASS;
	for (int at = 0; at < 6; at++) {
		const __u8 byte = packet[at];
		packet[at] = packet[at + 6], packet[at + 6] = byte;
	}
	for (int at = 26; at < 30; at++) {
		const __u8 byte = packet[at];
		packet[at] = packet[at + 4], packet[at + 4] = byte;
	}
	for (int at = 34; at < 36; at++) {
		const __u8 byte = packet[at];
		packet[at] = packet[at + 2], packet[at + 2] = byte;
	}
	return XDP_TX;
"""


def test_what_a_program_sends_back_arrives_once_the_ledgers_words_are_followed(
    names: tuple[str, str, str],
) -> None:
    middle, left, _ = names
    near, far = Interface.find("v0", namespace(middle)), Interface.find("p0", namespace(left))
    program = Program(steering(ECHO), near)
    with program, Engine(near, program=program) as engine:
        book = engine.ledger()
        assert udp_answers(left, "10.9.0.1", 2, patience=0.5) == 0
        said = book.explain()
        assert "2 packets were sent back by your program" in said
        assert "Program(GALLERY['pass'], 'p0').attach() attaches one" in said
        assert f"`ip netns exec {left} python3`" in said
        with Program(GALLERY["pass"], far) as other, other.attach():
            assert refuses_answers(left, "10.9.0.1", 2)
            said = book.explain()
            assert "GALLERY" not in said
            (command,) = commands_in(said)
            run(*command.split())
            assert udp_answers(left, "10.9.0.1") == 10
            assert "14 packets were sent back by your program: XDP_TX. That is no" in book.explain()


def test_a_program_says_that_the_other_end_does_not_notice_what_it_sends_back(lab: Lab) -> None:
    words = "peer0, the other end of port0, does not notice them, as it has no XDP program"
    with Program(GALLERY["reflect"], lab.port) as reflect:
        reflect.attach()
        assert words not in str(reflect)
        assert answers(lab) == 0
        assert f"On port0, programs sent 10 packets back (XDP_TX). {words}" in str(reflect)
        with Program(GALLERY["pass"], lab.peer) as other, other.attach():
            assert answers(lab) == 10
            assert words not in str(reflect)
