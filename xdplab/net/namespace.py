"""Anonymous network namespaces: held by a descriptor, with no name in the filesystem.

The descriptor alone keeps such a namespace alive, so it goes when the process does, however that
happens. A thread enters a namespace, not a process: code that must run inside one runs on a plain
thread made for it, and the caller's thread stays where it is.
"""

from __future__ import annotations

import errno
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Generic, ParamSpec, TypeVar

from xdplab.core.checks import callable_of
from xdplab.core.closing import Closing
from xdplab.core.errors import ClosedError, KernelError, PermissionRefusedError
from xdplab.core.more_power import MORE_POWER
from xdplab.core.own_limits import MORE_THREADS, more_descriptors
from xdplab.core.threads import Thread
from xdplab.native import lib

_OWN_NAMESPACE = Path("/proc/thread-self/ns/net")
_REMEDIES = {
    errno.EPERM: f"It needs CAP_SYS_ADMIN: {MORE_POWER}.",
    errno.ENOSPC: "Raise the limit in /proc/sys/user/max_net_namespaces, or close other labs.",
    errno.EINVAL: "This kernel may lack network namespaces (CONFIG_NET_NS).",
}

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Namespace(Closing):
    """A network namespace, held open by a close-on-exec descriptor.

    Made by `create` or `current`; a context manager that closes it. A child process does not
    inherit the descriptor, so no background command keeps the namespace alive.
    """

    backend_name: ClassVar[str] = "kernel"
    """The name in `xdplab.backends.BACKENDS` of the backend that does privileged work in it."""
    simulated: ClassVar[bool] = False
    """Whether a soft NIC simulates it, in place of the kernel."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._finalizer = weakref.finalize(self, os.close, descriptor)

    @staticmethod
    def create() -> Namespace:
        """Make an empty namespace with nothing but a loopback interface, which is down.

        Raises
        ------
        PermissionRefusedError
            Without CAP_SYS_ADMIN.
        KernelError
            When the kernel refuses for another reason, such as its limit on namespaces.
        """

        def unshare() -> Namespace:
            _check("make a network namespace", lib.xdplab_unshare_network())
            return Namespace.current()

        return on_a_thread(unshare)

    @staticmethod
    def current() -> Namespace:
        """Hold the namespace that the calling thread is in: the host's, outside of `run`.

        Raises
        ------
        KernelError
            When there is no descriptor left for it, or no /proc.
        """
        try:
            # Python opens every descriptor close-on-exec.
            return Namespace(os.open(_OWN_NAMESPACE, os.O_RDONLY))
        except OSError as error:
            code = error.errno or 0
            raise KernelError("open a network namespace", code, _remedy(code)) from error

    @property
    def identity(self) -> tuple[int, int]:
        """Its identity: the same for each descriptor of one namespace.

        Raises
        ------
        ClosedError
            After `close`.
        """
        found = os.fstat(self.fd)
        return found.st_dev, found.st_ino

    @property
    def fd(self) -> int:
        """The descriptor, for as long as the namespace is not closed.

        Raises
        ------
        ClosedError
            After `close`.
        """
        if self.closed:
            raise ClosedError("this network namespace was closed, with the lab that it belonged to")
        return self._descriptor

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._finalizer.alive

    def run(
        self,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a function on a thread of its own inside the namespace, and wait for it.

        Sockets and child processes that the function makes belong to the namespace for good;
        objects bound to an event loop don't survive it. The thread has no running event loop, so
        pyroute2 works in it, whatever runs in the caller's.

        Returns
        -------
        Whatever the function returns.

        Raises
        ------
        ClosedError
            After `close`.
        PermissionRefusedError
            Without CAP_SYS_ADMIN.
        Exception
            Whatever the function raises.
        """
        callable_of("function", function)
        descriptor = self.fd

        def enter() -> Result:
            # Even the namespace that a thread is in can't be entered without CAP_SYS_ADMIN.
            if not os.path.samestat(os.fstat(descriptor), _OWN_NAMESPACE.stat()):
                _check("enter a network namespace", lib.xdplab_setns(descriptor))
            return function(*args, **kwargs)

        return on_a_thread(enter)

    def close(self) -> None:
        """Close the descriptor. The kernel frees the namespace with its last socket or process."""
        self._finalizer()

    def __repr__(self) -> str:
        if self.closed:
            return "<Namespace closed>"
        return f"<Namespace net:[{os.fstat(self._descriptor).st_ino}]>"


def on_a_thread(function: Callable[[], Result]) -> Result:
    """Call a function on a plain thread, and wait for it.

    Raises
    ------
    KernelError
        When there can be no more threads.
    KeyboardInterrupt
        On an interrupt (Ctrl-C), which ends only the wait.
    Exception
        Whatever the function raises.
    """
    call = _Call(function)
    call.start()
    call.thread.join()
    return call.result()


def to_the_end(function: Callable[[], Result]) -> Result:
    """Call a function as `on_a_thread` does; an interrupt is raised once it has returned.

    So the function finishes, whenever the interrupt comes, or it never begins. A second interrupt
    ends the wait.
    """
    call = _Call(function)
    try:
        call.start()
        call.thread.join()
    except KeyboardInterrupt:
        if not call.withdraw():
            call.thread.join()
        raise
    return call.result()


class _Call(Generic[Result]):
    """A call of a function on a thread of its own."""

    def __init__(self, function: Callable[[], Result]) -> None:
        self._returned: list[Result] = []
        self._raised: list[BaseException] = []
        # Taken by the thread that begins with the function, or by the caller that withdraws it.
        self._taken = taken = threading.Lock()

        def work(returned: list[Result], raised: list[BaseException]) -> None:
            if not taken.acquire(blocking=False):
                return
            try:
                returned.append(function())
            except BaseException as error:  # any exception is raised again in the caller
                raised.append(error)
            finally:
                # The exception's traceback holds this frame: the two would hold each other, and
                # the caller's namespaces, until the garbage collector runs.
                del returned, raised

        self.thread = Thread(work, self._returned, self._raised, name="xdplab-namespace")

    def start(self) -> None:
        """Start the thread.

        Raises
        ------
        KernelError
            When there can be no more threads.
        """
        try:
            self.thread.start()
        except RuntimeError as error:  # which is what Python makes of pthread_create's EAGAIN
            raise KernelError("start a thread", errno.EAGAIN, MORE_THREADS) from error

    def withdraw(self) -> bool:
        """Keep the function from beginning; False where it has begun.

        An interrupt of `Thread.start` does not tell whether the thread was made.
        """
        return self._taken.acquire(blocking=False)

    def result(self) -> Result:
        """Return or raise, once, what the function did, after the thread's end."""
        if self._raised:
            raise self._raised.pop()  # no variable holds it, for the reason above
        return self._returned.pop()


def _check(tried: str, answer: int) -> None:
    if answer < 0:
        kind = PermissionRefusedError if answer == -errno.EPERM else KernelError
        raise kind(tried, -answer, _remedy(-answer))


def _remedy(code: int) -> str:
    return more_descriptors() if code == errno.EMFILE else _REMEDIES.get(code, "")
