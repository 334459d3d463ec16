"""An XDP program of the user's, loaded by this process."""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Sequence
from threading import Event
from typing import TYPE_CHECKING

from xdplab.core.descriptors import close_all
from xdplab.core.errors import ClosedError, ConfigurationError, KernelError
from xdplab.net.namespace import to_the_end
from xdplab.programs.loading import attach_program, load_program, replace_program
from xdplab.programs.maps import MapFacts
from xdplab.programs.printed_lines import PrintedLines
from xdplab.programs.running import Ran, run_program
from xdplab.programs.spec import parse, refusal
from xdplab.programs.statistics import CLOSED, RunCounts, StatisticsOn, read_runs
from xdplab.refusals.remedies import Place

if TYPE_CHECKING:
    from xdplab.core.closing import Closing
    from xdplab.net.interface import Interface


class KernelProgram:
    """Holds the descriptor of a program, in this process.

    `data` and `name` are as `Backend.load_program` takes them; XSKMAPs have at least `queues`
    entries.
    """

    def __init__(self, data: bytes, name: str, queues: int) -> None:
        try:
            spec = parse(data, name).for_queues(queues)
        except ConfigurationError as error:
            raise refusal(error) from error
        self._program, descriptors = load_program(spec)
        self._closer = weakref.finalize(self, os.close, self._program)
        facts = (MapFacts(*(getattr(one, name) for name in MapFacts._fields)) for one in spec.maps)
        self.maps = list(zip(facts, descriptors, strict=True))

    def attach(self, interface: Interface, attach_mode: int) -> int:
        """Attach it in the interface's namespace."""
        made: list[int] = []
        place = Place(interface, own_program=True)

        def attach() -> None:
            made.append(attach_program(self._program, interface.index, attach_mode, place))

        try:
            # An interrupt must not leave a link that nobody holds.
            to_the_end(lambda: interface.namespace.run(attach))
        except BaseException:
            close_all(made)
            raise
        return made[0]

    def replace(self, link: int) -> None:
        """Take the place of the program of a link."""
        replace_program(link, self._program)

    def run(
        self, interface: Interface, frames: Sequence[bytes], repeat: int, queue: int
    ) -> list[Ran]:
        """Run it in the interface's namespace, one frame after the other."""
        is_given_up = Event()
        place = Place(interface, own_program=True)

        def run() -> list[Ran]:
            ran: list[Ran] = []
            while len(ran) < len(frames) and not is_given_up.is_set():
                given = frames[len(ran)], repeat, interface.index, queue
                try:
                    ran.append(run_program(self._program, *given, place=place))
                except KernelError as error:
                    if error.errno != errno.EINTR:  # of a signal that ends nothing
                        raise
            return ran

        try:
            return interface.namespace.run(run)
        finally:
            is_given_up.set()  # an interrupt ends the wait, not the thread

    def turn_on_statistics(self) -> Closing:
        """Turn them on in this process."""
        return to_the_end(StatisticsOn)  # an interrupt must not leave them on

    def runs(self) -> RunCounts:
        """Ask the kernel."""
        if not self._closer.alive:  # the descriptor may be another file's now
            raise ClosedError(CLOSED)
        return read_runs(self._program)

    def open_printed(self) -> PrintedLines:
        """Have a trace buffer of this process's own."""
        return PrintedLines()

    def close(self) -> None:
        """Close the descriptor."""
        self._closer()
