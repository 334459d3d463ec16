"""Makes this process a lab process: run as a program by the client, never imported.

A process enters a new user namespace only while it has a single thread, and already numpy's import
starts some. So this file imports only the standard library until then.
"""

import ctypes
import json
import os
import socket
import sys
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h


def become_root() -> None:
    """Enter a new user namespace and a new network namespace, as root in both."""
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    own = Path("/proc/self")
    # Without it a process could leave groups that take rights away (user_namespaces(7)).
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"0 {user} 1")
    (own / "gid_map").write_text(f"0 {group} 1")


def main() -> None:
    """Serve the client whose socket and module path the command line names."""
    client = socket.socket(fileno=int(sys.argv[1]))
    client.set_inheritable(False)
    try:
        become_root()
    except OSError as error:
        client.send(json.dumps({"errno": error.errno}).encode())
        return
    sys.path[:] = json.loads(sys.argv[2])
    from xdplab.backends.lab_process.server import serve  # noqa: PLC0415 - see above

    serve(client)


if __name__ == "__main__":
    main()
