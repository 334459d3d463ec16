"""Checks of lesson 13, Your own NIC."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from xdplab.course.checking import (
    Checks,
    WrongAnswerError,
    a_number,
    a_whole_number,
    called,
    several,
)

_TABLES = ([n % 3 for n in range(128)], [0, 0, 0, 1])
_HASHES = (0, 1, 77, 127, 128, 0x6000_0001, 0x8765_4321, 0xFFFF_FFFF)


def queue_of(function: object) -> None:
    """Check a function that leads a hash to its queue."""
    for table in _TABLES:
        for each in _HASHES:
            queue = a_number(called(function, each, list(table)), "the number of a queue")
            if queue != table[each & len(table) - 1]:
                raise WrongAnswerError(
                    f"hash {each:#010x} and a table of {len(table)} entries, which begins "
                    f"{table[:4]}: queue {queue:g} is not where it leads."
                )


_ENTRIES, _QUEUES = 128, 4  # as the exercise has them
_SHARES: Mapping[int, float] = {0: 0.5, 1: 0.25, 2: 0.25, 3: 0.0}


def table_by_share(answer: object) -> None:
    """Check a table that gives queues their shares."""
    entries = several(answer, f"a list of {_ENTRIES} queues", _ENTRIES)
    queues = [a_whole_number(entry, "the number of a queue") for entry in entries]
    each = Counter(queues)
    if unknown := set(each) - set(range(_QUEUES)):
        raise WrongAnswerError(f"there is no queue {unknown.pop()}.")
    for queue, share in _SHARES.items():
        if each[queue] != share * _ENTRIES:
            raise WrongAnswerError(
                f"queue {queue} gets {each[queue] / _ENTRIES:.1%} of the packets."
            )


_FRAMES, _RATE = 64, 1_000_000  # as the exercise has them


def clock_decides(answer: object) -> None:
    """Check the largest time with which a card's clock decides when it interrupts."""
    usecs = a_whole_number(answer, "a number of microseconds")
    counted = (_FRAMES - 1) * 1_000_000 / _RATE
    if usecs >= counted + 1:
        raise WrongAnswerError(f"within {usecs:,} µs, {_FRAMES} packets have come.")
    if usecs == counted:
        raise WrongAnswerError(f"just then packet number {_FRAMES} comes: both are as early.")
    if usecs != counted - 1:
        raise WrongAnswerError("it can be more.")


_GOOD: Mapping[str, object] = {
    "driver_has_it": True,
    "attach": "native",
    "mtu": 1500,
    "frame_size": 2048,
    "multi_buffer": False,
}
_CASES: tuple[tuple[Mapping[str, object], str], ...] = (
    ({}, ""),
    ({"driver_has_it": False}, "driver"),
    ({"attach": "skb"}, "attach"),
    ({"driver_has_it": False, "attach": "skb", "mtu": 9000}, "driver"),
    ({"attach": "skb", "mtu": 9000}, "attach"),
    ({"mtu": 9000}, "mtu"),
    ({"mtu": 9000, "multi_buffer": True}, ""),
    ({"mtu": 1774}, ""),
    ({"mtu": 1775}, "mtu"),
    ({"mtu": 3800, "frame_size": 4096}, ""),
)


def in_the_way(function: object) -> None:
    """Check a function that says what prevents zero-copy."""
    for facts, wanted in _CASES:
        said = called(function, {**_GOOD, **facts})
        if said != wanted:
            raise WrongAnswerError(f"of { ({**_GOOD, **facts}) } it says {said!r}.")


CHECKS: Checks = {
    "1": queue_of,
    "2": table_by_share,
    "3": clock_decides,
    "4": in_the_way,
}
