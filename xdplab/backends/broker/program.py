"""An XDP program of the user's, loaded by the broker, which keeps its descriptor."""

from __future__ import annotations

import errno
import fcntl
import os
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from xdplab.backends.broker.refusals import told_here
from xdplab.broker import protocol
from xdplab.broker.client import connect
from xdplab.core.errors import ClosedError, KernelError, PermissionRefusedError
from xdplab.programs.maps import MapFacts
from xdplab.programs.printed_lines import ONLY_ROOT, TRIED
from xdplab.programs.running import Ran
from xdplab.programs.statistics import CLOSED, RunCounts
from xdplab.refusals.remedies import Place

if TYPE_CHECKING:
    from xdplab.broker.client import Connection
    from xdplab.core.closing import Closing
    from xdplab.net.interface import Interface


class BrokerProgram:
    """A program of a session, by its number there.

    Parameters
    ----------
    session
        A session in the interface's namespace. Programs share it, since a session replaces only
        programs of links that it made.
    data, name, queues
        As `KernelProgram` takes them.
    """

    def __init__(self, session: Connection, data: bytes, name: str, queues: int) -> None:
        file = _sealed(data)
        try:
            arguments = {"name": name, "queues": queues}
            answer, descriptors = session.request("load_object", arguments, [file])
        finally:
            os.close(file)
        self.maps = [
            (MapFacts(**facts), descriptor)
            for facts, descriptor in zip(answer["maps"], descriptors, strict=True)
        ]
        self._session, self._number = session, answer["program"]

    def attach(self, interface: Interface, attach_mode: int) -> int:
        """Let the session attach it."""
        arguments = {
            "program": self._number,
            "interface": interface.index,
            "attach_mode": attach_mode,
        }
        with told_here(Place(interface, own_program=True)):
            return self._session.request("attach_object", arguments)[1][0]

    def replace(self, link: int) -> None:
        """Let the session replace it."""
        self._session.request("replace_object", {"program": self._number}, [link])

    def run(
        self, interface: Interface, frames: Sequence[bytes], repeat: int, queue: int
    ) -> list[Ran]:
        """Let the session run it, a frame a request."""
        return [self._run(interface, frame, repeat, queue) for frame in frames]

    def _run(self, interface: Interface, frame: bytes, repeat: int, queue: int) -> Ran:
        arguments = {
            "program": self._number,
            "interface": interface.index,
            "frame": b64encode(frame).decode(),
            "repeat": repeat,
            "queue": queue,
        }
        answer, _ = self._session.request("run_object", arguments)
        output = b64decode(answer["output"])
        return Ran(answer["verdict"], output, answer["nanoseconds"])

    def turn_on_statistics(self) -> Closing:
        """Let another session turn them on, which has the privilege and does nothing else."""
        return connect(protocol.STATISTICS)

    def runs(self) -> RunCounts:
        """Let the session ask."""
        if not self._number:
            raise ClosedError(CLOSED)
        return RunCounts(**self._session.request("runs_of_object", {"program": self._number})[0])

    def open_printed(self) -> NoReturn:
        """Refuse it: the lines of all programs are in one buffer, and not for a client to read."""
        raise PermissionRefusedError(TRIED, errno.EPERM, ONLY_ROOT)

    def close(self) -> None:
        """Let the session close its descriptor."""
        number, self._number = self._number, 0
        if number:
            with suppress(ClosedError, KernelError):  # the session has ended, and its programs too
                self._session.request("unload_object", {"program": number})


def _sealed(data: bytes) -> int:
    """Put an object file into a memfd that nobody changes, and return its descriptor."""
    memory = os.memfd_create("xdplab-object", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with os.fdopen(os.dup(memory), "wb") as file:
            file.write(data)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(memory)
        raise
    return memory
