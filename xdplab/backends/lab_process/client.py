"""The client's side: starts the lab process, runs functions in it, and ends it."""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import subprocess
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar
from weakref import WeakValueDictionary

from xdplab.backends.lab_process.messages import receive, send
from xdplab.backends.lab_process.server import CALL, END, READY, prepare
from xdplab.broker.client import START
from xdplab.core.closing import Closing
from xdplab.core.errors import ClosedError, KernelError, PermissionRefusedError, XdplabError
from xdplab.core.locks import new_lock
from xdplab.core.own_limits import more_descriptors
from xdplab.core.text import counted
from xdplab.net.namespace import Namespace

_PATIENCE_SECONDS = 5.0
_LONGEST_REFUSAL = 4096
_REMEDIES = {
    errno.EBADF: "It was closed: make a new lab.",
    errno.EAGAIN: "There are too many processes: see `ulimit -u`.",
}
_FORBIDDEN = (
    "User namespaces are forbidden here (Ubuntu's kernel.apparmor_restrict_unprivileged_userns, "
    "user.max_user_namespaces, or a container's seccomp filter), and a broker makes labs "
    f"without them. {START}"
)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class LabProcess(Closing):
    """A process that is root in network namespaces of its own, and nowhere else.

    It ends at `close`, with the last reference to it and its namespaces, and with this process,
    however that ends.

    Parameters
    ----------
    client
        A socket on which such a process serves already; by default a new one is started.

    Raises
    ------
    PermissionRefusedError
        Where unprivileged user namespaces are forbidden.
    """

    def __init__(self, client: socket.socket | None = None) -> None:
        self._namespaces = WeakValueDictionary[tuple[int, int], Namespace]()
        self._lock = new_lock()
        process = None
        if client is None:
            client, process = _start()
        else:
            _wait_until_ready(client)
        self._client = client
        self._finalizer = weakref.finalize(self, _end, client, process, os.getpid())
        if process is None:
            self.call(prepare, sys.path, str(Path.cwd()))

    def __repr__(self) -> str:
        return f"<LabProcess with {counted(len(self._namespaces), 'namespace')}>"

    def call(
        self,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a function in the lab process, and wait for it.

        Function, arguments and result are pickled: the function works on copies, except of sockets
        and namespaces, which stay the same. An interrupt ends only the wait.

        Raises
        ------
        ClosedError
            When the lab process is gone.
        XdplabError
            When something can't be pickled.
        Exception
            Whatever the function raises.
        """
        with self._begin() as call:
            try:
                send(call, (function, args, kwargs))
                result, error = receive(call, self._hold)
            except (EOFError, ConnectionError) as gone:
                raise _ended() from gone
        if error is not None:
            try:
                raise error
            finally:
                # Its traceback holds this frame, and so the namespaces that are its arguments.
                del error
        return result  # type: ignore[no-any-return] # what the function returned

    def _begin(self) -> socket.socket:
        """Give the lab process one end of a socket for a call, and return the other."""
        try:
            ours, theirs = socket.socketpair()
            with theirs:
                socket.send_fds(self._client, [CALL], [theirs.fileno()])
        except ConnectionError as gone:
            raise _ended() from gone
        except OSError as error:
            raise _refused("call the lab's process", error) from error
        return ours

    def create_namespace(self) -> Namespace:
        """Make a network namespace, as `Namespace.create` does."""
        return self.call(Namespace.create)

    def _hold(self, descriptor: int) -> Namespace:
        """Take over a namespace's descriptor; one that is held already stays the same object."""
        made = RemoteNamespace(descriptor, self)
        with self._lock:
            known = self._namespaces.get(made.identity)
            if known is None or known.closed:
                self._namespaces[made.identity] = made
                return made
        made.close()
        return known

    @property
    def closed(self) -> bool:
        """Whether `close` was called, or the process has ended."""
        if not self._finalizer.alive:
            return True
        # It sends no more messages, so a readable socket means its end.
        return bool(select.select([self._client], [], [], 0)[0])

    def close(self) -> None:
        """End the process, and all that runs in it."""
        self._finalizer()


class RemoteNamespace(Namespace):
    """A network namespace of a lab process's, in which functions are run by that process."""

    backend_name = "broker"

    def __init__(self, descriptor: int, process: LabProcess) -> None:
        super().__init__(descriptor)
        self.process = process

    def run(
        self,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a function inside the namespace, in the lab process, and wait for it.

        As `Namespace.run`, but function, arguments and result are copies (`LabProcess.call`).
        """
        enter: Callable[..., Result] = Namespace.run
        return self.process.call(enter, self, function, *args, **kwargs)


def _ended() -> ClosedError:
    return ClosedError("the lab's process has ended. Make a new lab.")


def _refused(tried: str, error: OSError) -> KernelError:
    code = error.errno or 0
    remedy = more_descriptors() if code == errno.EMFILE else _REMEDIES.get(code, "")
    return KernelError(tried, code, remedy)


def _start() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    tried = "start a process for the lab"
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError as error:
        raise _refused(tried, error) from error
    with theirs:
        start = Path(__file__).with_name("start.py")
        # Not the folder of the program (-P): a module there would take the place of another.
        command = [sys.executable, "-P", str(start), str(theirs.fileno()), json.dumps(sys.path)]
        try:
            # In a session of its own, so that a terminal's Ctrl-C is for the client alone.
            process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise _refused(tried, error) from error
        except BaseException:
            ours.close()
            raise
    try:
        _wait_until_ready(ours)
    except BaseException:
        _end(ours, process, os.getpid())
        raise
    return ours, process


def _wait_until_ready(client: socket.socket) -> None:
    """Wait until a lab process serves on the socket.

    Raises
    ------
    PermissionRefusedError
        Where user namespaces are forbidden.
    XdplabError
        When it ended before.
    """
    said = client.recv(_LONGEST_REFUSAL)
    if said == READY:
        return
    if not said:
        raise XdplabError(
            "could not start a process for the lab: it ended at once, for a reason that is on its "
            "standard error. Is this the Python that xdplab is installed in?"
        )
    code = int(json.loads(said)["errno"])
    forbidden = code in (errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EUSERS)
    kind = PermissionRefusedError if forbidden else KernelError
    raise kind("make a user namespace for a lab", code, _FORBIDDEN)


def _end(client: socket.socket, process: subprocess.Popen[bytes] | None, owner: int) -> None:
    # A forked child has a copy of the socket, but the process is not its to end.
    if os.getpid() == owner:
        with suppress(OSError):
            client.send(END)  # a forked child may hold the socket open
    client.close()
    if process is None or os.getpid() != owner:
        return
    try:
        process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
