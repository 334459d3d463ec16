"""What a child of the listener does between its fork and its work: it lets go of all else."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from xdplab.broker.daemon.listener_link import Line

_LINE = 3  # its descriptor of its line; those of its connections follow


def become_child(
    theirs: socket.socket,
    connections: Sequence[socket.socket],
    work: Callable[[list[socket.socket], Line], None],
) -> NoReturn:
    """Do a child's work, and end the process.

    Parameters
    ----------
    theirs
        The child's end of its line to the listener.
    connections
        The clients' connections that it takes over.
    work
        Called with these connections and the line, once the listener agrees.
    """
    status, said = 1, None
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        # Otherwise it would get a terminal's signals, and a lab process would have the terminal.
        os.setsid()
        made, said = _keep_only(theirs, connections)
        if said.begin():
            work(made, said)
        status = 0
    except BaseException:  # of which the listener must know nothing
        if said:
            text = " | ".join(traceback.format_exc().splitlines())
            said.log("session", f"{text[:40]} {text[-200:]}", "session: Traceback")
    finally:
        if said:
            said.end()
        os._exit(status)


def _keep_only(
    theirs: socket.socket, connections: Sequence[socket.socket]
) -> tuple[list[socket.socket], Line]:
    """Close all descriptors but these, also the standard streams, which are the broker's."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    kept = [theirs, *connections]
    first_free = _LINE + len(kept)
    # Copy them out of the way first: the target number of one may be another's.
    copies = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, first_free) for each in kept]
    for place, copy in enumerate(copies, _LINE):
        os.dup2(copy, place, inheritable=False)
    os.closerange(first_free, 1 << 20)
    made = [socket.socket(fileno=_LINE + number) for number in range(len(kept))]
    return made[1:], Line(made[0])
