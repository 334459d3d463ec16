"""A third-party program inside a lab, controlled through its standard streams."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import IO

from xdplab.core.closing import Closing
from xdplab.core.errors import XdplabError
from xdplab.net.host import Host

_MOST_UNREAD = 64 * 1024  # of more output, only the end is kept
_LINES_QUOTED = 6
_READ_AT_ONCE = 64 * 1024
_EXIT_SECONDS = 1.0


class PeerError(XdplabError):
    """A peer failed in a benchmark; the message quotes its output."""


class Peer(Closing):
    """A running program, with its input and output.

    It is killed by `close`, by the end of the ``with``, and by the kernel when this process dies.

    Parameters
    ----------
    host
        The host in whose network namespace it runs.
    arguments
        The program and its arguments, run without a shell.
    environment
        Environment variables, in addition to those of this process.
    name
        Its name in errors. Default: the program.
    cpu
        The core of all its threads. Default: any that this process may run on.

    Raises
    ------
    PeerError
        When util-linux's `setpriv` is missing.
    ClosedError
        After the lab was closed.
    """

    def __init__(
        self,
        host: Host,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        name: str | None = None,
        cpu: int | None = None,
    ) -> None:
        pinned = [] if cpu is None else ["taskset", "--cpu-list", str(cpu)]
        # On a pipe, the C library would write the answers only at the end of the program.
        bound = ["setpriv", "--pdeathsig", "KILL", "--", *pinned, "stdbuf", "-oL", *arguments]
        self.name = name or arguments[0]
        """Its name in errors."""
        self._unread = ""
        variables = {**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})}
        self._process = _start(host, bound, variables)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def tell(self, line: str) -> None:
        """Write a line to its standard input. If it has ended, `expect` raises."""
        with suppress(BrokenPipeError):
            _opened(self._process.stdin).write(f"{line}\n".encode())

    def signal(self, number: int) -> None:
        """Send it a signal. If it has ended, `expect` raises."""
        self._process.send_signal(number)

    def expect(self, pattern: str, seconds: float) -> re.Match[str]:
        """Read its output until a pattern matches, and remove the output up to there.

        Parameters
        ----------
        pattern
            A regular expression; the dot matches newlines too.
        seconds
            Longest time to wait.

        Raises
        ------
        PeerError
            When the program ended, or nothing matched in time.
        """
        deadline = time.monotonic() + seconds
        wanted = re.compile(pattern, re.DOTALL)
        while not (found := wanted.search(self._unread)):
            left = deadline - time.monotonic()
            if left <= 0:
                raise PeerError(
                    f"{self.name} did not say {pattern!r} within {seconds:g} s. {self._quote()}"
                )
            self._read(left)
        self._unread = self._unread[found.end() :]
        return found

    def wait(self, seconds: float) -> None:
        """Wait until it ends by itself.

        Raises
        ------
        PeerError
            When it did not end in time, or not with exit status 0.
        """
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise PeerError(f"{self.name} did not end within {seconds:g} s.") from None
        if status:
            raise PeerError(f"{self.name} ended {self._ending()}. {self._quote()}")

    def close(self) -> None:
        """Kill it if it is still running."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            _opened(stream).close()

    def _read(self, seconds: float) -> None:
        """Wait for output, and read it."""
        output = _opened(self._process.stdout).fileno()
        ready = select.poll()  # select() can't take descriptors from 1024 up
        ready.register(output, select.POLLIN)
        if not ready.poll(seconds * 1000):
            return
        read = os.read(output, _READ_AT_ONCE)
        if not read:
            raise PeerError(f"{self.name} ended {self._ending()}. {self._quote()}")
        self._unread = (self._unread + read.decode(errors="replace"))[-_MOST_UNREAD:]

    def _ending(self) -> str:
        """Return in words how it ended, after it closed its output."""
        try:
            status = self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            return "its output, but lives on"
        return f"by signal {-status}" if status < 0 else f"with exit status {status}"

    def _quote(self) -> str:
        lines = [line.rstrip() for line in self._unread.splitlines() if line.strip()]
        if not lines:
            return "It said nothing."
        return "It said:\n" + "\n".join(f"  {line:.200}" for line in lines[-_LINES_QUOTED:])


def _start(
    host: Host, arguments: Sequence[str], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    started: Future[subprocess.Popen[bytes]] = Future()

    def live() -> None:
        process = subprocess.Popen(
            arguments,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            # This process handles an interrupt from the terminal. A session of its own would give
            # the program its own share of the cores (sched_autogroup), twice that of our worker.
            process_group=0,
        )
        started.set_result(process)
        # For the kernel, the parent dies with the thread that started it: so this thread lives on.
        process.wait()

    def keep() -> None:
        try:
            host.run(live)
        except BaseException as error:  # to be raised again in the caller
            started.set_exception(error)

    try:
        Thread(target=keep, name="xdplab-peer", daemon=True).start()
        return started.result()
    except FileNotFoundError as error:
        raise PeerError(
            f"could not run `{error.filename}`: it is missing. Install Debian's util-linux."
        ) from error
    except KeyboardInterrupt:  # ends only the wait, also the one for the thread to begin
        started.add_done_callback(_kill)
        raise


def _kill(started: Future[subprocess.Popen[bytes]]) -> None:
    if not started.exception():
        started.result().kill()


def _opened(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # both were asked for
    return stream
