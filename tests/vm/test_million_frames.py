"""A million numbered frames each way between the two cards, zero-copy on two queues: none is lost.

No more frames are under way than a card's ring has places for, so that nothing depends on speed.
"""

from __future__ import annotations

import socket
import struct
import time
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from support.cards import MODES, Cards, has, wait_for_carrier

from xdplab import Capture, Host, Steering
from xdplab.net.driver_counters import received_by_queue

COUNT = 1_000_000
QUEUES = (0, 1)
PORT = 4713  # which no one else sends to
FLOWS = 64  # by the sender's port, so that they come by both queues
AT_ONCE = 120  # of each queue: all may come by one, whose ring has 256 places
SIZE = 60
_NUMBER = slice(42, 50)  # behind Ethernet, IPv4 and UDP
_PATIENCE = 30.0  # seconds


def header(sender: Host, receiver: Host) -> bytes:
    """Return the headers of a datagram from one host to another, from port 0."""
    macs = bytes.fromhex((receiver.interface.mac + sender.interface.mac).replace(":", ""))
    addresses = socket.inet_aton(sender.ipv4) + socket.inet_aton(receiver.ipv4)
    ipv4 = struct.pack("!BBHHHBBH", 0x45, 0, SIZE - 14, 0, 0, 64, socket.IPPROTO_UDP, 0) + addresses
    total = sum(struct.unpack("!10H", ipv4))
    total = (total & 0xFFFF) + (total >> 16)
    ipv4 = ipv4[:10] + struct.pack("!H", 0xFFFF - total) + ipv4[12:]
    return macs + b"\x08\x00" + ipv4 + struct.pack("!HHHH", 0, PORT, SIZE - 34, 0)


class Way:
    """From one card to the other: sends numbered frames, and keeps the numbers that come."""

    def __init__(self, sender: Capture, receiver: Capture, hosts: tuple[Host, Host]) -> None:
        self.sender, self.receiver = sender, receiver
        self.sent = 0
        self.found: list[Any] = []
        self.by_queue = dict.fromkeys(QUEUES, 0)
        self._frames = np.zeros((AT_ONCE, SIZE), np.uint8)
        self._frames[:, :42] = np.frombuffer(header(*hosts), np.uint8)

    @property
    def came(self) -> int:
        """Frames that were received."""
        return sum(self.by_queue.values())

    def send(self) -> None:
        """Send some frames from each queue."""
        for each in self.sender.receivers:
            numbers = np.arange(self.sent, min(self.sent + AT_ONCE, COUNT), dtype=np.uint64)
            frames = self._frames[: len(numbers)]
            frames[:, 34] = 0x40  # ports from 16,384 on
            frames[:, 35] = numbers % FLOWS
            frames[:, _NUMBER] = numbers.view(np.uint8).reshape(-1, 8)
            self.sent += each.send(frames, timeout=_PATIENCE)

    def receive(self) -> None:
        """Receive what was sent."""
        end = time.monotonic() + _PATIENCE
        while self.came < self.sent:
            for each in self.receiver.receivers:
                batch = each.try_recv()
                if len(batch):
                    numbers = np.ascontiguousarray(batch.frames[:, _NUMBER]).view(np.uint64)
                    self.found.append(numbers[:, 0])
                    self.by_queue[each.queue] += len(batch)
                    end = time.monotonic() + _PATIENCE
            assert time.monotonic() < end, f"{self.came:,} of {self.sent:,} came"


@pytest.mark.long
def test_a_million_frames_each_way_are_complete_and_the_driver_counts_them(
    cards: Cards, release: tuple[int, int]
) -> None:
    if not has("zero-copy", cards, release) or cards.first.interface.queues < len(QUEUES):
        pytest.skip("the card has no zero-copy on two queues")
    attach, bind = MODES["zero-copy"]
    settings: dict[str, Any] = {"attach": attach, "bind": bind, "queue": QUEUES, "wait": "spin"}
    settings["frame_size"] = 4096
    hosts = cards.first, cards.second
    with ExitStack() as undo:
        for host in hosts:
            steering = undo.enter_context(Steering(host))
            steering.hash_ports("udp4")
        one, other = (
            undo.enter_context(Capture(host, match=f"udp port {PORT}", batch=256, **settings))
            for host in hosts
        )
        wait_for_carrier(cards)
        ledgers = one.ledger(), other.ledger()
        before = [counted(host) for host in hosts]
        ways = Way(one, other, hosts), Way(other, one, hosts[::-1])
        begun = time.monotonic()
        while ways[0].sent < COUNT:
            for way in ways:
                way.send()
            for way in ways:
                way.receive()
        took = time.monotonic() - begun
        accounts = [ledger.settle(10) for ledger in ledgers]
        after = [counted(host) for host in hosts]
    print(f"{COUNT:,} frames each way in {took:.0f} s: {2 * COUNT / took / 1000:.1f} kpps")
    at_receivers = zip(reversed(accounts), reversed(before), reversed(after), strict=True)
    for way, (account, then, now) in zip(ways, at_receivers, strict=True):
        assert np.array_equal(np.sort(np.concatenate(way.found)), np.arange(COUNT))
        print(f"by queue {way.by_queue}; the driver's {now - then}")
        assert min(way.by_queue.values()) > 0
        # Others send as well: neighbour discovery of both stacks.
        others = account.packets("left to the stack")
        if "not taken by match" in {line.stage for line in account}:
            others += account.packets("not taken by match")
        assert account.balanced, account
        assert (now - then).total() == COUNT + others


def counted(host: Host) -> Any:
    """Return what the driver has taken in, by queue."""
    return received_by_queue(host.interface.driver, host.interface.driver_statistics())
