"""Clients of the broker: other users, in processes of their own."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

NOBODY = 65534
SERVED = 65534  # the group nogroup, which Debian and Ubuntu have
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # linux/sched.h

Result = TypeVar("Result")


def as_user(
    function: Callable[[], Result],
    user: int = NOBODY,
    group: int = SERVED,
    groups: Collection[int] = (),
) -> Result:
    """Call a function in a process of another user's, and return what it returned."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        said: tuple[bool, Any]
        try:
            _become(user, group, groups)
            said = True, function()
        except BaseException:
            said = False, traceback.format_exc()
        try:
            with os.fdopen(theirs, "wb") as pipe:
                pickle.dump(said, pipe)
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    assert answer, "the client died"
    worked, result = pickle.loads(answer)
    assert worked, result
    return result  # type: ignore[no-any-return]


class Puppet:
    """A client that is still there; it says how far it is."""

    def __init__(self, process: int, reports: int) -> None:
        self.process, self._reports = process, reports

    def report(self) -> str:
        """Wait for what the client says next; "" where it has ended."""
        line = b""
        while not line.endswith(b"\n"):
            letter = os.read(self._reports, 1)
            if not letter:
                return ""
            line += letter
        return line.decode().strip()

    def kill(self) -> None:
        """End it as the kernel does: without a chance to say goodbye."""
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        self.process = 0


Report = Callable[[str], None]


@contextmanager
def puppet(function: Callable[[Report], object], user: int = NOBODY) -> Iterator[Puppet]:
    """Call a function in a process of another user's, which stays when it has returned."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)

        def report(what: str) -> None:
            os.write(theirs, f"{what}\n".encode())

        try:
            _become(user, SERVED, ())
            held = function(report)
            report("done")
        except BaseException:
            report(traceback.format_exc().replace("\n", "; "))
        while True:
            signal.pause()
            del held
    os.close(theirs)
    made = Puppet(child, ours)
    try:
        yield made
    finally:
        if made.process:
            made.kill()
        os.close(ours)


def own_network() -> int:
    """Enter a user and a network namespace of one's own, and return the latter's descriptor."""
    user, group = os.getuid(), os.getgid()
    _unshare(_NEW_USER | _NEW_NETWORK)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    return os.open("/proc/self/ns/net", os.O_RDONLY)


def make_veth(queues: int = 1) -> tuple[int, int]:
    """Make a veth pair, `port0` and `peer0`, and return their indices."""
    from pyroute2 import IPRoute

    sizes = {"num_tx_queues": queues, "num_rx_queues": queues}
    with IPRoute() as route:
        peer = {"ifname": "peer0", **sizes}
        route.link("add", kind="veth", ifname="port0", **sizes, peer=peer)
        port, other = (route.link_lookup(ifname=name)[0] for name in ("port0", "peer0"))
        for index in (1, port, other):
            route.link("set", index=index, state="up")
    return port, other


def _become(user: int, group: int, groups: Collection[int]) -> None:
    os.setgroups(list(groups))
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    # Or what is below /proc/self would still be root's.
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
    with suppress(OSError):
        os.chdir("/")


def _unshare(what: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(what):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
