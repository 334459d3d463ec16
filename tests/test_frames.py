"""However frames are laid out in memory, the packets in them are the same."""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.huge_pages import own_huge_pages
from support.loads import DEEP_RING, HOLDABLE_RATE
from support.pings import all_answered
from support.waiting import eventually

from xdplab import ConfigurationError, Engine, KernelError, Lab, Ledger, Memory, Sampling, Traffic
from xdplab.configuration.keywords import grouped
from xdplab.net.host import Host

# The kernel's alone: what sends from sockets, or takes several frames a packet.

_HEADERS = 14 + 20 + 8  # Ethernet, IPv4, UDP
_TOGETHER = 5  # long packets, whose frames the smallest ring holds

LAYOUTS: list[dict[str, Any]] = [
    {"frame_size": 4096},
    {"headroom": 128},
    {"frame_size": 4096, "headroom": 1024},
    {"unaligned": True},
    {"unaligned": True, "frame_size": 3000},
    {"unaligned": True, "frame_size": 2504, "headroom": 200},
    {"huge_pages": "auto"},
]


def _title(layout: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in layout.items())


@pytest.fixture
def reserved_pages() -> Iterator[None]:
    """Set some huge pages aside, and give them back."""
    with ExitStack() as stack:
        try:
            stack.enter_context(own_huge_pages(8))
        except OSError as error:
            pytest.skip(f"can't set huge pages aside: {error}")
        free = re.search(r"HugePages_Free:\s+(\d+)", Path("/proc/meminfo").read_text())
        if free is None or int(free[1]) < 8:
            pytest.skip("memory is too scattered for huge pages")
        yield


@pytest.mark.parametrize("layout", LAYOUTS, ids=_title)
def test_in_every_layout_all_frames_arrive_in_order(lab: Lab, layout: dict[str, Any]) -> None:
    # More frames than the UMEM has, so that each goes round; but never at once.
    with Engine(lab.port, ring_size=1 << 12, inspect=True, **grouped(layout)) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, count=4_000)
        ledger = Ledger(engine, traffic)
        for sent in range(4_000, 20_001, 4_000):
            assert traffic.start().wait(30)
            assert eventually(partial(_has_received, engine, sent))
        assert ledger.settle(30).balanced
        counters = engine.telemetry.counters()
    assert counters["stream_frames"] == 20_000
    assert counters["stream_missing"] == counters["stream_late"] == 0
    assert counters["rx_invalid_descs"] == 0


@pytest.mark.parametrize("layout", LAYOUTS, ids=_title)
def test_in_every_layout_packets_are_answered_and_joined(
    privileged: None, layout: dict[str, Any]
) -> None:
    with Lab() as one, Lab(number=1) as other:
        with Engine(one.port, action="echo", ring_size=64, **grouped(layout)) as engine:
            for size in (0, 1400):
                assert all_answered(one.peer, one.port.ipv4, 100, size=size)
            assert engine.telemetry.counters()["tx_invalid_descs"] == 0
        with Engine(one.port, forward_to=other.port, ring_size=64, **grouped(layout)) as engine:
            assert all_answered(one.peer, other.peer.ipv4, 200, size=1400)
            assert engine.telemetry.total()["tx_invalid_descs"] == 0


@pytest.mark.kernel
@pytest.mark.parametrize("layout", LAYOUTS, ids=_title)
def test_in_every_layout_a_sample_has_the_bytes_of_its_frame(
    lab: Lab, layout: dict[str, Any]
) -> None:
    message = bytes(range(256)) * 5
    with (
        Engine(lab.port, sampling=Sampling(every=1, bytes=2048), **grouped(layout)) as engine,
        lab.peer.socket() as udp,
    ):
        udp.sendto(message, (lab.port.ipv4, 4000))
        assert eventually(lambda: len(engine.telemetry.samples()[0]) == 1)
        (sample,), _ = engine.telemetry.samples()
    assert bytes(sample["bytes"][: sample["captured"]]).endswith(message)


@pytest.mark.privilege  # to set them aside
def test_huge_pages_are_taken_where_some_were_set_aside(lab: Lab, reserved_pages: None) -> None:
    for wish in (True, "auto"):
        with Engine(lab.port, memory=Memory(huge_pages=wish), inspect=True) as engine:
            assert engine.huge_pages
            with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, count=2_000) as traffic:
                for sent in range(2_000, 6_001, 2_000):  # never more at once than the ring holds
                    assert traffic.start().wait(30)
                    assert eventually(partial(_has_received, engine, sent))
            assert engine.telemetry.counters()["stream_frames"] == 6_000
    with Engine(lab.port) as engine:
        assert not engine.huge_pages


def test_too_few_huge_pages_name_the_setting_that_has_more(lab: Lab) -> None:
    with pytest.raises(KernelError, match=r"ENOMEM.*sysctl vm\.nr_hugepages"):
        Engine(lab.port, memory=Memory(huge_pages=True), ring_size=DEEP_RING, frame_size=4096)
    with Engine(
        lab.port, memory=Memory(huge_pages="auto"), ring_size=DEEP_RING, frame_size=4096
    ) as engine:
        assert not engine.huge_pages


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"frame_size": 2050, "unaligned": True}, "must be a multiple of 8"),
        ({"headroom": 4}, "must be a multiple of 8"),
        ({"headroom": 1352}, "headroom=1352 must be a whole number, 0 to 1344"),
        ({"headroom": 3400, "frame_size": 4096}, "headroom=3400 must be a whole number, 0 to 3392"),
        ({"headroom": -8}, "headroom=-8 must be"),
        ({"huge_pages": "yes"}, "must be True, False or 'auto'"),
    ],
)
def test_layouts_that_can_not_work_are_refused(
    lab: Lab, wrong: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(remedy)):
        Engine(lab.port, **grouped(wrong))


@pytest.mark.parametrize("frame_size", [2040, 4104])
def test_unaligned_frames_have_bounds_too(lab: Lab, frame_size: int) -> None:
    with pytest.raises(KernelError, match=r"EINVAL.*unaligned=True"):
        Engine(lab.port, memory=Memory(unaligned=True), frame_size=frame_size)


@pytest.fixture
def jumbo(privileged: None) -> Iterator[Lab]:
    with Lab(mtu=9000) as made:
        yield made


def _messages(count: int) -> list[bytes]:
    """Numbered datagrams of all lengths up to the MTU, each unlike every other."""
    dice = random.Random(1)
    return [dice.randbytes(dice.choice([1, 1700, 1792, 3600, 8900, 8972])) for _ in range(count)]


LONG_LAYOUTS: list[dict[str, Any]] = [
    {},
    {"batch": 1, "ring_size": 32},
    {"frame_size": 4096, "headroom": 512},
    {"unaligned": True, "frame_size": 3000},
    {"attach": "skb"},
]


def _has_received(engine: Engine, packets: int) -> bool:
    return bool(engine.telemetry.counters()["rx_packets"] == packets)


@pytest.mark.kernel
@pytest.mark.parametrize("layout", LONG_LAYOUTS, ids=_title)
def test_a_long_packet_counts_as_one_with_all_its_bytes(jumbo: Lab, layout: dict[str, Any]) -> None:
    messages = _messages(200)
    with (
        Engine(
            jumbo.port, sampling=Sampling(every=1), **grouped({"multi_buffer": True, **layout})
        ) as engine,
        jumbo.peer.socket() as udp,
    ):
        # Never more at once than the smallest ring holds.
        for number, message in enumerate(messages, 1):
            udp.sendto(message, (jumbo.port.ipv4, 4000))
            assert number % _TOGETHER or eventually(partial(_has_received, engine, number)), (
                f"after {number} packets"
            )
        counters = engine.telemetry.counters()
        samples, _ = engine.telemetry.samples()
    lengths = [_HEADERS + len(message) for message in messages]
    assert samples["length"].tolist() == lengths
    assert samples["frame"].tolist() == list(range(len(messages)))
    assert counters["rx_bytes"] == sum(lengths)
    assert counters["rx_consumer"] > counters["rx_packets"]
    assert counters["rx_too_long"] == 0
    for sample, message in zip(samples, messages, strict=True):
        seen = bytes(sample["bytes"][_HEADERS : sample["captured"]])
        assert message.startswith(seen)
        assert len(seen) == min(len(message), 256 - _HEADERS)


@pytest.mark.kernel
@pytest.mark.parametrize("layout", LONG_LAYOUTS, ids=_title)
def test_long_packets_are_echoed_whole_and_in_order(jumbo: Lab, layout: dict[str, Any]) -> None:
    messages = _messages(300)
    with (
        Engine(jumbo.port, action="echo", **grouped({"multi_buffer": True, **layout})) as engine,
        jumbo.peer.socket() as udp,
    ):
        assert all_answered(jumbo.peer, jumbo.port.ipv4, 20, size=8900, at_once=_TOGETHER)
        udp.settimeout(30)
        # In bursts of several packets a batch.
        for start in range(0, len(messages), _TOGETHER):
            for message in messages[start : start + _TOGETHER]:
                udp.sendto(message, (jumbo.port.ipv4, 4000))
            for message in messages[start : start + _TOGETHER]:
                assert udp.recv(1 << 16) == message
        assert eventually(lambda: engine.telemetry.counters()["tx_packets"] == 20 + 300)
        assert engine.telemetry.counters()["tx_invalid_descs"] == 0


@pytest.mark.kernel
def test_long_packets_are_reflected_whole(jumbo: Lab) -> None:
    messages = _messages(50)
    name = jumbo.peer.interface.name
    with (
        Engine(jumbo.port, memory=Memory(multi_buffer=True), action="reflect"),
        jumbo.peer.socket() as udp,
        jumbo.peer.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as wire,
    ):
        wire.bind((name, 0x0800))
        wire.settimeout(30)
        for message in messages:
            udp.sendto(message, (jumbo.port.ipv4, 4000))
            frame = wire.recv(1 << 16)
            assert frame[_HEADERS:] == message
            assert frame[6:12].hex(":") == jumbo.port.interface.mac


@pytest.mark.kernel
@pytest.mark.parametrize("layout", LONG_LAYOUTS, ids=_title)
def test_two_labs_joined_carry_long_packets_both_ways(
    privileged: None, layout: dict[str, Any]
) -> None:
    with (
        Lab(mtu=9000) as one,
        Lab(mtu=9000, number=1) as other,
        Engine(
            one.port, forward_to=other.port, **grouped({"multi_buffer": True, **layout})
        ) as engine,
    ):
        for sender, receiver in ((one.peer, other.peer), (other.peer, one.peer)):
            assert all_answered(sender, receiver.ipv4, 10, size=8900, at_once=_TOGETHER)
            with receiver.socket() as inbox, sender.socket() as outbox:
                inbox.bind((receiver.ipv4, 4000))
                inbox.settimeout(30)
                for message in _messages(100):
                    outbox.sendto(message, (receiver.ipv4, 4000))
                    assert inbox.recv(1 << 16) == message
            _check_tcp(sender, receiver)
        total = engine.telemetry.total()
    assert total["tx_invalid_descs"] == total["rx_invalid_descs"] == total["rx_too_long"] == 0


def _check_tcp(sender: Host, receiver: Host) -> None:
    """Carry 4 MiB over a connection, in segments as long as the MTU allows."""
    content = random.Random(2).randbytes(1 << 22)
    with receiver.socket(type=socket.SOCK_STREAM) as listener:
        listener.bind((receiver.ipv4, 0))
        listener.listen()
        listener.settimeout(30)
        with sender.socket(type=socket.SOCK_STREAM) as outbound:
            outbound.settimeout(30)
            outbound.connect(listener.getsockname())
            inbound, _ = listener.accept()
            assert outbound.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) > 8900
            with inbound, ThreadPoolExecutor(1) as threads:
                inbound.settimeout(30)
                sent = threads.submit(outbound.sendall, content)
                received = b"".join(_pieces(inbound, len(content)))
                sent.result()
    assert received == content


def _pieces(inbound: socket.socket, wanted: int) -> Iterator[bytes]:
    while wanted:
        piece = inbound.recv(min(wanted, 1 << 16))
        assert piece, "the connection was closed early"
        wanted -= len(piece)
        yield piece


@pytest.mark.kernel
def test_packets_longer_than_can_be_sent_are_counted_and_the_rest_goes_on(
    privileged: None,
) -> None:
    with (
        Lab(mtu=65535) as lab,
        Engine(lab.port, memory=Memory(multi_buffer=True), action="echo") as engine,
        lab.peer.socket() as udp,
    ):
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        udp.settimeout(30)
        for size in (60_000, 30_000, 60_000, 100):
            udp.sendto(bytes(size), (lab.port.ipv4, 4000))
        assert [len(udp.recv(1 << 16)) for _ in range(2)] == [30_000, 100]
        assert eventually(lambda: engine.telemetry.counters()["rx_too_long"] == 2)
        assert engine.telemetry.counters()["rx_packets"] == 2


@pytest.mark.kernel
def test_an_mtu_above_a_page_names_multi_buffer(jumbo: Lab) -> None:
    with pytest.raises(KernelError, match=r"ERANGE.*multi_buffer=True"):
        Engine(jumbo.port)


@pytest.mark.kernel  # not simulated
def test_long_packets_need_a_ring_that_holds_one(jumbo: Lab) -> None:
    with pytest.raises(ConfigurationError, match="takes 32 or more"):
        Engine(jumbo.port, memory=Memory(multi_buffer=True), ring_size=16)
