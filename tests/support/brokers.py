"""Brokers that tests start."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from support.waiting import eventually

GROUP = "nogroup"


def children_of(process: int) -> list[int]:
    """List the children of a process that has one thread."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(number) for number in children.split()]


class Broker:
    """A running broker."""

    def __init__(self, process: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
        self.process, self.socket, self._log = process, str(socket), log

    def log(self) -> str:
        """Return all that it said."""
        return self._log.read_text()

    def sessions(self) -> list[int]:
        """List the processes of its sessions."""
        return children_of(self.process.pid)

    def lab_processes(self) -> list[int]:
        """List the lab processes that it started: children of the sessions that keep them."""
        return [child for session in self.sessions() for child in children_of(session)]

    def is_quiet(self) -> bool:
        """Wait until all its sessions have ended."""
        return eventually(lambda: not self.sessions())


Start = Callable[..., Broker]


@contextmanager
def running(installed: Path, *options: str, before: tuple[str, ...] = ()) -> Iterator[Broker]:
    folder = Path(tempfile.mkdtemp(prefix="xdplab-broker-"))
    folder.chmod(0o755)
    socket, log = folder / "socket", folder / "log"
    command = [*before, installed / "bin" / "xdplab", "broker", "--group", GROUP]
    try:
        with log.open("wb") as errors:
            process = _start([*command, "--socket", socket, *options], errors)
        try:
            started = eventually(lambda: "serves" in log.read_text() or process.poll() is not None)
            assert started and process.poll() is None, log.read_text()
            yield Broker(process, socket, log)
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(30)
            assert status in (0, -signal.SIGKILL), f"status {status}: {log.read_text()}"
    finally:
        shutil.rmtree(folder)


def _start(command: list[object], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(list(map(str, command)), stderr=errors, stdin=subprocess.DEVNULL)
