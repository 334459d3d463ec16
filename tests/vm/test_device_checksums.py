"""Checksums that are left to the device: a card adds them where the kernel can ask it."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest
from scapy.all import IP, UDP, Ether, Raw
from support.cards import MODES, PORT, Cards, has, opened, received, wait_for_carrier
from support.frames import raw_socket
from support.waiting import eventually

from xdplab import Worker
from xdplab.core.errors import ConfigurationError, KernelError

_ASKED_SINCE = (6, 11)
_COUNT = 20  # so that they fit into a socket's buffer, where a card's frame counts with its page
_PORTS = slice(34, 38)  # of UDP in IPv4


def _unfinished(cards: Cards) -> bytes:
    """Build a datagram whose sum is the pseudo-header's only, as a stack leaves it."""
    first, second = cards.first, cards.second
    frame = Ether(src=second.interface.mac, dst=first.interface.mac) / IP(
        src=second.ipv4, dst=first.ipv4
    )
    datagram = UDP(sport=PORT, dport=PORT) / Raw(bytes(range(101)))
    address = socket.inet_aton(second.ipv4) + socket.inet_aton(first.ipv4)
    words = [int.from_bytes(address[at : at + 2], "big") for at in range(0, 8, 2)]
    total = sum(words) + socket.IPPROTO_UDP + len(datagram)
    datagram.chksum = (total & 0xFFFF) + (total >> 16)
    return bytes(frame / datagram)


def _is_right(frame: bytes) -> bool:
    packet = Ether(frame)
    found = packet[UDP].chksum
    del packet[UDP].chksum
    return bool(Ether(bytes(packet))[UDP].chksum == found)


@pytest.mark.parametrize("mode", MODES)
def test_a_card_finishes_what_is_sent_on_or_it_is_refused_with_the_reason(
    cards: Cards, release: tuple[int, int], mode: str
) -> None:
    if not has(mode, cards, release):
        return  # test_cards.py sees that it is refused
    asks = Worker(checksum="device")
    if release < _ASKED_SINCE:
        with pytest.raises(KernelError, match=r"takes Linux 6\.11"):
            opened(cards, mode, action="reflect", worker=asks)
        return
    if mode != "zero-copy" and cards.first.interface.driver == "virtio_net" and release < (6, 18):
        with pytest.raises(ConfigurationError, match=r"Linux before 6\.18 ignores on virtio_net"):
            opened(cards, mode, action="reflect", worker=asks)
        return
    if mode == "zero-copy":
        words = f"driver {cards.first.interface.driver} does not .*: nothing.*bind='copy'"
        with pytest.raises(ConfigurationError, match=words):
            opened(cards, mode, action="reflect", worker=asks)
        return
    frame = _unfinished(cards)
    assert not _is_right(frame)
    with (
        opened(cards, mode, action="reflect", worker=asks) as engine,
        raw_socket(cards.second) as far,
    ):
        wait_for_carrier(cards)
        far.setblocking(False)
        for _ in range(_COUNT):
            far.send(frame)
        assert eventually(lambda: received(engine) == _COUNT)
        back: list[bytes] = []

        def all_back() -> bool:
            with suppress(BlockingIOError):
                while True:
                    came = far.recv(2048)
                    if came[:6] == frame[6:12] and came[_PORTS] == frame[_PORTS]:
                        back.append(came)
            return len(back) == _COUNT

        assert eventually(all_back)
        counters = engine.telemetry.total()
    assert [each for each in back if not _is_right(each)] == []
    assert counters["checksums_asked"] == _COUNT
    assert counters["tx_invalid_descs"] == 0
