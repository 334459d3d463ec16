"""What each user holds of the machine's memory through the broker, counted by the listener.

Maps, programs and UMEMs live as long as whoever holds them, which a session's end does not change.
So the kernel is asked which of them there still are: maps and programs by their ids, a UMEM by the
socket that it was registered for, which an epoll set knows of without holding it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from xdplab._engine import lib
from xdplab.broker.limits import Limits, memory_to_spare
from xdplab.broker.line import GRANTED, MACHINE_HAS_NONE, MAP, USER_HAS_ITS_SHARE, Held


def exists(held: Held) -> bool:
    """Say whether the kernel still has an object. Needs CAP_SYS_ADMIN."""
    return bool(lib.xdplab_bpf_exists(held.kind == MAP, held.number))


class Holdings:
    """Grants memory to sessions, and remembers what became of it.

    Parameters
    ----------
    limits
        What one user may hold.
    to_spare
        Says how many bytes the machine can give.
    exists
        Says whether an object is still there.
    """

    def __init__(
        self,
        limits: Limits,
        to_spare: Callable[[], int] = memory_to_spare,
        exists: Callable[[Held], bool] = exists,
    ) -> None:
        self._limits, self._to_spare, self._exists = limits, to_spare, exists
        self._reserved: dict[int, tuple[int, int]] = {}
        """Session: user, bytes."""
        self._held: defaultdict[int, dict[tuple[bytes, int], Held]] = defaultdict(dict)
        self._pinned: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        """Of a user: epoll sets, bytes."""

    def reserve(self, session: int, user: int, amount: int) -> bytes:
        """Reserve bytes for what a session is about to make; a reservation that it has is void.

        Returns
        -------
        bytes
            The answer to the session.
        """
        self._reserved.pop(session, None)
        if not self._fits(user, amount):
            self._forget_what_is_gone(user)
            if not self._fits(user, amount):
                return USER_HAS_ITS_SHARE
        if sum(size for _, size in self._reserved.values()) + amount > self._to_spare():
            return MACHINE_HAS_NONE
        self._reserved[session] = user, amount
        return GRANTED

    def keep(self, session: int, made: Iterable[Held]) -> None:
        """Count what was made in the place of what was reserved for it."""
        if (reservation := self._reserved.pop(session, None)) is not None:
            held = self._held[reservation[0]]
            held.update({(each.kind, each.number): each for each in made})

    def watch(self, session: int, watching: int) -> None:
        """Count what was reserved until an epoll set, which is taken over, has no socket left."""
        if (reservation := self._reserved.pop(session, None)) is None:
            os.close(watching)
        else:
            user, amount = reservation
            self._pinned[user].append((watching, amount))

    @property
    def descriptors(self) -> int:
        """How many descriptors are kept here."""
        return sum(map(len, self._pinned.values()))

    def end(self, session: int) -> None:
        """Give up what was reserved for a session."""
        self._reserved.pop(session, None)

    def _fits(self, user: int, amount: int) -> bool:
        held = self._held.get(user, {})
        reserved = sum(size for owner, size in self._reserved.values() if owner == user)
        pinned = self._pinned.get(user, ())
        size = sum(each.size for each in held.values()) + sum(size for _, size in pinned)
        return (
            size + reserved + amount <= self._limits.memory
            and len(held) < self._limits.objects
            and len(pinned) < self._limits.umems
        )

    def _forget_what_is_gone(self, user: int) -> None:
        held = self._held.pop(user, {})
        if left := {key: each for key, each in held.items() if self._exists(each)}:
            self._held[user] = left
        self.forget_unpinned(user)

    def forget_unpinned(self, user: int) -> None:
        """Let go of the epoll sets of UMEMs that are gone."""
        left = []
        for watching, size in self._pinned.pop(user, ()):
            if "tfd:" in Path(f"/proc/self/fdinfo/{watching}").read_text():
                left.append((watching, size))
            else:
                os.close(watching)
        if left:
            self._pinned[user] = left
