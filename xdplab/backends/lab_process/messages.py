"""Messages of a client and its lab process: pickled objects, with descriptors beside them.

```
    header: bytes of the pickle, number of descriptors     (the descriptors beside it, SCM_RIGHTS)
    pickle: functions and objects; a namespace or a socket is the number of its descriptor
```

A network namespace is only its descriptor, so it is the same in each process, and no process keeps
a list of namespaces. Functions of a notebook's cells travel whole (cloudpickle).
"""

from __future__ import annotations

import errno
import io
import os
import pickle
import socket
import struct
from collections.abc import Callable
from typing import Any

import cloudpickle

from xdplab.core.descriptors import receive_with_descriptors
from xdplab.core.errors import KernelError, XdplabError
from xdplab.core.own_limits import more_descriptors
from xdplab.net.namespace import Namespace

_HEADER = struct.Struct("=QI")
_MOST_DESCRIPTORS = 253  # SCM_MAX_FD, include/net/scm.h


def send(channel: socket.socket, thing: object) -> None:
    """Send an object. Its sockets and namespaces stay the sender's own, too.

    Raises
    ------
    XdplabError
        When it can't be pickled; nothing was sent.
    OSError
        When the other side is gone.
    """
    buffer, descriptors = io.BytesIO(), list[int]()
    try:
        _Pickler(buffer, descriptors).dump(thing)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
        said = str(error).rstrip(".")
        raise XdplabError(
            f"could not pass a value to the lab's process or back: {said}. A function that is run "
            "in a lab, its arguments and its result must be picklable; sockets are."
        ) from error
    if len(descriptors) > _MOST_DESCRIPTORS:
        raise XdplabError(
            f"could not pass {len(descriptors)} sockets to the lab's process or back at once. "
            f"Pass at most {_MOST_DESCRIPTORS}."
        )
    header = _HEADER.pack(buffer.tell(), len(descriptors))
    socket.send_fds(channel, [header], descriptors)
    channel.sendall(buffer.getbuffer())


def receive(channel: socket.socket, hold: Callable[[int], Namespace] = Namespace) -> Any:
    """Receive an object.

    Parameters
    ----------
    channel
        The socket to read from.
    hold
        Takes a namespace's descriptor over.

    Raises
    ------
    EOFError
        When the other side is gone.
    KernelError
        When this process has too few descriptors left for the message's.
    Exception
        Errors while importing the modules of the object.
    """
    header, descriptors, _ = receive_with_descriptors(channel, _HEADER.size, _MOST_DESCRIPTORS)
    try:
        if len(header) < _HEADER.size:
            raise EOFError
        size, count = _HEADER.unpack(header)
        if len(descriptors) < count:
            tried = "receive a socket or namespace"
            raise KernelError(tried, errno.EMFILE, more_descriptors())
        return _Unpickler(_read(channel, size), descriptors, hold).load()
    finally:
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)


def _read(channel: socket.socket, size: int) -> io.BytesIO:
    parts = io.BytesIO()
    while parts.tell() < size:
        part = channel.recv(min(size - parts.tell(), 1 << 20))
        if not part:
            raise EOFError
        parts.write(part)
    parts.seek(0)
    return parts


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc] # cloudpickle is untyped
    """Replaces namespaces and sockets by their descriptors' index in a list."""

    def __init__(self, file: io.BytesIO, descriptors: list[int]) -> None:
        super().__init__(file)
        self._descriptors = descriptors

    def persistent_id(self, thing: object) -> tuple[object, ...] | None:
        if isinstance(thing, Namespace):
            return ("namespace", self._number(thing.fd))
        if isinstance(thing, socket.socket):
            # Of an AF_XDP socket, Python 3.11.2 can't find the family out.
            kind = (int(thing.family), int(thing.type), thing.proto)
            return ("socket", self._number(thing.fileno()), kind, thing.gettimeout())
        return None

    def _number(self, descriptor: int) -> int:
        self._descriptors.append(descriptor)
        return len(self._descriptors) - 1


class _Unpickler(pickle.Unpickler):
    """Restores namespaces and sockets, and marks on the list the descriptors taken over."""

    def __init__(
        self, file: io.BytesIO, descriptors: list[int], hold: Callable[[int], Namespace]
    ) -> None:
        super().__init__(file)
        self._descriptors, self._hold = descriptors, hold

    def persistent_load(self, name: Any) -> Namespace | socket.socket:
        what, number, *rest = name
        descriptor = self._descriptors[number]
        self._descriptors[number] = -1
        if what == "namespace":
            return self._hold(descriptor)
        (family, kind, protocol), timeout = rest
        made = socket.socket(family, kind, protocol, descriptor)
        made.settimeout(timeout)
        return made
