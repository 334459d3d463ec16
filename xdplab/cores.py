"""Which core runs what, unless the user says."""

from __future__ import annotations

import os


def worker_core() -> int:
    """Choose the last core that this process may run on: the first serve interrupts and the rest."""
    return max(os.sched_getaffinity(0))


def generator_core() -> int:
    """Choose a core other than the worker's, and away from the first where there are three."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[-2] if len(cores) > 1 else cores[0]
