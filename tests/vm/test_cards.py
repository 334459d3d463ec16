"""Engines on real cards: how they attach and bind, and that every packet is accounted for."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack

import pytest
from support.cards import COUNT, MODES, PORT, Cards, has, opened, received, send
from support.frames import raw_socket
from support.waiting import eventually

from xdplab import WAIT_STRATEGIES, KernelError, Memory, XdplabError

TO_PORT = slice(36, 38)  # the destination's, of UDP in IPv4
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
ROOM = 16 << 20  # bytes: a card's frame counts with the whole page that it lies in
MAY_BE_REFUSED = ("uring-napi", "epoll-napi", "irq-suspend")  # on older kernels


def test_the_guest_has_the_kernel_and_the_cards_that_were_asked_for(cards: Cards) -> None:
    asked = os.environ["XDPLAB_VM_KERNEL"]
    assert asked == "newest" or os.uname().release.startswith(f"{asked}.")
    assert cards.first.interface.driver == cards.card.driver


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_receives_every_frame_or_is_refused(
    cards: Cards, release: tuple[int, int], mode: str
) -> None:
    if not has(mode, cards, release):
        with pytest.raises(XdplabError) as refusal:
            opened(cards, mode)
        print(f"{mode} is refused: {refusal.value}")
        return
    with opened(cards, mode) as engine:
        ledger = engine.ledger()
        send(cards)
        assert eventually(lambda: received(engine) == COUNT), received(engine)
        account = ledger.settle(10)
        assert account.balanced, account


def test_packets_of_several_frames_are_refused_in_the_words_of_the_driver(
    cards: Cards, release: tuple[int, int]
) -> None:
    if not has("zero-copy", cards, release):
        return  # the test above sees that it is refused
    with pytest.raises(KernelError, match=r"EOPNOTSUPP.*xdp_zc_max_segs is 1.*multi_buffer=True"):
        opened(cards, "zero-copy", memory=Memory(multi_buffer=True))


@pytest.mark.parametrize("wait", WAIT_STRATEGIES)
@pytest.mark.filterwarnings("ignore:wait=.* is ineffective here")
def test_each_wait_strategy_receives_every_frame_or_is_refused(
    cards: Cards, release: tuple[int, int], wait: str
) -> None:
    mode = next(mode for mode in MODES if has(mode, cards, release))
    with ExitStack() as undo:
        try:
            engine = undo.enter_context(opened(cards, mode, wait=wait))
        except XdplabError as refusal:
            assert wait in MAY_BE_REFUSED, refusal
            print(f"{wait} is refused: {refusal}")
            return
        send(cards)
        assert eventually(lambda: received(engine) == COUNT), received(engine)


@pytest.mark.parametrize("mode", MODES)
def test_every_frame_is_sent_back(cards: Cards, release: tuple[int, int], mode: str) -> None:
    if not has(mode, cards, release):
        return  # the test above sees that it is refused
    with opened(cards, mode, action="reflect") as engine, raw_socket(cards.second) as far:
        far.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
        send(cards)
        back = 0
        while back < COUNT:
            frame, (_name, _protocol, kind, *_) = far.recvfrom(2048)
            back += kind != socket.PACKET_OUTGOING and frame[TO_PORT] == PORT.to_bytes(2)
        account = engine.ledger().settle(10)
        assert account.balanced, account
