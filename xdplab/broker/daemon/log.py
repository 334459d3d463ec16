"""The broker's log: lines on standard error, for systemd's journal."""

from __future__ import annotations

import sys
import time
from collections.abc import Hashable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Generic, TypeVar

_LONGEST = 300
_MOST_KINDS = 4096

Kind = TypeVar("Kind", bound=Hashable)


class Limiter(Generic[Kind]):
    """Rate limit: lets one line of a kind pass in a while, and counts the others."""

    def __init__(self, quiet_seconds: float) -> None:
        self._quiet_seconds = quiet_seconds
        # The time of the last line written, and the number kept back since.
        self._kinds: dict[Kind, tuple[float, int]] = {}

    def admit(self, kind: Kind, count: int = 1) -> bool:
        """Tell whether a line may be written; `count` is the number of lines that it stands for.

        Write the lines of `kept_back` first.
        """
        now = time.monotonic()
        began, kept_back = self._kinds.get(kind, (now - self._quiet_seconds, 0))
        if now - began < self._quiet_seconds or len(self._kinds) >= _MOST_KINDS:
            if kind in self._kinds:
                self._kinds[kind] = began, kept_back + count
            return False
        self._kinds[kind] = now, 0
        return True

    def kept_back(self, *, all_of_them: bool = False) -> list[tuple[Kind, int]]:
        """Take the kinds whose quiet time is over, with the number of lines kept back of each."""
        now = time.monotonic()
        over = {
            kind: count
            for kind, (began, count) in self._kinds.items()
            if all_of_them or now - began >= self._quiet_seconds
        }
        for kind in over:
            del self._kinds[kind]
        return [(kind, count) for kind, count in over.items() if count]

    def __bool__(self) -> bool:
        """Tell whether `kept_back` may return something later."""
        return bool(self._kinds)


def log(user: int, process: int, operation: str, outcome: str) -> None:
    """Write a user's request and its outcome.

    Parameters
    ----------
    user
        The client's user id.
    process
        Process id of its session.
    operation, outcome
        In words; text by a client can't start a new line in them.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    lines = f"{operation}: {outcome}".splitlines()
    said = (lines[0] if lines else "")[:_LONGEST]
    printable = "".join(each if each.isprintable() else "?" for each in said)
    line = f"{now} user {user} process {process} {printable}\n"
    with suppress(OSError):  # nobody listens
        sys.stderr.write(line)
        sys.stderr.flush()
