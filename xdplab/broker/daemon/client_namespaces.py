"""The network namespaces that a client's processes hold: where a lent interface may be.

A namespace is found by a process or thread in it, a descriptor, or a mount (as `ip netns` makes),
as far as the client's own user may look, and only where it belongs to the client.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xdplab.broker.daemon.confinement import check_namespace
from xdplab.core.errors import XdplabError


def namespaces_of(user: int, group: int) -> Iterator[int]:
    """Yield a descriptor of each network namespace of a user's own, open until the next one.

    Needs CAP_SETUID and CAP_SETGID. Real and saved user stay root, so that the client can't signal
    the calling process meanwhile.
    """
    seen = set[int]()
    with _as_user(user, group):
        places = list(_places())
    for place in places:
        with _as_user(user, group):
            descriptor = _open_new(place, seen)
        if descriptor is not None:
            yield from _if_own(descriptor, user)


def _open_new(place: str, seen: set[int]) -> int | None:
    """Open a namespace that was not seen before."""
    with suppress(OSError):
        # O_PATH: a path that was a namespace a moment ago may now be a file whose open blocks.
        path = os.open(place, os.O_PATH | os.O_CLOEXEC)
        try:
            status = os.fstat(path)
            if status.st_dev == _namespaces() and status.st_ino not in seen:
                seen.add(status.st_ino)
                return os.open(f"/proc/self/fd/{path}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(path)
    return None


def _namespaces() -> int:
    """Return the device number of the file system that has all namespaces."""
    return Path("/proc/self/ns/net").stat().st_dev


def _if_own(descriptor: int, user: int) -> Iterator[int]:
    try:
        with suppress(XdplabError):
            check_namespace(descriptor, user)
            yield descriptor
    finally:
        os.close(descriptor)


def _places() -> Iterator[str]:
    """List the paths below /proc at which namespaces may be."""
    processes = [each for each in os.listdir("/proc") if each.isdigit()]  # noqa: PTH208
    for process in processes:
        with suppress(OSError):
            for task in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208
                yield f"/proc/{process}/task/{task}/ns/net"
        with suppress(OSError):
            for descriptor in Path(f"/proc/{process}/fd").iterdir():
                if str(descriptor.readlink()).startswith("net:["):
                    yield str(descriptor)
    for process in processes:  # last, as the way to a mount may lead through anything
        with suppress(OSError):
            for line in Path(f"/proc/{process}/mountinfo").read_text().splitlines():
                fields = line.split()
                if fields[3].startswith("net:["):
                    yield f"/proc/{process}/root{fields[4]}"


@contextmanager
def _as_user(user: int, group: int) -> Iterator[None]:
    os.setegid(group)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
