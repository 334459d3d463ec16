"""Run a command under what docker's seccomp profile refuses that could matter here.

`docker_seccomp.py [--sys-admin] COMMAND...`; with CAP_SYS_ADMIN docker refuses less. Its profile
(moby's profiles/seccomp/default.json) lists what is allowed; here is what that leaves out. Runs on
a bare Python, as root in a container.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

# Numbers of x86-64 and of the architectures that came later (asm-generic/unistd.h).
_COLUMN = 0 if platform.machine() == "x86_64" else 1
_ALWAYS = {
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
}
_WITHOUT_SYS_ADMIN = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
}
_CLONE, _CLONE3 = (56, 220), (435, 435)
_NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW flag of linux/sched.h but CLONE_NEWTIME

# linux/bpf_common.h and linux/seccomp.h
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _FIRST_ARGUMENT = 0, 16  # offsets in struct seccomp_data
_PR_SET_SECCOMP, _FILTER = 22, 2


def instructions(sys_admin: bool) -> bytes:
    """Write the filter as classic BPF."""
    refused = dict(_ALWAYS if sys_admin else {**_ALWAYS, **_WITHOUT_SYS_ADMIN})
    code = [(_LOAD, 0, 0, _NUMBER)]
    for numbers in refused.values():
        code += [(_EQUAL, 0, 1, numbers[_COLUMN]), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    if not sys_admin:
        # What a filter can't look into does not exist, so that libc calls clone instead.
        code += [(_EQUAL, 0, 1, _CLONE3[_COLUMN]), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
        code += [(_EQUAL, 0, 3, _CLONE[_COLUMN]), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
        code += [(_ANY_BIT, 0, 1, _NEW_NAMESPACES), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    code += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("HBBI", *each) for each in code)


def main() -> None:
    """Take up the filter, and become the command."""
    sys_admin = sys.argv[1] == "--sys-admin"
    filters = instructions(sys_admin)
    kept = ctypes.create_string_buffer(filters, len(filters))
    program = struct.pack("HP", len(filters) // 8, ctypes.addressof(kept))
    if ctypes.CDLL(None).prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_FILTER), program) != 0:
        raise SystemExit("the filter was refused")
    command = sys.argv[1 + sys_admin :]
    os.execvp(command[0], command)


main()
