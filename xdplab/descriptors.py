"""Descriptors that come over a Unix socket (SCM_RIGHTS), closed on exec from the first moment."""

from __future__ import annotations

import array
import socket


def receive_with_descriptors(
    channel: socket.socket, most_bytes: int, most_descriptors: int
) -> tuple[bytes, list[int], int]:
    """Receive bytes and the descriptors beside them, which are the caller's to close.

    As `socket.recv_fds`, which forgets its flags (Python 3.11).

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
