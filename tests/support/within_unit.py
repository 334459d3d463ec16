"""Runs a program with what the broker's unit leaves it: as systemd would, but for its files.

    within_unit.py UNIT PROGRAM [ARGUMENT...]

Capabilities, system calls, address families, namespaces, memory that is written and run, and a
network namespace of its own come from the unit.
"""

from __future__ import annotations

import configparser
import ctypes
import os
import subprocess
import sys

CAPABILITIES = {
    "KILL": 5,
    "SETGID": 6,
    "SETUID": 7,
    "SETPCAP": 8,
    "NET_ADMIN": 12,
    "IPC_LOCK": 14,
    "SYS_ADMIN": 21,
    "PERFMON": 38,
    "BPF": 39,
}
CHOWN = 0
FAMILIES = {"AF_UNIX": 1, "AF_NETLINK": 16}
NEW_NETWORK, OTHER_NAMESPACES = 0x40000000, 0x3E020000
ALLOW, REFUSE, NOT_KNOWN = 0x7FFF0000, 0x00050001, 0x00050026  # EPERM, ENOSYS
EQUAL, MASKED_EQUAL = 4, 7  # enum scmp_compare
LIBC = ctypes.CDLL(None, use_errno=True)


class Condition(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operation", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def calls(sets: list[str]) -> set[str]:
    found: set[str] = set()
    for name in sets:
        if not name.startswith("@"):
            found.add(name)
            continue
        listed = subprocess.run(
            ["systemd-analyze", "syscall-filter", "--no-pager", name],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()[1:]
        found |= calls([each.strip() for each in listed if each.strip() and "#" not in each])
    return found


def filter_calls(allowed: set[str], families: list[int]) -> None:
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    made = ctypes.c_void_p(seccomp.seccomp_init(REFUSE))

    def rule(name: str, *conditions: Condition, action: int = ALLOW) -> None:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            array = (Condition * max(len(conditions), 1))(*conditions)
            seccomp.seccomp_rule_add_array(made, action, number, len(conditions), array)

    special = {"socket", "setns", "unshare", "clone", "clone3"}
    for name in allowed - special:
        rule(name)
    for family in families:
        rule("socket", Condition(0, EQUAL, family, 0))
    rule("setns", Condition(1, EQUAL, NEW_NETWORK, 0))
    for name in ("unshare", "clone"):
        rule(name, Condition(0, MASKED_EQUAL, OTHER_NAMESPACES, 0))
    rule("clone3", action=NOT_KNOWN)
    assert seccomp.seccomp_load(made) == 0


def main() -> None:
    parser = configparser.ConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(sys.argv[1])
    unit = parser["Service"]
    allowed = calls(unit["SystemCallFilter"].split())
    families = [FAMILIES[name] for name in unit["RestrictAddressFamilies"].split()]
    kept = {
        CAPABILITIES[each.removeprefix("CAP_")] for each in unit["CapabilityBoundingSet"].split()
    }
    assert unit["RestrictNamespaces"] == "net"
    if unit["PrivateNetwork"] == "yes":
        assert LIBC.unshare(NEW_NETWORK) == 0
    # And to give the socket to its group, which systemd does otherwise.
    for number in set(range(64)) - kept - {CHOWN}:
        LIBC.prctl(24, number, 0, 0, 0)  # PR_CAPBSET_DROP
    assert LIBC.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    filter_calls(allowed, families)
    if unit["MemoryDenyWriteExecute"] == "yes":
        LIBC.prctl(65, 1, 0, 0, 0)  # PR_SET_MDWE, Linux 6.3
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
