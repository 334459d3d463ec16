"""The words of a ledger for packets that are too large for the engine's frames.

As in explain.py, counts and settings go in, and sentences come out.
"""

from __future__ import annotations

from xdplab.configuration.umem import (
    LARGEST_REAL_FRAME,
    MOST_FRAMES,
    SMALLEST_LONG_RING,
    XDP_HEADROOM,
)
from xdplab.ledger import explain_sending
from xdplab.ledger.situation import Situation

_HEADERS = 18  # Ethernet, with one VLAN tag


def too_large(now: Situation) -> str:
    """Say why packets did not fit a frame of the UMEM, and which setting takes them.

    Parameters
    ----------
    now
        The settings.
    """
    room = now.umem_frame - XDP_HEADROOM - now.headroom
    what = (
        f" did not fit a UMEM frame, which has room for {room:,} bytes: its frame_size of "
        f"{now.umem_frame:,} less {XDP_HEADROOM + now.headroom} in front. "
    )
    wanted = now.port_mtu + _HEADERS + XDP_HEADROOM + now.headroom
    mtu = f"or let the sender's MTU be {room - _HEADERS:,} or less."
    if now.attach == "skb" and not now.simulated and now.sends:
        return f"{what}{_of_the_mtu(now, wanted)}{_merged(now)}"
    if now.attach == "skb" and not now.simulated:
        several = _several(now, LARGEST_REAL_FRAME)
        return (
            f"{what}With attach='skb', the stack hands over what GRO, or a sender on this machine, "
            f"merged of a stream, up to 64 KiB: {several} takes such packets in several frames "
            f"(Linux 6.9); {mtu[:-1]}, and what merges packets be off: `sudo ethtool -K "
            f"{now.interface} gro off`, and `tso off gso off` on a sender that is on this machine."
        )
    if now.umem_frame < wanted <= LARGEST_REAL_FRAME:
        larger = f"engine.reconfigure(frame_size={LARGEST_REAL_FRAME})"
        return f"{what}{larger} has room for all that an MTU of {now.port_mtu:,} lets pass; {mtu}"
    if now.simulated:
        return f"{what}Larger frames there are none: make a lab of a smaller MTU, Lab(mtu=1500)."
    return f"{what}{_several(now)} takes a packet in several frames (Linux 6.6); {mtu}"


def too_many(now: Situation) -> str:
    """Say why packets came in more frames than a packet may have.

    Parameters
    ----------
    now
        The settings.
    """
    what = (
        f" came in more UMEM frames than can be sent as one packet ({MOST_FRAMES}), and were "
        "dropped. "
    )
    if now.umem_frame < LARGEST_REAL_FRAME:
        return (
            f"{what}engine.reconfigure(frame_size={LARGEST_REAL_FRAME}) takes "
            f"{MOST_FRAMES * (LARGEST_REAL_FRAME - XDP_HEADROOM - now.headroom):,} bytes."
        )
    most = MOST_FRAMES * (now.umem_frame - XDP_HEADROOM - now.headroom)
    less = "a smaller headroom, or " if now.headroom else ""
    return f"{what}Larger frames there are none: choose {less}packets of {most:,} bytes or less."


def _of_the_mtu(now: Situation, wanted: int) -> str:
    """Say which setting takes packets up to the MTU, if a frame is too small for them."""
    if now.umem_frame >= wanted:
        return ""
    if wanted <= LARGEST_REAL_FRAME:
        remedy = f"engine.reconfigure(frame_size={LARGEST_REAL_FRAME}) has room for"
    else:
        remedy = f"{_several(now)} takes in several frames (Linux 6.9)"
    return f"{remedy} all that an MTU of {now.port_mtu:,} lets pass. "


def _merged(now: Situation) -> str:
    """Say why packets are longer than the MTU, and which command prevents that."""
    return (
        "With attach='skb', the stack hands over what GRO, or a sender on this machine, merged of "
        "a stream, up to 64 KiB. That is longer than the MTU, so no engine can send it on. "
        f"{explain_sending.uncut(now)}"
    )


def _several(now: Situation, frame_size: int = 0) -> str:
    words = ["multi_buffer=True"]
    if now.umem_frame < frame_size:
        words.append(f"frame_size={frame_size}")
    if now.ring_size < SMALLEST_LONG_RING:
        words.append(f"ring_size={SMALLEST_LONG_RING}")
    return f"engine.reconfigure({', '.join(words)})"
