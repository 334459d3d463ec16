"""Forbidding io_uring to a thread and to those that it starts."""

from __future__ import annotations

import errno

from support.refused_calls import IO_URING_SETUP, refuse


def forbid_io_uring() -> None:
    """Do to the calling thread what a container's seccomp filter does."""
    refuse(IO_URING_SETUP, errno.EPERM)
