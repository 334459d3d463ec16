"""What BPF programs print, from a trace buffer of one's own in the kernel.

Each print goes into every trace buffer that asks for it. The system's own, ``trace_pipe``, has one
reader: a line that it reads is gone for all others. So each `PrintedLines` makes a buffer of its
own, a folder in ``instances/`` of tracefs.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import subprocess
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

from xdplab.core.closing import Closing
from xdplab.core.errors import KernelError, PermissionRefusedError
from xdplab.native import lib

TRIED = "read what XDP programs print"
ONLY_ROOT = (
    "Trace buffers are root's, and have the lines of all programs of the machine: run as root, or "
    'send records through a ring buffer, program.maps["events"].records().'
)
_PREFIX = "xdplab-"
_SETTINGS = {
    "trace_clock": "mono",  # that of bpf_ktime_get_ns
    "buffer_size_kb": "512",  # a core; the kernel's own choice is 1.4 MB
    "events/bpf_trace/bpf_trace_printk/enable": "1",
}
_AT_ONCE = 64 * 1024  # bytes
_MOST = 4096  # lines
_LINE = re.compile(
    rb".{16}-\d+ +\[(?P<cpu>\d+)\] \S* *(?P<seconds>\d+)\.(?P<fraction>\d{6}): "
    rb"bpf_trace_printk: (?P<text>.*)",
    re.DOTALL,  # a thread's name has any bytes
)
_LOST = re.compile(rb"CPU:\d+ \[LOST (?:(\d+) )?EVENTS\]")
# Removes the buffer once this process ended, by whatever signal: reading ends when the last
# descriptor of the pipe's other end is closed. That of the buffer may be closed after it.
_REMOVE = (
    'read -r _; for _ in 1 2 3 4 5 6 7 8 9; do rmdir "$0" || [ ! -d "$0" ] && exit; sleep 1; done'
)


class RawLine(NamedTuple):
    """A line that some program printed."""

    time_ns: int
    cpu: int
    text: bytes


class PrintedLines(Closing):
    """Has the kernel keep what BPF programs print, from now on until `close`.

    Raises
    ------
    PermissionRefusedError
        When this process may not mount or use tracefs.
    KernelError
        When the kernel refuses otherwise: it has no tracefs.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._begun = b""
        with ExitStack() as made, _told():
            root = lib.xdplab_tracefs_open()
            if root < 0:
                raise OSError(-root, os.strerror(-root))
            made.callback(os.close, root)
            self._pipe = _make(root, made)
            self._closer = weakref.finalize(self, made.pop_all().close)

    def fileno(self) -> int:
        """Return a descriptor that is readable when a line waits."""
        return self._pipe

    def take(self) -> list[RawLine]:
        """Return the lines that wait, some 4,096, and count in `lost` those that found no room."""
        found: list[RawLine] = []
        while len(found) < _MOST:
            try:
                read = os.read(self._pipe, _AT_ONCE)
            except BlockingIOError:
                break
            except OSError as error:
                raise KernelError(TRIED, error.errno or 0) from error
            *lines, self._begun = (self._begun + read).split(b"\n")
            found += self._lines(lines)
        return found

    def close(self) -> None:
        """Remove the kernel's buffer. A second call does nothing."""
        self._closer()

    def _lines(self, lines: list[bytes]) -> Iterator[RawLine]:
        last: RawLine | None = None
        for line in lines:
            if lost := _LOST.fullmatch(line):
                self.lost += int(lost[1] or 1)
            elif found := _LINE.fullmatch(line):
                if last:
                    yield _ended(last)
                time_ns = int(found["seconds"]) * 10**9 + int(found["fraction"]) * 1000
                last = RawLine(time_ns, int(found["cpu"]), found["text"])
            elif last:  # it was printed with a line end in it
                last = last._replace(text=last.text + b"\n" + line)
        if last:
            yield _ended(last)


def _ended(line: RawLine) -> RawLine:
    """Leave out a line end that it was printed with: the kernel writes one by itself."""
    return line._replace(text=line.text.rstrip(b"\n"))


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise PermissionRefusedError(TRIED, error.errno or errno.EPERM, ONLY_ROOT) from error
    except OSError as error:
        remedy = "The kernel needs tracefs, from Linux 5.2: CONFIG_TRACING, CONFIG_BPF_EVENTS."
        raise KernelError(TRIED, error.errno or 0, remedy) from error


def _make(root: int, made: ExitStack) -> int:
    """Make a buffer, and return the descriptor of its lines; `made` takes all back."""
    instances = os.open("instances", os.O_RDONLY | os.O_DIRECTORY, dir_fd=root)
    made.callback(os.close, instances)
    # Nobody takes a buffer for a forgotten one before it is open.
    fcntl.flock(instances, fcntl.LOCK_EX)
    _remove_forgotten(instances)
    name = f"{_PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
    made.enter_context(_remover(instances, name))
    os.mkdir(name, dir_fd=instances)
    made.callback(_remove, instances, name)
    pipe = os.open(f"{name}/trace_pipe", os.O_RDONLY | os.O_NONBLOCK, dir_fd=instances)
    made.callback(os.close, pipe)
    fcntl.flock(instances, fcntl.LOCK_UN)
    for file, value in _SETTINGS.items():
        descriptor = os.open(f"{name}/{file}", os.O_WRONLY, dir_fd=instances)
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)
    return pipe


def _remove_forgotten(instances: int) -> None:
    """Remove what a process left that was killed with its remover; those in use stay."""
    for name in os.listdir(instances):
        if name.startswith(_PREFIX):
            _remove(instances, name)


def _remove(instances: int, name: str) -> None:
    with suppress(OSError):
        os.rmdir(name, dir_fd=instances)


def _remover(instances: int, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["sh", "-c", _REMOVE, f"/proc/self/fd/{instances}/{name}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[instances],
        process_group=0,  # Ctrl-C is for the program that reads the lines
    )
