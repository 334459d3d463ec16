"""Taking capabilities away from a program that a test starts."""

from __future__ import annotations

import os


def without(capability: str) -> tuple[str, ...]:
    """Return what to put before a command that is to run without a capability, or without `all`.

    Root's capabilities come from the bounding set. A user's come from the ambient one (that is how
    `make test` hands them on), and a user may not touch the bounding set.
    """
    if os.geteuid() == 0:
        return "setpriv", f"--bounding-set=-{capability}", f"--inh-caps=-{capability}"
    return "setpriv", f"--ambient-caps=-{capability}", f"--inh-caps=-{capability}"
