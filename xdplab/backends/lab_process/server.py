"""The lab process's side: runs functions, each on its own thread, until the client is gone.

```
    client's socket   a message a call, with a socket beside it that is the call's own
    call's socket     the function comes in, what became of it goes out
```
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from xdplab.backends.lab_process.messages import receive, send
from xdplab.core.descriptors import receive_with_descriptors
from xdplab.core.errors import XdplabError

READY, CALL, END = b"ready", b"call", b"end"
_SO_PEERPIDFD = 77  # asm-generic/socket.h, Linux 6.5
_CREDENTIALS = struct.Struct("=iII")  # struct ucred


def serve(client: socket.socket) -> None:
    """Serve a client until it closes its socket, says so, or dies; never returns.

    The calling process must be root in its own network namespaces, and do nothing else: it ends
    with this call, and so do the processes that it started.

    Parameters
    ----------
    client
        A connected socket that keeps messages apart (SOCK_SEQPACKET).
    """
    try:
        life = _life_of(client)
        client.send(READY)
        while _next_call(client, life):
            pass
    finally:
        _end_children()
        # Calls may still be running, on threads that nobody waits for.
        os._exit(0)


def prepare(path: list[str], directory: str) -> None:
    """Use the client's module path and working directory. The client calls it once."""
    sys.path += [place for place in path if place not in sys.path]
    with suppress(OSError):
        os.chdir(directory)


def _life_of(client: socket.socket) -> int:
    """Open a descriptor that becomes readable when the client has died.

    A forked child of the client holds the socket open, so the socket's end would not tell.
    """
    with suppress(OSError):
        return client.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    size = _CREDENTIALS.size
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return os.pidfd_open(_CREDENTIALS.unpack(credentials)[0])


def _next_call(client: socket.socket, life: int) -> bool:
    if life in select.select([client.fileno(), life], [], [])[0]:
        return False
    try:
        message, descriptors, _ = receive_with_descriptors(client, len(READY), 1)
    except ConnectionResetError:
        return False
    if message != CALL:
        return False
    for descriptor in descriptors:  # none where none was left: the client sees the call's end
        call = socket.socket(fileno=descriptor)
        threading.Thread(target=_answer, args=[call], name="xdplab-call", daemon=True).start()
    return True


def _answer(call: socket.socket) -> None:
    # The caller may have been interrupted, and be gone.
    with call, suppress(OSError, EOFError):
        try:
            answer = _run(call)
        except (EOFError, ConnectionResetError):
            return
        try:
            send(call, answer)
        except XdplabError as error:
            send(call, (None, error))


def _run(call: socket.socket) -> tuple[Any, BaseException | None]:
    """Run a call's function; return its result and its exception."""
    try:
        function, args, kwargs = receive(call)
    except OSError as error:
        return None, error
    try:
        return function(*args, **kwargs), None
    except BaseException as error:
        if not isinstance(error, XdplabError):
            error.add_note(f"Raised in the lab's process:\n{traceback.format_exc()}")
        _forget_frames(error)
        return None, error


def _forget_frames(error: BaseException | None) -> None:
    """Release namespaces and sockets that an error's frames hold, often in a reference cycle."""
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


def _end_children() -> None:
    """Kill processes that calls have started and left behind."""
    for process in _descendants(os.getpid()):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _descendants(process: int) -> list[int]:
    found = []
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [child, *_descendants(child)]
    return found
