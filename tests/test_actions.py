"""What an action does: to every frame, in order, the right bytes; and no frame of ours leaks."""

from __future__ import annotations

import os
import random
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from support.frames import frames_of, raw_socket
from support.loads import DEEP_RING, HOLDABLE_RATE, RING, SENDABLE_RATE, lost_on_the_wire
from support.pings import all_answered
from support.rings import all_at_rest, fresh
from support.waiting import eventually

from xdplab import ACTIONS, WAIT_STRATEGIES, Engine, Host, Lab, Ledger, Sampling, Stream, Traffic

# The kernel's alone: what sends from sockets, which a simulated host lacks, or takes fragments.

# Some strategies can do nothing on veth, and say so; they deliver nonetheless.
pytestmark = pytest.mark.filterwarnings("ignore:.* is ineffective here")

SHORT_STREAM = 1000
# The wire holds 256 frames, and with this strategy it is the worker that empties it.
AT_ONCE = {"uring-napi": SHORT_STREAM // 5}
BATCHES = (1, 16, 64, 256)


@contextmanager
def carried(action: str, wait: str, lab: Lab, other: Lab) -> Iterator[tuple[Engine, Engine]]:
    """Yield the engine that acts on what `lab.peer` sends, and the one that sees the result."""
    with ExitStack() as stack:
        if action == "drop":
            engine = stack.enter_context(Engine(lab.port, wait=wait, ring_size=RING, inspect=True))
            yield engine, engine
            return
        end = other.peer if action == "forward" else lab.peer
        engine = Engine(
            lab.port,
            forward_to=other.port if action == "forward" else None,
            action=action,
            wait=wait,
            ring_size=RING,
        )
        stack.enter_context(engine)
        yield engine, stack.enter_context(Engine(end, inspect=True, ring_size=RING))


@pytest.mark.parametrize("wait", WAIT_STRATEGIES)
@pytest.mark.parametrize("action", ["drop", "reflect", "echo", "forward"])
def test_each_action_strategy_and_batch_size_delivers_everything_in_order(
    lab: Lab, other: Lab, action: str, wait: str
) -> None:
    traffic = Traffic(lab.peer, lab.port, rate=SENDABLE_RATE, count=AT_ONCE.get(wait, SHORT_STREAM))
    with carried(action, wait, lab, other) as (engine, end):
        delivered = end.telemetry.counters
        for number, batch in enumerate(BATCHES, 1):
            engine.batch = batch
            assert eventually(lambda b=batch: engine.telemetry.counters()["control_batch"] == b)
            while traffic.sent < number * SHORT_STREAM:
                assert traffic.start().wait(30)
                assert eventually(lambda: delivered()["stream_frames"] == traffic.sent)
            assert delivered()["stream_missing"] == delivered()["stream_late"] == 0
            assert fresh(engine)["batches"][batch.bit_length() :].sum() == 0
        assert eventually(lambda: all_at_rest(engine))
        counters = engine.telemetry.counters()
    assert counters["rx_packets"] == len(BATCHES) * SHORT_STREAM
    assert counters["tx_packets"] == (0 if action == "drop" else counters["rx_packets"])


def mac(host: Host) -> bytes:
    return bytes.fromhex(host.interface.mac.replace(":", ""))


def ethernet(lab: Lab, kind: int, content: bytes) -> bytes:
    """Build a frame from a lab's peer to its port, as long as Ethernet's shortest."""
    return (mac(lab.port) + mac(lab.peer) + struct.pack("!H", kind) + content).ljust(60, b"\0")


@pytest.mark.kernel
def test_reflect_swaps_the_ethernet_addresses_and_nothing_else(lab: Lab) -> None:
    dice = random.Random(1)
    sizes = [60, 61, 63, 64, 65, 255, 256, 257, 1023, 1513, 1514]
    sent = [ethernet(lab, 0x88B5, dice.randbytes(size - 14)) for size in sizes]
    with (
        Engine(lab.port, action="reflect"),
        Engine(lab.peer, sampling=Sampling(every=1, bytes=2048)) as back,
    ):
        with raw_socket(lab.peer) as raw:
            for frame in sent:
                raw.send(frame)
        assert eventually(lambda: len(frames_of(back)) == len(sent))
        assert frames_of(back) == [frame[6:12] + frame[:6] + frame[12:] for frame in sent]


@pytest.mark.kernel
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_echo_answers_a_udp_socket_with_its_own_words(
    lab: Lab, family: socket.AddressFamily
) -> None:
    target = lab.port.ipv4 if family == socket.AF_INET else lab.port.ipv6
    with Engine(lab.port, action="echo"), lab.peer.socket(family, socket.SOCK_DGRAM) as udp:
        # Connected: only an answer from where it sent to counts. The kernel checks the checksum.
        udp.connect((target, 7))
        udp.settimeout(30)
        for size in (0, 1, 2, 7, 512, 1451, 1452):
            message = os.urandom(size)
            udp.send(message)
            assert udp.recv(2048) == message


@pytest.mark.kernel
def test_echo_leaves_the_later_fragments_of_a_datagram_as_they_are(lab: Lab) -> None:
    with Engine(lab.port, action="echo"), lab.peer.socket() as udp:
        udp.connect((lab.port.ipv4, 7))
        udp.settimeout(30)
        # What would be an ICMP type, ports or a checksum, were it a header.
        message = bytes(range(256)) * 24
        udp.send(message)
        assert udp.recv(8192) == message


@pytest.mark.parametrize("size", [0, 1, 56, 57, 1452, pytest.param(4000, marks=pytest.mark.kernel)])
def test_echo_answers_pings(lab: Lab, size: int) -> None:
    with Engine(lab.port, action="echo", sampling=Sampling(every=1), inspect=True) as engine:
        assert all_answered(lab.peer, lab.port.ipv4, 10, size=size)
        if size <= 1452:
            assert all_answered(lab.peer, lab.port.ipv6, 10, size=size)
        assert eventually(lambda: all_at_rest(engine))


def ipv4(options: bytes, protocol: int, content: bytes, *, words: int | None = None) -> bytes:
    """Build an IPv4 packet whose header may lie about its length, and whose checksum is zero."""
    length = 5 + len(options) // 4 if words is None else words
    total = 20 + len(options) + len(content)
    addresses = bytes([198, 18, 0, 2, 198, 18, 0, 1])
    header = struct.pack("!BBHHHBBH", 0x40 | length, 0, total, 1, 0, 64, protocol, 0)
    return header + addresses + options + content


PORTS, SWAPPED = struct.pack("!HH", 5000, 7), struct.pack("!HH", 7, 5000)
UDP_REST = struct.pack("!HH", 12, 0) + b"mess"
RECORD_ROUTE = bytes([7, 7, 4, 0, 0, 0, 0, 0])


@pytest.mark.kernel
def test_echo_finds_udp_behind_ip_options(lab: Lab) -> None:
    packet = ipv4(RECORD_ROUTE, socket.IPPROTO_UDP, PORTS + UDP_REST)
    with Engine(lab.port, action="echo"), Engine(lab.peer, sampling=Sampling(every=1)) as back:
        with raw_socket(lab.peer) as raw:
            raw.send(ethernet(lab, 0x0800, packet))
        assert eventually(lambda: len(frames_of(back)) == 1)
    (frame,) = frames_of(back)
    assert frame[:12] == mac(lab.peer) + mac(lab.port)
    answer = frame[14 : 14 + len(packet)]
    assert answer[:12] == packet[:12]
    assert answer[12:20] == packet[16:20] + packet[12:16]
    assert answer[20:] == RECORD_ROUTE + SWAPPED + UDP_REST


# Shorter than a wire's shortest: a raw socket on a veth may send them.
@pytest.mark.kernel
@pytest.mark.parametrize(
    ("kind", "content", "answered"),
    [
        (0x88B5, b"not IP", False),
        (0x8100, b"\0\1\x08\0" + ipv4(b"", 17, PORTS + UDP_REST), False),
        (0x0800, b"", False),
        (0x0800, ipv4(b"", 17, b"")[:19], False),
        (0x0800, ipv4(b"", 17, b"", words=4), False),
        (0x0800, ipv4(b"", 17, b"", words=15), False),
        (0x0800, ipv4(b"", 17, b""), True),
        (0x0800, ipv4(b"", 17, PORTS), True),
        (0x0800, ipv4(b"", 1, b"\x08"), True),
        (0x0800, ipv4(b"", 6, PORTS), True),
        (0x86DD, b"", False),
        (0x86DD, (b"\x60" + bytes(39))[:39], False),
        (0x86DD, b"\x60" + bytes(39), True),
        (0x86DD, b"\x60\0\0\0\0\4\x11\x40" + bytes(32) + PORTS, True),
    ],
)
def test_echo_survives_what_is_cut_short_and_drops_what_it_can_not_answer(
    lab: Lab, kind: int, content: bytes, answered: bool
) -> None:
    with Engine(lab.port, action="echo") as engine:
        with raw_socket(lab.peer) as raw:
            raw.send(mac(lab.port) + mac(lab.peer) + struct.pack("!H", kind) + content)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == 1)
        assert eventually(lambda: all_at_rest(engine))
        assert engine.telemetry.counters()["tx_packets"] == answered
        # And it goes on.
        assert all_answered(lab.peer, lab.port.ipv4)


@pytest.mark.kernel
def test_echo_survives_any_bytes_at_all(lab: Lab) -> None:
    dice = random.Random(1)
    with Engine(lab.port, action="echo") as engine, raw_socket(lab.peer) as raw:
        for _ in range(2000):
            kind = dice.choice([0x0800, 0x86DD])
            start = bytes([dice.choice([0x45, 0x46, 0x4F, 0x60, dice.randrange(256)])])
            content = start + dice.randbytes(dice.randrange(100))
            raw.send(mac(lab.port) + mac(lab.peer) + struct.pack("!H", kind) + content)
        seen = engine.telemetry.counters
        # Some look like neighbour discovery, which is the stack's.
        assert eventually(lambda: seen()["rx_packets"] + engine.verdicts().passed >= 2000)
        assert eventually(lambda: all_at_rest(engine))
        assert all_answered(lab.peer, lab.port.ipv4)


# With the largest burst, more is received in a turn than one kick sends, and the TX ring fills too.
@pytest.mark.parametrize(
    ("wait", "burst", "ring_size"),
    [(wait, 1 << 20, 64) for wait in WAIT_STRATEGIES]
    + [("poll", 64, 64), ("poll", 64, 2048), ("poll", 1 << 20, 2048)],
)
def test_what_can_not_be_sent_in_time_is_lost_at_the_full_rx_ring_and_nowhere_else(
    lab: Lab, wait: str, burst: int, ring_size: int
) -> None:
    with Engine(lab.port, action="reflect", wait=wait, ring_size=ring_size) as engine:
        engine.burst = burst
        traffic = Traffic(lab.peer, lab.port, rate="max", seconds=0.3)
        ledger = Ledger(engine, traffic)
        assert traffic.start().wait(30)
        account = ledger.settle(30)
        assert eventually(lambda: all_at_rest(engine))
        counters = engine.telemetry.counters()
    assert account.balanced
    assert account.packets("RX ring full") > 0
    assert account.packets("no fill descriptor") == 0
    assert counters["rx_packets"] == counters["tx_packets"] == counters["completion_consumer"]
    assert counters["rx_packets"] + counters["rx_ring_full"] == traffic.sent - account.packets(
        "wire full"
    )


def test_switching_actions_while_packets_flow_loses_and_leaks_nothing(lab: Lab) -> None:
    dice = random.Random(1)
    stream = Stream(lab.peer, rate=1000)
    actions = [each for each in ACTIONS if each not in ("handler", "deliver")]
    with Engine(lab.port, stream=stream, ring_size=DEEP_RING, inspect=True) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE)
        ledger = Ledger(engine, traffic)
        traffic.start()
        for _ in range(500):
            engine.action = dice.choice(actions)
            engine.wait = dice.choice(WAIT_STRATEGIES)
            time.sleep(0.002)
        traffic.stop()
        engine.action = "drop"
        account = ledger.settle(30)
        assert eventually(lambda: all_at_rest(engine))
        counters = engine.telemetry.counters()
    lost = lost_on_the_wire(account, *WAIT_STRATEGIES)
    assert account.balanced
    # Besides, the peer's stack complains of echoes that it did not ask for.
    assert counters["stream_frames"] == traffic.sent - lost <= counters["rx_packets"]
    assert counters["stream_missing"] <= lost
    assert counters["stream_late"] == 0
    assert counters["tx_packets"] == counters["completion_consumer"] > 0
