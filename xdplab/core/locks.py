"""Locks that work in a forked child, too.

A child has only the thread that forked. A lock that another thread held at that moment would stay
locked in the child for ever, so each lock made here is replaced by a new one in a forked child.
"""

from __future__ import annotations

import os
import threading
from typing import Any
from weakref import WeakSet

_locks: WeakSet[Any] = WeakSet()


def new_lock() -> threading.RLock:
    """Make a lock that its holder may take again, and that no forked child inherits locked."""
    lock = threading.RLock()
    _locks.add(lock)
    return lock


def _renew() -> None:
    for lock in list(_locks):
        if not lock._is_owned():  # the thread that forked releases what it holds
            lock._at_fork_reinit()


os.register_at_fork(after_in_child=_renew)
