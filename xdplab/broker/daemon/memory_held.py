"""The memory that each user holds through the broker, counted by the listener.

Maps, programs and UMEMs live as long as a process holds them, also after their session's end. So
the listener asks the kernel which of them still exist: maps and programs by their ids, a UMEM by
the socket that it was registered for, which an epoll set lists without holding it. (A socket that
shares a UMEM, and outlives that one, is not seen: the kernel lists it for its own namespace alone.)
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from xdplab.broker.daemon.limits import Limits, memory_to_spare
from xdplab.broker.daemon.listener_link import (
    GRANTED,
    MACHINE_HAS_NONE,
    MAP,
    USER_HAS_ITS_SHARE,
    Held,
)
from xdplab.native import lib


def exists(held: Held) -> bool:
    """Tell whether the kernel still has an object. Needs CAP_SYS_ADMIN."""
    return bool(lib.xdplab_bpf_exists(held.kind == MAP, held.number))


class _Reservation(NamedTuple):
    user: int
    size: int
    watching: int = -1
    """The epoll set of the socket that will hold it."""


class Holdings:
    """Grants memory to sessions, and keeps count of its use.

    Parameters
    ----------
    limits
        The most that one user may hold.
    to_spare
        Returns how many bytes the machine can give.
    exists
        Tells whether an object still exists.
    """

    def __init__(
        self,
        limits: Limits,
        to_spare: Callable[[], int] = memory_to_spare,
        exists: Callable[[Held], bool] = exists,
    ) -> None:
        self._limits, self._to_spare, self._exists = limits, to_spare, exists
        self._reserved: dict[int, _Reservation] = {}
        """By session."""
        self._held: defaultdict[int, dict[tuple[bytes, int], Held]] = defaultdict(dict)
        self._pinned: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        """By user: epoll sets and bytes."""

    def reserve(self, session: int, user: int, amount: int) -> bytes:
        """Reserve bytes for an object that a session will make; a reservation that it has ends.

        Returns
        -------
        bytes
            The answer to the session.
        """
        self.end(session)
        if not self._fits(user, amount):
            self._forget_what_is_gone(user)
            if not self._fits(user, amount):
                return USER_HAS_ITS_SHARE
        if sum(each.size for each in self._reserved.values()) + amount > self._to_spare():
            return MACHINE_HAS_NONE
        self._reserved[session] = _Reservation(user, amount)
        return GRANTED

    def keep(self, session: int, made: Iterable[Held]) -> None:
        """Count the objects that were made, in place of the bytes reserved for them."""
        if (reservation := self._reserved.get(session)) is not None:
            objects = {(each.kind, each.number): each for each in made}
            if objects:
                self._held[reservation.user].update(objects)
            self.end(session)

    def watch(self, session: int, watching: int) -> None:
        """Count the reserved bytes until an epoll set, which is taken over, has no socket left.

        Unless the reservation is cancelled: a session that ends may have made the object.
        """
        reservation = self._reserved.get(session)
        if reservation is None or reservation.watching >= 0:
            os.close(watching)
        else:
            self._reserved[session] = reservation._replace(watching=watching)

    @property
    def descriptors(self) -> int:
        """Number of descriptors held here."""
        watching = sum(each.watching >= 0 for each in self._reserved.values())
        return watching + sum(map(len, self._pinned.values()))

    def cancel(self, session: int) -> None:
        """Free the reservation of a session that made nothing of it."""
        reservation = self._reserved.pop(session, None)
        if reservation and reservation.watching >= 0:
            os.close(reservation.watching)

    def end(self, session: int) -> None:
        """Free the reservation of a session; watched bytes still count."""
        reservation = self._reserved.pop(session, None)
        if reservation and reservation.watching >= 0:
            self._pinned[reservation.user].append((reservation.watching, reservation.size))

    def _fits(self, user: int, amount: int) -> bool:
        held = self._held.get(user, {})
        reserved = [each for each in self._reserved.values() if each.user == user]
        pinned = self._pinned.get(user, ())
        size = sum(each.size for each in held.values()) + sum(each.size for each in reserved)
        size += sum(size for _, size in pinned)
        umems = len(pinned) + sum(each.watching >= 0 for each in reserved)
        return (
            size + amount <= self._limits.memory
            and len(held) < self._limits.objects
            and umems < self._limits.umems
        )

    def _forget_what_is_gone(self, user: int) -> None:
        held = self._held.pop(user, {})
        if left := {key: each for key, each in held.items() if self._exists(each)}:
            self._held[user] = left
        self.forget_unpinned(user)

    def forget_unpinned(self, user: int) -> None:
        """Close the epoll sets of UMEMs that are gone."""
        left = []
        for watching, size in self._pinned.pop(user, ()):
            if "tfd:" in Path(f"/proc/self/fdinfo/{watching}").read_text():
                left.append((watching, size))
            else:
                os.close(watching)
        if left:
            self._pinned[user] = left
