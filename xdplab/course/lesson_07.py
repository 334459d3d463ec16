"""Checks of lesson 07, Every path compared."""

from __future__ import annotations

from collections.abc import Mapping

from xdplab.course.checking import Checks, WrongAnswerError, a_number, an, called
from xdplab.native.paths import PATHS

_UDP = ("udp-blocking", "udp-epoll", "udp-uring")
_FITS: tuple[tuple[str, ...], ...] = (
    ("packet", "packet-mmap"),
    ("xdp",),
    ("xsk",),
    _UDP,
)
_AGAINST: tuple[Mapping[str, str], ...] = (
    {
        "udp": "the monitor gets only what is sent to a port of its own",
        "xsk": "the web server gets no packet any more",
        "xdp": "no packet reaches a program that could record it",
    },
    {
        "udp": "the stack does all of its work for each packet of the attack",
        "packet": "each packet of the attack is copied, and the stack handles it as well",
        "xsk": "each packet of the attack still costs a program time",
    },
    {
        "udp": "the stack, which does not keep up, handles each datagram first",
        "packet": "the stack, which does not keep up, handles each datagram as well",
        "xdp": "no datagram reaches the program",
    },
    {
        "packet": "the name server needs a privilege, and gets frames instead of questions",
        "xsk": "the name server needs a privilege, and gets frames instead of questions",
        "xdp": "no question reaches the name server",
    },
)
"""What speaks against the paths of a kind for each of the needs."""


def fitting(*answer: object) -> None:
    """Check a path for each of the needs."""
    for letter, given, fits, against in zip("abcd", answer, _FITS, _AGAINST, strict=True):
        path = an(str, given, "the name of a path")
        if path not in PATHS:
            raise WrongAnswerError(f"{letter}: {path!r} is no path of `PATHS`.")
        if path not in fits:
            kind = path.partition("-")[0]
            raise WrongAnswerError(f"{letter}: with {path}, {against[kind]}.")


_ETHERNET, _IPV4, _UDP_HEADER = 14, 20, 8  # bytes
_FRAMES = ("xsk", "packet-mmap", "udp-epoll")


def payload_begins(*answer: object) -> None:
    """Check where a payload begins in what each path hands over."""
    for path, given in zip(_FRAMES, answer, strict=True):
        at = a_number(given, "a number of bytes")
        right = 0 if path in _UDP else _ETHERNET + _IPV4 + _UDP_HEADER
        if at == right:
            continue
        if path in _UDP:
            raise WrongAnswerError(f"{path}: who has read the headers before this program?")
        if at == 0:
            raise WrongAnswerError(f"{path}: nobody has read the headers before this program.")
        if at < right:
            raise WrongAnswerError(f"{path}: at byte {at:g} there is still a header.")
        raise WrongAnswerError(f"{path}: before byte {at:g} the payload has begun already.")


_MEASURED: tuple[tuple[str, float, float, float], ...] = (
    ("udp-epoll", 0.0, 900.0, 2500.0),
    ("packet", 0.0, 1800.0, 900.0),
    ("packet-mmap", 0.0, 950.0, 1500.0),
    ("xsk", 3.5, 200.0, 300.0),
)
"""Path, percent lost, and ns a packet of worker and softirqs: figures of no machine."""


def cheapest(function: object) -> None:
    """Check a function that chooses the path which costs the machine least."""
    for lost, wanted, case in (
        (0.0, "packet-mmap", "one path loses packets, and the cheapest worker is not the cheapest"),
        (1.0, None, "each path loses some"),
    ):
        names = ("path", "lost_percent", "cpu_ns_per_packet", "softirq_ns_per_packet")
        rows = [
            dict(zip(names, (path, max(percent, lost), *spent), strict=True))
            for path, percent, *spent in _MEASURED
        ]
        chosen = called(function, rows, may_return_none=wanted is None)
        if chosen != wanted:
            raise WrongAnswerError(f"where {case}, it chooses {chosen!r}.")


CHECKS: Checks = {"1": fitting, "2": payload_begins, "3": cheapest}
