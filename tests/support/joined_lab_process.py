"""A lab process in the user namespace of somebody else's lab, to look at that from within.

Whoever owns a user namespace may enter it, as its client may; and only from inside of it can a link
be made into its network namespaces.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdplab.net.namespace import Namespace

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
NS_GET_USERNS = 0xB701  # linux/nsfs.h


def namespace_beside(others: Sequence[Namespace]) -> Namespace:
    """Make a network namespace that links can lead from into those given, which belong together."""
    from xdplab.backends import KERNEL
    from xdplab.backends.lab_process.client import LabProcess
    from xdplab.net.namespace import Namespace

    if not KERNEL.refusal():
        return Namespace.create()
    if not others:
        return LabProcess().create_namespace()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    descriptors = [theirs.fileno(), others[0].fd]
    arguments = [*map(str, descriptors), json.dumps(sys.path)]
    with theirs:
        subprocess.Popen([sys.executable, "-P", __file__, *arguments], pass_fds=descriptors)
    return LabProcess(ours).create_namespace()


def main() -> None:
    """Enter the user namespace that owns a network namespace, and serve."""
    client, network, path = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    owner = fcntl.ioctl(int(network), NS_GET_USERNS)
    os.close(int(network))
    if libc.setns(owner, CLONE_NEWUSER) or libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "enter the user namespace of a lab")
    os.close(owner)
    sys.path[:] = json.loads(path)
    from xdplab.backends.lab_process.server import serve

    serve(socket.socket(fileno=int(client)))


if __name__ == "__main__":
    # Numpy's import starts threads, and a process with several can't enter a user namespace.
    main()
