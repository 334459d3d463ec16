"""System calls that a thread, and those that it starts, are refused, as by a container's filter."""

from __future__ import annotations

import ctypes
import struct

IO_URING_SETUP, IO_URING_REGISTER = 425, 427
BPF, SOCKET, SETSOCKOPT = 321, 41, 54

_LOAD, _IF_EQUAL, _ANSWER = 0x20, 0x15, 0x06
_ERRNO, _ALLOW = 0x00050000, 0x7FFF0000  # SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW


def refuse(call: int, code: int, argument: tuple[int, int] | None = None) -> None:
    """Have the kernel answer a system call of the calling thread with an errno, on x86-64.

    Parameters
    ----------
    call
        Its number.
    code
        The errno.
    argument
        Place and value of an argument: then only calls with it are refused.
    """
    refusal = [(_ANSWER, 0, 0, _ERRNO | code), (_ANSWER, 0, 0, _ALLOW)]
    if argument is not None:
        place, value = argument
        # The lower half of a 64-bit argument.
        refusal = [(_LOAD, 0, 0, 16 + 8 * place), (_IF_EQUAL, 0, 1, value), *refusal]
    words = [(_LOAD, 0, 0, 0), (_IF_EQUAL, 0, len(refusal) - 1, call), *refusal]
    filters = b"".join(struct.pack("HBBI", *word) for word in words)
    kept = ctypes.create_string_buffer(filters, len(filters))
    program = struct.pack("HP", len(words), ctypes.addressof(kept))
    libc = ctypes.CDLL(None)
    assert libc.prctl(38, *map(ctypes.c_ulong, (1, 0, 0, 0))) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, ctypes.c_ulong(2), program) == 0  # PR_SET_SECCOMP, filter
