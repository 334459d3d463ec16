"""Refusals of the broker to which this process adds what it sees of the interface."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from xdplab.core.errors import KernelError
from xdplab.native import lib
from xdplab.refusals.errors import error_at
from xdplab.refusals.remedies import Place

# Errors of attaching that depend on what is on the interface already, or on its settings.
_TOLD_HERE = (errno.EBUSY, errno.EEXIST, errno.ERANGE, errno.ENOSPC)


@contextmanager
def told_here(place: Place) -> Iterator[None]:
    """Say what helps against a refusal to attach: the broker does not look at who else is there."""
    try:
        yield
    except KernelError as refused:
        if refused.errno not in _TOLD_HERE:
            raise
        step = lib.XDPLAB_STEP_ATTACH_PROGRAM
        raise error_at(step, refused.errno, refused.tried, place=place) from refused
