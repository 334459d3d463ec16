"""The lines of a ledger: what its counting points are called, on each kind of path."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Line(StrEnum):
    """The counting points' names, in the order in which a packet meets them."""

    SENT = "sent by the generator"
    ASKED = "asked of the generator"
    TOO_LONG = "longer than the wire's MTU"
    WIRE_FULL = "wire full"
    OTHERS = "sent by others"
    ON_WIRE = "on the wire when it began"
    DEVICE = "seen by the device"
    STACK = "left to the stack"
    UNMATCHED = "not taken by match"
    RECONFIGURING = "while it was reconfigured"
    NO_SOCKET = "no socket on the queue"
    PROGRAM_DROPPED = "dropped by your program"
    PROGRAM_SENT = "sent back by your program"
    PROGRAM_REDIRECTED = "redirected elsewhere by your program"
    PROGRAM_OTHERS = "passed, dropped or sent on by your program"
    REDIRECTED = "redirected to the socket"
    BEGUN = "on the way when it began"
    RING_FULL = "RX ring full"
    NO_FILL = "no fill descriptor"
    TOO_LARGE = "larger than a UMEM frame"
    TOO_MANY = "of more frames than a packet may have"
    RX_CLOSED = "in an RX ring that was closed"
    WAITING = "waiting in the RX ring"
    RECEIVED = "received by the worker"
    HANDLER_REFUSED = "verdict of the handler refused"
    HANDLER_UNKNOWN = "no verdict of the handler"
    HANDED = "handed to the TX ring"
    FINISHED = "checksum finished"
    UNFINISHED = "checksum unfinished"
    LEFT_TO_DEVICE = "checksum left to the device"
    OVERSIZED = "too long to be sent"
    TX_BEGUN = "being sent when it began"
    TX_WAITING = "waiting in the TX ring"
    TX_CLOSED = "in a TX ring that was closed"
    TX_INVALID = "invalid TX descriptor"
    TAKEN = "taken by the kernel"
    PENDING = "awaiting completion"
    COMPLETED = "completed"
    TX_DROPPED = "dropped by the device"
    TX_OTHERS = "sent by its own host"
    FAR_END = "received at the far end"


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
