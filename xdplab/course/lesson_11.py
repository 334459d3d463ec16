"""Checks of lesson 11, Thread per core."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, ItemsView, Iterator, KeysView, Sequence, ValuesView
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from xdplab.core.errors import XdplabError
from xdplab.course.checking import (
    Checks,
    WrongAnswerError,
    a_number,
    a_whole_number,
    called,
    is_share,
    letters,
)
from xdplab.engine.engine import Engine
from xdplab.lab.lab import Lab
from xdplab.xdp.gallery import GALLERY
from xdplab.xdp.program import Program

_SHARDS = 4
_PATIENCE, _LOOK_AGAIN = 10.0, 0.01  # seconds

_SEVERAL = {"c", "d"}
_WHY = {
    "a": "reads one value and writes it. Who does both?",
    "b": "reads one value and writes it, or does not. Who does both?",
    "c": "concerns two keys. Do they have the same owner?",
    "d": "concerns many keys. Who has them?",
    "e": "reads one value and removes it. Who does both?",
}


def need_several(answer: object) -> None:
    """Check which requests concern more than one shard."""
    named = letters(answer, _WHY)
    for letter in sorted(_WHY):
        if (letter in named) != (letter in _SEVERAL):
            raise WrongAnswerError(f"look at {letter} again: it {_WHY[letter]}")


_HOT, _OF = 0.4, 8  # as the exercise has them


def share_of_the_busiest(answer: object) -> None:
    """Check which share the shard serves that has the hot key."""
    if is_share(answer, _HOT + (1 - _HOT) / _OF):
        return
    if is_share(answer, _HOT):
        raise WrongAnswerError("that shard serves other keys, too.")
    share = a_number(answer, "a share")
    if share < _HOT:
        raise WrongAnswerError("all requests about the one key go to the same shard.")
    raise WrongAnswerError(f"{share:g} is not it: the other requests are spread over all shards.")


_USERS = 30
_PORT = 7400


def _request(user: int, turn: int) -> bytes:
    name, article = f"user {user:03}".encode(), f"{turn:02}. item".encode()
    version, operation = bytes([0, turn % 2]), b"P" if turn % 2 else b"B"
    return version + operation + name + article + turn.to_bytes(4)


def owner_by_user(key_at: object, key_bytes: object) -> None:
    """Check by which bytes of a request the sharder finds the shard that has a user's basket."""
    with Lab() as lab, ExitStack() as stack:
        try:
            constants = {"port": _PORT, "shards": _SHARDS, "key_at": key_at, "key_bytes": key_bytes}
            program = stack.enter_context(
                Program(GALLERY["sharder"], lab.port, constants=constants)
            )
        except XdplabError as refusal:
            raise WrongAnswerError(f"the program refused them: {refusal}") from refusal
        engine = stack.enter_context(Engine(lab.port, program=program, sockets=_SHARDS))
        of_one = _served(lab, engine, [_request(1, turn) for turn in range(_USERS)])
        of_all = _served(lab, engine, [_request(user, 0) for user in range(_USERS)])
    if sum(share > 0 for share in of_one) > 1:
        raise WrongAnswerError(f"the requests of one user went to several shards: {of_one}.")
    if not all(of_all):
        raise WrongAnswerError(f"the requests of {_USERS} users went to these shards: {of_all}.")


def _served(lab: Lab, engine: Engine, requests: Sequence[bytes]) -> list[int]:
    """Send requests to a service, and return how many of them came to each of its sockets."""
    before = _received(engine)
    with lab.peer.socket() as client:
        for request in requests:
            client.sendto(request, (lab.port.ipv4, _PORT))
    deadline = time.monotonic() + _PATIENCE
    while (came := sum(_received(engine)) - sum(before)) < len(requests):
        if time.monotonic() > deadline:
            raise WrongAnswerError(f"of {len(requests)} requests {came} came to a shard.")
        time.sleep(_LOOK_AGAIN)
    return [after - each for each, after in zip(before, _received(engine), strict=True)]


def _received(engine: Engine) -> list[int]:
    return [int(engine.telemetry.counters(n)["rx_packets"]) for n in range(_SHARDS)]


_READS_LATER = (KeysView, ValuesView, ItemsView, Iterator)


class _Shard:
    """A shard with a thread and a table of its own, which notes who else touches the table."""

    def __init__(self, table: dict[str, int]) -> None:
        self._own, self._thread = table, ThreadPoolExecutor(1)
        self._owner = self._thread.submit(threading.get_ident).result()
        self.is_shared, self.was_asked = False, False

    @property
    def table(self) -> dict[str, int]:
        """The table, for its owner."""
        self.is_shared |= threading.get_ident() != self._owner
        return self._own

    def ask(self, function: Callable[[dict[str, int]], Any]) -> Future[Any]:
        """Have the shard call a function with its table; return a Future of the result."""
        self.was_asked = True
        return self._thread.submit(self._answer, function)

    def _answer(self, function: Callable[[dict[str, int]], Any]) -> Any:
        result = function(self._own)
        # A view and an iterator read the table when its owner may be writing into it.
        self.is_shared |= result is self._own or isinstance(result, _READS_LATER)
        return result

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()


_TABLES: tuple[dict[str, int], ...] = (
    {"a": 100, "b": 101},
    {"c": 7},
    {},
    {"d": 500, "e": 400, "f": -1000},
)
_ABOVE = 3


def asks_all(function: object) -> None:
    """Check a function that counts in all shards, without touching what is theirs."""
    shards = [_Shard(dict(table)) for table in _TABLES]
    try:
        counted = a_whole_number(called(function, shards), "a number of keys")
    finally:
        for shard in shards:
            shard.close()
    if any(shard.is_shared for shard in shards):
        raise WrongAnswerError("your thread held the table of a shard, which may write into it.")
    if not all(shard.was_asked for shard in shards):
        raise WrongAnswerError("not every shard was asked.")
    if counted != _ABOVE:
        raise WrongAnswerError(f"it returns {counted:,} for the tables {_TABLES}.")


CHECKS: Checks = {
    "1": need_several,
    "2": share_of_the_busiest,
    "3": owner_by_user,
    "4": asks_all,
}
