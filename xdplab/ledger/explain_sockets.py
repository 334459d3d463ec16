"""The words of a ledger for packets between the XDP program and a socket of another path.

As in explain.py, counts and settings go in, and sentences come out.
"""

from __future__ import annotations

from xdplab.configuration.groups import LARGEST_BUFFER
from xdplab.ledger.overflow import Overflow
from xdplab.ledger.situation import ENDED, STOPPED, Situation, first

_PACKET_TAKES = 4352  # bytes of a socket's buffer, for a short frame that XDP passed on


def buffer_full(now: Situation) -> str:
    """Say why a socket's buffer was full, and which knob helps.

    Parameters
    ----------
    now
        The settings.
    """
    did = now.overflow or Overflow()
    known = now.overflow is not None
    size = min(4 * now.socket_buffer, LARGEST_BUFFER)
    larger = f"a larger buffer, Engine(path={now.path!r}, memory=Memory(socket_buffer={size})),"
    alone = now.other_core is None or len(now.cpus) > 1
    apart = "" if alone else f", Engine(path={now.path!r}, cpu={now.other_core})"
    slower = f"lower the rate, {now.slower}," if now.slower else "lower the rate,"
    bridges = did.backlog is None or 2 * did.backlog * _PACKET_TAKES < size
    more = f"{larger} bridges that, and" if bridges else "no buffer is large enough for that;"
    why = first(
        (now.fault, ENDED),
        (not now.running and (did.stopped or not known), STOPPED),
        (
            did.stopped,
            f"The worker was stopped then: leave it running, or {larger} lets more packets wait.",
        ),
        (
            now.paced,
            "The worker was paced, a batch at a time (engine.pace): engine.pace = 0 lets it run as "
            "fast as packets come.",
        ),
        (
            now.generator_cpu in now.cpus,
            f"Generator and worker share core {now.generator_cpu}, and one waits while the other "
            f"runs: give them different cores{apart}.",
        ),
        (
            did.saturated,
            f"It was busy all the time, and path={now.path!r} gets no more through on one core, "
            f"most of it in the kernel: {slower} or take Engine(path='xsk'). A larger "
            "socket_buffer only puts the loss off.",
        ),
        (
            True,
            f"It slept, or something else had its core, and the buffer filled meanwhile: {more} "
            f"another core for the worker{apart} may avoid it.",
        ),
    )
    return (
        f" came while the socket's buffer was full: its {now.socket_buffer:,} bytes were taken by "
        f"packets that the worker had not received yet. {why}"
    )


def lost_in_the_stack(unaccounted: str) -> str:
    """Say what may have become of packets that nobody counted between program and socket.

    Parameters
    ----------
    unaccounted
        How many packets, in words.
    """
    return (
        f"{unaccounted} unaccounted: the XDP program counted them, the socket did not. The "
        "stack is in between: it drops what has a wrong checksum or length or another's address "
        "(`nstat -az` says: IpInDiscards, UdpInErrors), and GRO merges packets of a stream."
    )
