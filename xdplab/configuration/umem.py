"""How an engine lays frames out in memory."""

from __future__ import annotations

from xdplab.core.checks import shown, whole
from xdplab.core.errors import ConfigurationError
from xdplab.native import lib

_HUGE_PAGES: dict[bool | str, int] = {
    False: lib.XDPLAB_HUGE_PAGES_NEVER,
    "auto": lib.XDPLAB_HUGE_PAGES_IF_ANY,
    True: lib.XDPLAB_HUGE_PAGES_ALWAYS,
}
XDP_HEADROOM = 256
"""Bytes in front of each packet that the kernel keeps in every frame (XDP_PACKET_HEADROOM)."""

# Room that xdp_umem_reg wants behind a frame's headrooms (Linux 6.18.44): a skb_shared_info, of 320
# bytes unless built with another CONFIG_MAX_SKB_FRAGS, and 128 for the shortest packet. Older
# kernels want one byte.
_LEAST_ROOM = 320 + 128
_WORD = 8  # samples are read by whole words
_LARGEST_FRAME = 1 << 20
LARGEST_REAL_FRAME = 4096
"""Bytes of the largest frame that the kernel takes: a page."""

MOST_FRAMES = 18
"""Most frames of one packet."""

SMALLEST_LONG_RING = 32
"""Entries of the smallest ring that holds as many."""


def layout(
    frame_size: int,
    headroom: int,
    unaligned: bool,
    huge_pages: bool | str,
    multi_buffer: bool,
    *,
    ring_size: int,
) -> dict[str, int]:
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
    headroom = whole("headroom", headroom, 0, max(frame_size - XDP_HEADROOM - _LEAST_ROOM, 0))
    if frame_size % _WORD or headroom % _WORD:
        raise ConfigurationError(f"{frame_size=} and {headroom=} must be multiples of {_WORD}.")
    if multi_buffer and ring_size < SMALLEST_LONG_RING:
        raise ConfigurationError(
            f"{ring_size=} is too small for a long packet: multi_buffer=True takes "
            f"{SMALLEST_LONG_RING} or more."
        )
    return {
        "frame_size": frame_size,
        "headroom": headroom,
        "unaligned": int(unaligned),
        "huge_pages": _HUGE_PAGES[huge_pages],
        "multi_buffer": int(multi_buffer),
    }


def which_pages(huge_pages: object) -> bool | str:
    """Check which pages the UMEM is to use."""
    if type(huge_pages) in (bool, str) and huge_pages in _HUGE_PAGES:
        return huge_pages
    raise ConfigurationError(f"huge_pages={shown(huge_pages)} must be True, False or 'auto'.")
