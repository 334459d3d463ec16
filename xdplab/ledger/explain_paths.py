"""The words of a ledger for other paths than AF_XDP: names of lines, and remedies.

As in explain.py, counts and settings go in, and sentences come out.
"""

from __future__ import annotations

from collections.abc import Mapping

from xdplab.configuration.groups import LARGEST_BUFFER
from xdplab.ledger.lines import Line
from xdplab.ledger.situation import Situation

_SOCKET: Mapping[str, str] = {
    Line.RING_FULL: "socket buffer full",
    Line.WAITING: "waiting in the socket",
}

NAMES: Mapping[str, Mapping[str, str]] = {
    "udp": {**_SOCKET, Line.REDIRECTED: "for the UDP socket"},
    "packet": {**_SOCKET, Line.REDIRECTED: "for the packet socket"},
    "program": {
        Line.REDIRECTED: "dropped by the XDP program",
        Line.RECEIVED: "counted by the worker",
    },
}
"""Names of a ledger's lines, by the path's kind in small letters; other lines as on AF_XDP."""

_NOT_THERE = {
    "udp": {Line.NO_SOCKET, Line.NO_FILL, Line.TOO_LARGE},
    "packet": {Line.NO_SOCKET, Line.NO_FILL, Line.TOO_LARGE},
}
_NOT_THERE["program"] = _NOT_THERE["udp"] | {Line.RING_FULL, Line.WAITING}


def name_of(stage: str, kind: str) -> str:
    """Return a line's name on a kind of path."""
    return NAMES.get(kind, {}).get(stage, stage)


def is_there(stage: str, kind: str) -> bool:
    """Tell whether a path has such a counting point."""
    return stage not in _NOT_THERE.get(kind, ())


def buffer_full(now: Situation, saturated: bool) -> str:
    """Say why a socket's buffer was full, and which knob helps.

    Parameters
    ----------
    now
        The settings.
    saturated
        Whether the worker was busy all the time.
    """
    what = (
        f" came while the socket's buffer was full: its {now.socket_buffer:,} bytes were taken by "
        "packets that the worker had not received yet. "
    )
    size = min(4 * now.socket_buffer, LARGEST_BUFFER)
    larger = f"a larger buffer, Engine(path={now.path!r}, memory=Memory(socket_buffer={size})),"
    apart = (
        ""
        if now.other_core is None or len(now.cpus) > 1
        else f", Engine(path={now.path!r}, cpu={now.other_core})"
    )
    did = now.overflow
    if now.fault:
        why = "The worker has ended."
    elif not now.running:
        why = "The worker is stopped: engine.start() lets it take them."
    elif did and did.stopped:
        why = f"The worker was stopped then: leave it running, or {larger} lets more packets wait."
    elif now.paced:
        why = (
            "The worker was paced, a batch at a time (engine.pace): engine.pace = 0 lets it run as "
            "fast as packets come."
        )
    elif now.generator_cpu in now.cpus:
        why = (
            f"Generator and worker share core {now.generator_cpu}, and one waits while the other "
            f"runs: give them different cores{apart}."
        )
    elif saturated:
        rate = f"lower the rate, {now.slower}," if now.slower else "lower the rate,"
        why = (
            f"It was busy all the time, and path={now.path!r} gets no more through on one core, "
            f"most of it in the kernel: {rate} or take Engine(path='xsk'). A larger socket_buffer "
            "only puts the loss off."
        )
    else:
        why = (
            f"It slept, or something else had its core, and the buffer filled meanwhile: {larger} "
            f"bridges that, and another core for the worker{apart} may avoid it."
        )
    return what + why


def left_over(passed: str, now: Situation) -> str:
    """Say which packets went to the stack and not to the path.

    Parameters
    ----------
    passed
        How many packets, in words.
    now
        The settings.
    """
    if now.kind == "udp":
        return (
            f"{passed} went to the stack as ever: not datagrams for this socket. That is no loss."
        )
    return (
        f"{passed} went to the stack: ARP and IPv6 neighbour discovery, which the program leaves "
        f"to it so that {now.interface} can be reached. That is no loss."
    )


def remainder(unaccounted: str) -> str:
    """Say what may have become of packets that nobody counted between program and socket.

    Parameters
    ----------
    unaccounted
        How many packets, in words.
    """
    return (
        f"{unaccounted} unaccounted for: the XDP program counted them, the socket did not. The "
        "stack is in between: it drops what has a wrong checksum or length or another's address "
        "(`nstat -az` says: IpInDiscards, UdpInErrors), and GRO merges packets of a stream."
    )
