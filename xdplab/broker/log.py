"""One line for each operation, to standard error, where systemd's journal takes it up."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from datetime import UTC, datetime

_LONGEST = 300


def log(user: int, operation: str, outcome: str) -> None:
    """Say what a user asked for, and what came of it.

    Parameters
    ----------
    user
        The client's user id.
    operation, outcome
        In words; whatever a client has put into them can't begin a line of its own.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    said = f"{operation}: {outcome}".splitlines()[0][:_LONGEST]
    printable = "".join(each if each.isprintable() else "?" for each in said)
    line = f"{now} user {user} process {os.getpid()} {printable}\n"
    with suppress(OSError):  # nobody listens
        sys.stderr.write(line)
        sys.stderr.flush()
