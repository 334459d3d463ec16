"""The kernel's counts of a program's runs, which grow only while someone has turned them on."""

from __future__ import annotations

import os
import weakref
from typing import NamedTuple

from xdplab.core.closing import Closing
from xdplab.core.errors import KernelError, PermissionRefusedError
from xdplab.core.more_power import MORE_POWER
from xdplab.native import ffi, lib

CLOSED = "this program was closed: its runs are counted no more."
"""What is said of a program's counts after its `close`."""


class RunCounts(NamedTuple):
    """How often a program ran while statistics were on, and for how long in all."""

    runs: int
    total_ns: int


class StatisticsOn(Closing):
    """Has the kernel count the runs of all BPF programs, until `close`.

    Raises
    ------
    PermissionRefusedError
        Without CAP_SYS_ADMIN.
    """

    def __init__(self) -> None:
        descriptor = lib.xdplab_statistics_enable()
        if descriptor < 0:
            remedy = f"It needs CAP_SYS_ADMIN: {MORE_POWER}."
            tried = "turn on the kernel's statistics of BPF programs"
            raise PermissionRefusedError(tried, -descriptor, remedy)
        self._closer = weakref.finalize(self, os.close, descriptor)

    def close(self) -> None:
        """Turn them off, unless others have them on. A second call does nothing."""
        self._closer()


def read_runs(program: int) -> RunCounts:
    """Read a program's counts, by its descriptor."""
    native = ffi.new("struct xdplab_program_runs *")
    if code := lib.xdplab_program_runs(program, native):
        raise KernelError("read how often the XDP program ran", -code)
    return RunCounts(native.runs, native.total_ns)
