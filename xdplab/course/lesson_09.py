"""Checks of lesson 09, A load balancer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable

import cloudpickle

from xdplab.course.checking import Checks, WrongAnswerError, a_number, called, is_share, several

_BEFORE, _AFTER = 5, 4  # servers, as the exercise has them


def share_that_moves(answer: object) -> None:
    """Check which share of the connections moves when a server of a modulus goes."""
    hashes = range(_BEFORE * _AFTER)
    moves = sum(each % _BEFORE != each % _AFTER for each in hashes) / len(hashes)
    if is_share(answer, moves):
        return
    if is_share(answer, 1 / _BEFORE):
        raise WrongAnswerError("so many were at the server that went. Do the others stay?")
    share = a_number(answer, "a share")
    if share >= 1:
        raise WrongAnswerError("some hashes have the same remainder by both numbers.")
    raise WrongAnswerError(f"{share:g} is not it: for which hashes are both remainders the same?")


_SERVERS = ("one", "two", "three", "four")
_KEYS = [f"198.18.0.{n % 250}:{1024 + n}" for n in range(2000)]
_FAIR = (0.7, 1.3)  # of an equal share; by chance it is within 8 %, but once in 100 runs


def by_score(function: object) -> None:
    """Check a function that chooses by the highest score."""
    first = _choices(function, _SERVERS)
    if any(server not in _SERVERS for server in first):
        raise WrongAnswerError("what it returns is not always one of the servers.")
    if first != _choices(function, _SERVERS):
        raise WrongAnswerError("for the same servers and key it does not always say the same.")
    each = Counter(first)
    for server in _SERVERS:
        fair = len(_KEYS) / len(_SERVERS)
        if not _FAIR[0] * fair < each[server] < _FAIR[1] * fair:
            raise WrongAnswerError(f"of {len(_KEYS)} keys one server gets {each[server]}.")
    for gone in _SERVERS:
        left = [server for server in _SERVERS if server != gone]
        others = [at for at, server in enumerate(first) if server != gone]
        after = _choices(function, left)
        if moved := sum(first[at] != after[at] for at in others):
            raise WrongAnswerError(
                f"when a server goes, {moved} of the other servers' {len(others)} keys move."
            )
    if first != _choices(function, _SERVERS[::-1]):
        raise WrongAnswerError("in another order, the same servers get other keys.")
    if first != _choices_elsewhere(function):
        raise WrongAnswerError("in another process it says something else.")


def _choices(function: object, servers: Iterable[str]) -> list[object]:
    given = list(servers)
    return [called(function, list(given), key) for key in _KEYS]


_ELSEWHERE = """
import json, pickle, sys
choose, servers, keys = pickle.load(sys.stdin.buffer)
json.dump([choose(list(servers), key) for key in keys], sys.stdout)
"""
_SEED = "PYTHONHASHSEED"  # salts Python's hash of a text


def _choices_elsewhere(function: object) -> object:
    """Return what a function chooses in a process with another salt for `hash`."""
    seed = "2" if os.environ.get(_SEED) == "1" else "1"
    child = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE],
        input=cloudpickle.dumps((function, _SERVERS, _KEYS)),
        env={**os.environ, _SEED: seed},
        capture_output=True,
        check=False,
    )
    if child.returncode:
        *_, why = child.stderr.decode().splitlines()
        raise WrongAnswerError(f"in another process your function failed: {why}")
    return json.loads(child.stdout)


_WEIGHTS, _ENTRIES = (3, 2, 1, 0), 16_380


def entries_by_weight(answer: object) -> None:
    """Check how many entries of a table servers get by their weight."""
    parts = several(answer, "a list of four numbers", len(_WEIGHTS))
    entries = [a_number(each, "a number of entries") for each in parts]
    if sum(entries) != _ENTRIES:
        raise WrongAnswerError(f"together they have {sum(entries):g} entries.")
    for weight, has in zip(_WEIGHTS, entries, strict=True):
        if has * sum(_WEIGHTS) != _ENTRIES * weight:
            raise WrongAnswerError(f"{has:g} entries are not the share of weight {weight}.")


CHECKS: Checks = {"1": share_that_moves, "2": by_score, "3": entries_by_weight}
