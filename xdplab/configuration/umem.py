"""How an engine lays frames out in memory."""

from __future__ import annotations

from xdplab.configuration.groups import HUGE_PAGES, WORD, Memory
from xdplab.core.checks import whole
from xdplab.core.errors import ConfigurationError

XDP_HEADROOM = 256
"""Bytes in front of each packet that the kernel keeps in every frame (XDP_PACKET_HEADROOM)."""

# Room that xdp_umem_reg wants behind a frame's headrooms (Linux 6.18.44): a skb_shared_info, of 320
# bytes unless built with another CONFIG_MAX_SKB_FRAGS, and 128 for the shortest packet. Older
# kernels want one byte.
_SHARED_INFO = 320
_LEAST_ROOM = _SHARED_INFO + 128
_LARGEST_FRAME = 1 << 20

# What a card is told of a frame's room, in bytes: so many times this. With zero-copy it writes no
# more of a packet, and the rest is lost without a word. igb: SRRCTL.BSIZEPKT, which igb_main.c sets
# (igb_setup_srrctl); seen with Linux 7.3 and QEMU's card.
_UNITS_OF_ROOM = {"igb": 1024}
LARGEST_REAL_FRAME = 4096
"""Bytes of the largest frame that the kernel takes: a page."""

MOST_FRAMES = 18
"""Most frames of one packet."""

SMALLEST_LONG_RING = 32
"""Entries of the smallest ring that holds as many."""


def longest_with_zero_copy(driver: str, frame_size: int, headroom: int) -> int | None:
    """Return the bytes of a packet that a card writes whole into a frame; None if not known.

    Parameters
    ----------
    driver
        The card's.
    frame_size, headroom
        Bytes.
    """
    unit = _UNITS_OF_ROOM.get(driver)
    if unit is None:
        return None
    room = frame_size - XDP_HEADROOM - headroom - _SHARED_INFO
    return max(room // unit * unit, 0)


def layout(frame_size: int, memory: Memory, *, ring_size: int) -> dict[str, int]:
    """Check the layout of the UMEM. The kernel decides which frame sizes it takes.

    Returns
    -------
    dict
        Fields of ``struct xdplab_config``.

    Raises
    ------
    ConfigurationError
        For values that can't work.
    """
    frame_size = whole("frame_size", frame_size, 1, _LARGEST_FRAME)
    most = max(frame_size - XDP_HEADROOM - _LEAST_ROOM, 0)
    headroom = whole("headroom", memory.headroom, 0, most)
    if frame_size % WORD:
        raise ConfigurationError(f"{frame_size=} must be a multiple of {WORD}.")
    if memory.multi_buffer and ring_size < SMALLEST_LONG_RING:
        raise ConfigurationError(
            f"{ring_size=} is too small for a long packet: multi_buffer=True takes "
            f"{SMALLEST_LONG_RING} or more."
        )
    return {
        "frame_size": frame_size,
        "headroom": headroom,
        "unaligned": int(memory.unaligned),
        "huge_pages": HUGE_PAGES[memory.huge_pages],
        "multi_buffer": int(memory.multi_buffer),
    }
