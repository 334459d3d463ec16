"""Descriptors: receiving them over a Unix socket (SCM_RIGHTS), and how many are left."""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Iterable


def receive_with_descriptors(
    channel: socket.socket, most_bytes: int, most_descriptors: int
) -> tuple[bytes, list[int], int]:
    """Receive bytes and the descriptors beside them; the caller closes these.

    They are close-on-exec from the first moment. Like `socket.recv_fds`, which ignores its flags
    (Python 3.11).

    Returns
    -------
    tuple
        The bytes, the descriptors, and the flags of recvmsg(2), such as MSG_CTRUNC.
    """
    descriptors = array.array("i")
    message, ancillary, flags, _address = channel.recvmsg(
        most_bytes,
        socket.CMSG_LEN(most_descriptors * descriptors.itemsize),
        socket.MSG_CMSG_CLOEXEC,
    )
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    return message, list(descriptors), flags


def check_spare(count: int) -> None:
    """Raise OSError unless this process can have so many more descriptors.

    For asyncio's event loop, which each netlink socket of pyroute2's has: without descriptors it is
    made by half, and prints an error when it is destroyed.
    """
    spare: list[int] = []
    try:
        for _ in range(count):
            spare.append(os.eventfd(0))
    finally:
        for descriptor in spare:
            os.close(descriptor)


def close_all(descriptors: Iterable[int]) -> None:
    """Close descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)
