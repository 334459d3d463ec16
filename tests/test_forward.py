"""Two interfaces joined in user space carry what two hosts say, whole and in order."""

from __future__ import annotations

import hashlib
import json
import random
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.actions import act
from support.frames import frames_of, raw_socket
from support.loads import RING, SENDABLE_RATE
from support.pings import all_answered
from support.rings import all_at_rest, fresh
from support.waiting import eventually

from xdplab import (
    WAIT_STRATEGIES,
    ConfigurationError,
    Engine,
    Host,
    Interface,
    InterfaceGoneError,
    KernelError,
    Lab,
    Ledger,
    Sampling,
    Traffic,
)

# The kernel's alone: what sends from sockets, or takes links that come and go.

# Some strategies can do nothing on veth, and say so; they deliver nonetheless.
pytestmark = pytest.mark.filterwarnings("ignore:.* is ineffective here")

MEGABYTES = 20


@pytest.fixture
def labs(privileged: None) -> Iterator[tuple[Lab, Lab]]:
    with Lab() as left, Lab(number=1) as right:
        yield left, right


def both_at_rest(engine: Engine) -> bool:
    """Tell whether both workers have all their frames back."""
    return all(all_at_rest(engine, worker) for worker in range(2))


@pytest.mark.parametrize("version", ["ipv4", "ipv6"])
def test_hosts_on_either_side_find_and_ping_each_other(labs: tuple[Lab, Lab], version: str) -> None:
    left, right = labs
    with Engine(left.port, forward_to=right.port) as engine:
        for one, other in ((left.peer, right.peer), (right.peer, left.peer)):
            assert all_answered(one, getattr(other, version), 50, size=1400)
        assert eventually(lambda: both_at_rest(engine))
        # ARP and neighbour discovery too: nothing was left to the stacks between the hosts.
        assert engine.verdicts().passed == 0
        counters = engine.telemetry.total()
    assert counters["tx_packets"] == counters["rx_packets"] >= 200


@pytest.mark.kernel
@pytest.mark.parametrize("direction", [[], ["--reverse"]])
def test_iperf3_moves_a_tcp_stream(labs: tuple[Lab, Lab], direction: list[str]) -> None:
    left, right = labs
    with (
        Engine(left.port, forward_to=right.port, ring_size=RING) as engine,
        ThreadPoolExecutor() as pool,
    ):
        server = pool.submit(right.peer.command, ["iperf3", "-s", "-1"], timeout=60)
        client = ["iperf3", "-c", right.peer.ipv4, "-n", f"{MEGABYTES}M", "-J", *direction]
        reports = []

        def is_through() -> bool:
            reports.append(json.loads(left.peer.command(client).stdout))
            return "error" not in reports[-1]

        # Refused until the server listens.
        assert eventually(is_through, 30), reports[-1]["error"]
        assert server.result().returncode == 0
        assert eventually(lambda: both_at_rest(engine))
    # The receiver counts until the sender says that it is through; the rest is on its way then.
    end = reports[-1]["end"]
    assert end["sum_sent"]["bytes"] >= MEGABYTES << 20
    assert end["sum_received"]["bytes"] > MEGABYTES << 19


def send(host: Host, address: tuple[str, int], content: bytes) -> None:
    with host.socket(type=socket.SOCK_STREAM) as client:
        client.settimeout(60)
        client.connect(address)
        client.sendall(content)


@pytest.mark.kernel
def test_a_tcp_transfer_arrives_byte_for_byte(labs: tuple[Lab, Lab]) -> None:
    left, right = labs
    content = random.Random(1).randbytes(MEGABYTES << 20)
    digest = hashlib.sha256()
    with (
        Engine(left.port, forward_to=right.port, ring_size=RING) as engine,
        right.peer.socket(type=socket.SOCK_STREAM) as server,
        ThreadPoolExecutor() as pool,
    ):
        server.settimeout(60)
        server.bind((right.peer.ipv4, 0))
        server.listen()
        sending = pool.submit(send, left.peer, server.getsockname(), content)
        connection, _ = server.accept()
        with connection:
            connection.settimeout(60)
            while received := connection.recv(1 << 20):
                digest.update(received)
        sending.result()
        assert eventually(lambda: both_at_rest(engine))
    assert digest.hexdigest() == hashlib.sha256(content).hexdigest()


@pytest.mark.kernel
def test_frames_leave_as_they_came_whatever_they_are(labs: tuple[Lab, Lab]) -> None:
    left, right = labs
    dice = random.Random(1)
    headers = [
        b"\xff" * 6 + dice.randbytes(6) + struct.pack("!H", kind)
        for kind in (0x0806, 0x86DD, 0x0800, 0x88CC, 0x88B5)
    ]
    sizes = (14, 15, 59, 60, 61, 1023, 1514)
    sent = [header + dice.randbytes(size - 14) for size in sizes for header in headers]
    with (
        Engine(left.port, forward_to=right.port),
        Engine(right.peer, attach="skb", sampling=Sampling(every=1, bytes=2048)) as end,
        raw_socket(left.peer) as raw,
    ):
        for frame in sent:
            raw.send(frame)
        # The capture at the end leaves address resolution to the stack.
        expected = [frame for frame in sent if frame[12:14] != b"\x08\x06"]
        assert eventually(lambda: len(frames_of(end)) == len(expected))
        assert frames_of(end) == expected


def test_streams_in_both_directions_are_complete_and_in_order(labs: tuple[Lab, Lab]) -> None:
    left, right = labs
    count = RING
    with (
        Engine(left.port, forward_to=right.port, ring_size=RING) as engine,
        Engine(left.peer, ring_size=RING, inspect=True) as left_end,
        Engine(right.peer, ring_size=RING, inspect=True) as right_end,
    ):
        ledger = Ledger(engine)
        streams = [
            Traffic(left.peer, right.peer, rate=SENDABLE_RATE / 2, count=count),
            Traffic(right.peer, left.peer, rate=SENDABLE_RATE / 2, count=count),
        ]
        for stream in streams:
            stream.start()
        assert all(stream.wait(30) for stream in streams)
        for end in (left_end, right_end):
            assert eventually(lambda e=end: e.telemetry.counters()["rx_packets"] == count)
            counters = end.telemetry.counters()
            assert counters["stream_frames"] == count
            assert counters["stream_missing"] == counters["stream_late"] == 0
        assert eventually(lambda: both_at_rest(engine))
        account = ledger.settle(30)
    assert account.balanced
    assert account.packets("received by the worker") == 2 * count


def test_what_comes_too_fast_is_lost_at_the_full_rx_ring_and_nowhere_else(
    labs: tuple[Lab, Lab],
) -> None:
    left, right = labs
    with Engine(left.port, forward_to=right.port, ring_size=256) as engine:
        traffic = Traffic(left.peer, right.peer, rate="max", seconds=0.5)
        ledger = Ledger(engine, traffic)
        assert traffic.start().wait(30)
        account = ledger.settle(30)
        assert eventually(lambda: both_at_rest(engine))
        forth = engine.telemetry.counters(0)
    assert account.balanced
    assert account.packets("RX ring full") > 0
    assert account.packets("no fill descriptor") == 0
    assert forth["rx_packets"] == forth["tx_packets"] == forth["completion_consumer"]


def test_dropping_for_a_while_leaks_nothing(labs: tuple[Lab, Lab]) -> None:
    left, right = labs
    with Engine(left.port, forward_to=right.port) as engine:
        assert all_answered(left.peer, right.peer.ipv4)
        act(engine, "drop")
        assert left.peer.ping(right.peer.ipv4, timeout=0.1).received == 0
        act(engine, "forward")
        assert all_answered(left.peer, right.peer.ipv4)
        assert eventually(lambda: both_at_rest(engine))


@pytest.mark.kernel
@pytest.mark.parametrize("wait", WAIT_STRATEGIES)
def test_an_interface_that_disappears_ends_its_worker_and_the_other_when_it_sends(
    labs: tuple[Lab, Lab], wait: str
) -> None:
    left, right = labs
    with Engine(left.port, forward_to=right.port, wait=wait) as engine:
        states = [lambda n=n: int(engine.telemetry.counters(n)["state"]) for n in range(2)]
        assert all_answered(left.peer, right.peer.ipv4)
        running = states[0]()
        assert states[1]() == running
        assert right.peer.command(["ip", "link", "del", "peer0"]).returncode == 0
        assert eventually(lambda: engine.error is not None)
        assert isinstance(engine.error, InterfaceGoneError)
        assert right.port.ipv4 in str(engine.error).split(" to ")[0]
        # The other one goes on, with nothing to do.
        assert states[0]() == running
        # Nobody answers, so the packet goes out blindly.
        told = str(engine.error)
        with raw_socket(left.peer) as raw:
            raw.send(b"\xff" * 12 + b"\x88\xb5" + bytes(46))
        assert eventually(lambda: states[0]() != running)
        assert str(engine.error) == told
        assert not engine.running
        with pytest.raises(InterfaceGoneError):
            engine.start()


@pytest.mark.kernel
@pytest.mark.parametrize("wait", WAIT_STRATEGIES)
def test_an_interface_that_is_down_for_a_while_is_waited_for(
    labs: tuple[Lab, Lab], wait: str
) -> None:
    left, right = labs
    link = ["ip", "link", "set", "port0"]
    with (
        Engine(left.port, forward_to=right.port, wait=wait) as engine,
        raw_socket(left.peer) as raw,
    ):
        assert all_answered(left.peer, right.peer.ipv4)
        assert right.port.command([*link, "down"]).returncode == 0
        before = fresh(engine)["rx_packets"]
        raw.send(b"\xff" * 12 + b"\x88\xb5" + bytes(46))
        # It was taken, and can't be sent.
        assert eventually(lambda: fresh(engine)["rx_packets"] > before)
        assert not all_at_rest(engine)
        assert right.port.command([*link, "up"]).returncode == 0
        assert eventually(lambda: left.peer.ping(right.peer.ipv4, timeout=0.2).received == 1)
        assert eventually(lambda: both_at_rest(engine))
        assert engine.error is None


def test_two_interfaces_of_one_name_are_told_apart_by_their_addresses(
    labs: tuple[Lab, Lab],
) -> None:
    left, right = labs
    with Engine(left.port, forward_to=right.port) as engine:
        assert "on port0 (198.18.0.1) and port0 (198.18.1.1) queue 0" in str(engine)
        assert "port0 (198.18.1.1) queue 0" in str(engine.rates())


@pytest.mark.kernel
def test_an_interface_can_not_be_joined_to_itself(lab: Lab) -> None:
    again = Interface.find("port0", lab.port.interface.namespace)
    for end in (lab.port, lab.port.interface, again):
        with pytest.raises(ConfigurationError, match=r"forward_to=port0 .*action='reflect'"):
            Engine(lab.port, forward_to=end)
    with Engine(lab.port, action="reflect"):
        pass


def test_both_interfaces_need_the_queues(privileged: None) -> None:
    with Lab(queues=2) as left, Lab(number=1) as right:
        for one, other in ((left, right), (right, left)):
            with pytest.raises(ConfigurationError, match="queue=1 must be a whole number, 0 to 0"):
                Engine(one.port, forward_to=other.port, queue=[0, 1])


def test_what_answers_the_sender_takes_one_interface(labs: tuple[Lab, Lab]) -> None:
    left, right = labs
    for action in ("reflect", "echo", "generate"):
        with pytest.raises(ConfigurationError, match=r"Choose one of: drop, forward"):
            Engine(left.port, forward_to=right.port, action=action)
    with Engine(left.port, forward_to=right.port) as engine:
        with pytest.raises(ConfigurationError, match=r"Choose one of: drop, forward"):
            engine.action = "reflect"
        assert engine.action == "forward"


def test_where_the_second_interface_is_busy_nothing_is_left_of_the_first(
    labs: tuple[Lab, Lab],
) -> None:
    left, right = labs
    with Engine(right.port):
        with pytest.raises(KernelError, match="EBUSY"):
            Engine(left.port, forward_to=right.port)
        Engine(left.port).close()
