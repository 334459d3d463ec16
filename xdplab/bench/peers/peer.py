"""A program that others wrote, running inside a lab, talked to through its standard streams."""

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

_MOST_UNREAD = 64 * 1024  # of a program that floods us, only the end is kept
_LINES_QUOTED = 6
_READ_AT_ONCE = 64 * 1024
_EXIT_SECONDS = 1.0


class PeerError(XdplabError):
    """A peer did not do what the benchmark needs of it; the message quotes what it said."""


class Peer(Closing):
    """A running program, and a conversation with it.

    It is killed by `close`, by the end of the ``with``, and by the kernel when this process dies.

    Parameters
    ----------
    host
        In whose network namespace it runs.
    arguments
        The program and its arguments; there is no shell in between.
    environment
        Variables beside those of this process.
    name
        What errors call it; the program unless told otherwise.
    cpu
        The core of all its threads; any that this process may run on unless told otherwise.

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
        # On a pipe, the C library would hand over the answers when the program has ended.
        bound = ["setpriv", "--pdeathsig", "KILL", "--", *pinned, "stdbuf", "-oL", *arguments]
        self._name = name or arguments[0]
        self._unread = ""
        variables = {**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})}
        self._process = _start(host, bound, variables)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def tell(self, line: str) -> None:
        """Write a line to its standard input. One that has ended is noticed by `expect`."""
        with suppress(BrokenPipeError):
            _opened(self._process.stdin).write(f"{line}\n".encode())

    def signal(self, number: int) -> None:
        """Send it a signal. One that has ended is noticed by `expect`."""
        self._process.send_signal(number)

    def expect(self, pattern: str, seconds: float) -> re.Match[str]:
        """Read what it writes until a pattern matches, and take that from what is unread.

        Parameters
        ----------
        pattern
            A regular expression; the dot matches newlines too.
        seconds
            How long to wait for it.

        Raises
        ------
        PeerError
            When the program ended, or did not say so in time.
        """
        deadline = time.monotonic() + seconds
        wanted = re.compile(pattern, re.DOTALL)
        while not (found := wanted.search(self._unread)):
            left = deadline - time.monotonic()
            if left <= 0:
                raise PeerError(
                    f"{self._name} did not say {pattern!r} within {seconds:g} s. {self._quote()}"
                )
            self._read(left)
        self._unread = self._unread[found.end() :]
        return found

    def wait(self, seconds: float) -> None:
        """Wait until it has ended by itself.

        Raises
        ------
        PeerError
            When it did not in time, or not with exit status 0.
        """
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise PeerError(f"{self._name} did not end within {seconds:g} s.") from None
        if status:
            raise PeerError(f"{self._name} ended {self._ending()}. {self._quote()}")

    def close(self) -> None:
        """Kill it if it is still there."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            _opened(stream).close()

    def _read(self, seconds: float) -> None:
        """Read what there is, once there is something."""
        output = _opened(self._process.stdout).fileno()
        ready = select.poll()  # select() has no room for descriptors from 1024 up
        ready.register(output, select.POLLIN)
        if not ready.poll(seconds * 1000):
            return
        read = os.read(output, _READ_AT_ONCE)
        if not read:
            raise PeerError(f"{self._name} ended {self._ending()}. {self._quote()}")
        self._unread = (self._unread + read.decode(errors="replace"))[-_MOST_UNREAD:]

    def _ending(self) -> str:
        """Say how it ended, now that it closed its output."""
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
            # An interrupt from the terminal is ours to handle. A session of its own would give it
            # a share of the cores of its own too (sched_autogroup), twice that of our worker.
            process_group=0,
        )
        started.set_result(process)
        # The parent's death is the death of the thread that started it: so this one lives on.
        process.wait()

    def keep() -> None:
        try:
            host.run(live)
        except BaseException as error:  # to be raised again in the caller, whatever it is
            started.set_exception(error)

    try:
        Thread(target=keep, name="xdplab-peer", daemon=True).start()
        return started.result()
    except FileNotFoundError as error:
        raise PeerError(
            f"could not run `{error.filename}`: it is missing. Install Debian's util-linux."
        ) from error
    except KeyboardInterrupt:  # which ends only the wait, be it that for the thread to begin
        started.add_done_callback(_kill)
        raise


def _kill(started: Future[subprocess.Popen[bytes]]) -> None:
    if not started.exception():
        started.result().kill()


def _opened(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # both were asked for
    return stream
