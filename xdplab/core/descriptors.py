"""Descriptors: those that come over a Unix socket (SCM_RIGHTS), and those that are left."""

from __future__ import annotations

import array
import os
import socket


def receive_with_descriptors(
    channel: socket.socket, most_bytes: int, most_descriptors: int
) -> tuple[bytes, list[int], int]:
    """Receive bytes and the descriptors beside them, which are the caller's to close.

    They are closed on exec from the first moment. As `socket.recv_fds`, which forgets its flags
    (Python 3.11).

    Returns
    -------
    tuple
        What came, the descriptors, and the flags of recvmsg(2), such as MSG_CTRUNC.
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

    For what can't be made without them and, half made, complains as it is taken apart: asyncio's
    event loop, which each netlink socket of pyroute2's has.
    """
    spare: list[int] = []
    try:
        for _ in range(count):
            spare.append(os.eventfd(0))
    finally:
        for descriptor in spare:
            os.close(descriptor)
