"""A client's connection to the broker."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from xdplab.broker.protocol import (
    SOCKET_PATH,
    SOCKET_VARIABLE,
    Malformed,
    decode_answer,
    encode_first,
    encode_request,
    receive,
    send,
)
from xdplab.broker.requests import check_request
from xdplab.core.closing import Closing
from xdplab.core.descriptors import close_all
from xdplab.core.errors import ClosedError, KernelError, PermissionRefusedError
from xdplab.core.locks import new_lock
from xdplab.core.own_limits import more_descriptors

_PATIENCE = 60.0  # s; after it the broker counts as stuck
_RETRY_SECONDS = 0.01
START = (
    "Once installed as docs/without-root.md says, it is started by "
    "`sudo /opt/xdplab/bin/xdplab broker --group $(id -gn)`."
)
"""The remedy where no broker serves."""
_REMEDIES = {
    errno.ENOENT: f"No broker runs here. {START}",
    errno.ECONNREFUSED: f"The broker that was here has ended. {START}",
    errno.EACCES: "It serves a group that you are not in: ask who runs it, and log in anew.",
    errno.EPROTO: "Broker and client must be of the same version of xdplab.",
    errno.ECONNRESET: f"The broker ended the connection, or has ended itself. {START}",
    errno.EPIPE: f"The broker ended the connection, or has ended itself. {START}",
    errno.EAGAIN: "The broker has no room for more connections: see its log, or start it anew.",
    errno.ETIMEDOUT: "The broker does not answer: see its log, or start it anew.",
}


def socket_path() -> str:
    """Return the path of the broker's socket."""
    return os.environ.get(SOCKET_VARIABLE) or SOCKET_PATH


class Connection(Closing):
    """A connection to one session of the broker, which ends with it. Made by `connect`.

    Attributes
    ----------
    answer
        The answer to the first message.
    descriptors
        Descriptors that came with it; the caller closes them.
    socket
        The socket itself, for the protocol of a lab process.
    """

    answer: dict[str, Any]
    descriptors: list[int]

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._lock = new_lock()
        self._number = -1  # of the newest request

    def fileno(self) -> int:
        """Return the socket's descriptor, -1 once closed."""
        return self.socket.fileno()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self.socket.fileno() < 0

    def close(self) -> None:
        """End the session. A second call does nothing."""
        self.socket.close()

    def request(
        self,
        operation: str,
        arguments: Mapping[str, object] | None = None,
        descriptors: Sequence[int] = (),
    ) -> tuple[dict[str, Any], list[int]]:
        """Send a request, and wait for the answer.

        Parameters
        ----------
        operation
            One of `requests.REQUESTS`.
        arguments
            All that the operation takes.
        descriptors
            Descriptors to send; they stay the caller's.

        Returns
        -------
        tuple
            The answer, and the descriptors that came with it; the caller closes them.

        Raises
        ------
        XdplabError
            The session's refusal: the same exception as in this process.
        ClosedError
            After `close`.
        """
        given = dict(arguments or {})
        check_request(operation, given, len(descriptors))
        return self._exchange(lambda number: encode_request(operation, given, number), descriptors)

    def introduce(
        self, message: bytes, descriptors: Sequence[int]
    ) -> tuple[dict[str, Any], list[int]]:
        """Send the first message of a connection, and wait for the answer, as `request` does."""
        return self._exchange(lambda _number: message, descriptors)

    def _exchange(
        self, numbered: Callable[[int], bytes], descriptors: Sequence[int]
    ) -> tuple[dict[str, Any], list[int]]:
        """Send a message with a new number, and wait for the answer with that number.

        An interrupt at any moment loses one answer, and no other message gets it.
        """
        with self._lock:
            if self.closed:
                raise ClosedError("this connection to the broker was closed.")
            self._number += 1
            message = numbered(self._number)
            # A rejected client gets the reason; its input is ignored.
            with _refusals(), suppress(BrokenPipeError, ConnectionResetError):
                send(self.socket, message, descriptors)
            while True:
                with _refusals():
                    encoded, received = self._receive()
                if not encoded:
                    raise _refused(errno.ECONNRESET)
                answer = None
                try:
                    answer = decode_answer(encoded, self._number)
                except Malformed as error:
                    raise _refused(errno.EPROTO) from error
                finally:
                    if answer is None:
                        close_all(received)
                if answer is not None:
                    return answer, received

    def _receive(self) -> tuple[bytes, list[int]]:
        try:
            return receive(self.socket)
        except ConnectionResetError:  # the kernel reports it before the last message
            return receive(self.socket)


def connect(
    kind: bytes, name: str = "", descriptor: int | None = None, path: str | None = None
) -> Connection:
    """Open a session of the broker's.

    Parameters
    ----------
    kind
        Its purpose: `protocol.NETWORK`, `LAB`, `SOFTIRQ`, `STATISTICS` or `INTERFACE`.
    name
        Name of the interface to lend, for `INTERFACE`.
    descriptor
        Descriptor of the caller's network namespace, for `NETWORK` and `INTERFACE`.
    path
        Where the broker's socket is; by default `socket_path()`.

    Raises
    ------
    PermissionRefusedError
        When the broker does not serve this user, or the namespace is not this user's.
    KernelError
        When no broker is there.
    """
    first = encode_first(kind, name)
    connected = _new_socket()
    connection = Connection(connected)
    try:
        _wait_to_be_accepted(connected, path or socket_path())
        connected.settimeout(_PATIENCE)
        given = [] if descriptor is None else [descriptor]
        connection.answer, connection.descriptors = connection.introduce(first, given)
    except BaseException:
        connection.close()
        raise
    return connection


def probe() -> None:
    """Raise the error of `connect` if no broker serves this user; else do nothing."""
    with _new_socket() as connected:
        _wait_to_be_accepted(connected, socket_path())


def _new_socket() -> socket.socket:
    try:
        return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError as error:
        raise _refused(error.errno or 0, "connect to the broker") from error


def _wait_to_be_accepted(connected: socket.socket, path: str) -> None:
    """Connect, which the kernel refuses with EAGAIN while too many others wait for the broker."""
    deadline = time.monotonic() + _PATIENCE
    connected.setblocking(False)
    while True:
        try:
            connected.connect(path)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise _refused(errno.EAGAIN, "connect to the broker") from error
            time.sleep(_RETRY_SECONDS)
        except OSError as error:
            raise _refused(error.errno or 0, "connect to the broker") from error
        else:
            return


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn errors in sending or receiving a message into a `KernelError` with a remedy."""
    try:
        yield
    except OSError as error:
        late = errno.ETIMEDOUT if isinstance(error, TimeoutError) else 0
        raise _refused(error.errno or late) from error
    except Malformed as error:
        raise _refused(errno.EPROTO) from error


def _refused(code: int, tried: str = "talk to the broker") -> KernelError:
    kind = PermissionRefusedError if code == errno.EACCES else KernelError
    return kind(
        tried, code, more_descriptors() if code == errno.EMFILE else _REMEDIES.get(code, "")
    )
