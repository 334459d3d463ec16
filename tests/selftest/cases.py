"""The cases of the Linux kernel's selftest of AF_XDP (tools/testing/selftests/bpf, `xskxceiver`).

Each is a test here, with the selftest's name for it as its parameter.
"""

from __future__ import annotations

import pytest

CASES = {
    "SEND_RECEIVE": "All frames arrive once, in order, with their bytes.",
    "SEND_RECEIVE_2K_FRAME": "The same with UMEM frames of 2,048 bytes.",
    "SEND_RECEIVE_SINGLE_PKT": "One frame alone arrives.",
    "SEND_RECEIVE_UNALIGNED": "The same with UMEM frames across the boundaries of pages.",
    "SEND_RECEIVE_9K_PACKETS": "A packet of several UMEM frames is received and sent back whole.",
    "SEND_RECEIVE_UNALIGNED_9K_PACKETS": "The same with UMEM frames across those boundaries.",
    "UMEM_HEADROOM": "Bytes that are to be left free in front of each packet are.",
    "POLL_RX": "A receiver that waits is woken by what comes, and misses nothing.",
    "POLL_TX": "A sender whose ring is full waits for room, and all is sent.",
    "POLL_RXQ_FULL": "A receiver to which nothing comes waits as long as it was told.",
    "POLL_TXQ_FULL": "A sender from which nothing is taken is told so after that time.",
    "ALIGNED_INV_DESC": "What is no frame of the UMEM is not sent, and the frames around it are.",
    "ALIGNED_INV_DESC_2K_FRAME_SIZE": "The same with UMEM frames of 2,048 bytes.",
    "ALIGNED_INV_DESC_MULTI_BUFF": "A packet with a part that is none is not sent at all.",
    "UNALIGNED_INV_DESC": "With unaligned frames only what ends outside of the UMEM is none.",
    "UNALIGNED_INV_DESC_4001_FRAME_SIZE": "The same where the UMEM ends within a page.",
    "UNALIGNED_INV_DESC_MULTI_BUFF": "A packet with a part outside of it is not sent at all.",
    "TOO_MANY_FRAGS": "A packet of as many parts as may be is sent, and one of more is not.",
    "TX_QUEUE_CONSUMER": "After each kick the TX ring tells how many frames were taken.",
    "TEARDOWN": "Both ends can be opened and closed again and again.",
    "BIDIRECTIONAL": "Both ends send and receive.",
    "STAT_RX_DROPPED": "Packets larger than a UMEM frame are counted, and the others arrive.",
    "STAT_RX_FULL": "What finds the RX ring full is counted, and what is in it arrives.",
    "STAT_FILL_EMPTY": "What finds no frame to fill is counted, until frames are given back.",
    "STAT_TX_INVALID": "Descriptors that are no frame are counted, each.",
    "XDP_PROG_CLEANUP": "A program outlives a socket, and takes the next one in its place.",
    "XDP_DROP_HALF": "Of the packets of which the program drops every second, the others arrive.",
    "XDP_SHARED_UMEM": "Two sockets with one UMEM each get what the program gives them.",
    "XDP_METADATA_COPY": "What the program writes in front of a packet comes with it.",
    "XDP_METADATA_COPY_MULTI_BUFF": "The same with a packet of several UMEM frames.",
    "XDP_ADJUST_TAIL_SHRINK": "A packet that the program cuts arrives cut.",
    "XDP_ADJUST_TAIL_SHRINK_MULTI_BUFF": "The same with a packet of several buffers.",
    "XDP_ADJUST_TAIL_GROW": "A packet that the program lengthens arrives longer.",
    "XDP_ADJUST_TAIL_GROW_MULTI_BUFF": "The same with a packet of several buffers.",
    "HW_SW_MIN_RING_SIZE": "With the card's shortest rings all frames arrive.",
    "HW_SW_MAX_RING_SIZE": "With the card's longest rings, and UMEM to fill them, too.",
}
"""What each says, by its name there."""


def cases(*names: str) -> pytest.MarkDecorator:
    """Let a test be that of these cases."""
    assert set(names) <= CASES.keys(), names
    return pytest.mark.parametrize("case", names)
