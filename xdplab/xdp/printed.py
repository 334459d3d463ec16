"""The lines that a program prints with bpf_printk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from xdplab.core.closing import Closing
from xdplab.core.errors import ClosedError
from xdplab.core.locks import new_lock
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted
from xdplab.xdp.records import Records, longest_wait

if TYPE_CHECKING:
    from xdplab.programs.printed_lines import PrintedLines


class PrintedLine(NamedTuple):
    r"""One line that was printed.

    Attributes
    ----------
    time_ns
        When, by the clock of ``time.monotonic_ns()``, to the microsecond.
    cpu
        The core that the program ran on.
    text
        What it printed. Bytes that are not UTF-8 are written as ``\xff``.
    """

    time_ns: int
    cpu: int
    text: str

    def __str__(self) -> str:
        return f"{self.time_ns / 1e9:.6f} core {self.cpu}: {self.text}"


class ReadLines(Tabled, tuple[PrintedLine, ...]):
    """Lines that were read at once: a tuple, shown as a table."""

    __slots__ = ()

    def _table(self) -> Table:
        rows = [(f"{each.time_ns / 1e9:.6f}", str(each.cpu), each.text) for each in self]
        headings = ("time, s", "core", "text")
        return Table(self._brief()[1:-1], rows, headings if rows else ())

    def _brief(self) -> str:
        return f"<{counted(len(self), 'printed line')}>"


class Printed(Tabled, Closing):
    """Lines that a program prints with bpf_printk, from when this was made until `close`.

    `Program.printed` makes it. While it is open, each bpf_printk of the machine costs a little
    more. Its lines are its own: another reader, such as ``trace_pipe``, gets them, too.
    """

    def __init__(self, lines: PrintedLines, formats: Sequence[re.Pattern[bytes]] | None) -> None:
        self._lines, self._formats = lines, formats
        self._lock = new_lock()
        self._read = 0
        self._closed = False

    @property
    def lost(self) -> int:
        """Lines of all programs that found no room in the kernel's buffer, as far as was read."""
        return self._lines.lost

    def records(self, *, timeout: float | None = None) -> Records:
        """Iterate over the lines as they come, with ``for`` or ``async for``.

        Parameters
        ----------
        timeout
            Iteration ends when no line came for so many seconds, or when this is closed. None waits
            without a limit.

        Returns
        -------
        Records
            Gives each `PrintedLine`.
        """
        return Records(self._fileno, self.read, longest_wait(timeout))

    def read(self) -> ReadLines:
        """Return the lines that wait, some 4,096 at most.

        Raises
        ------
        ClosedError
            After `close`.
        """
        with self._lock:
            self._fileno()
            taken = self._lines.take()
            lines = ReadLines(
                PrintedLine(each.time_ns, each.cpu, each.text.decode(errors="backslashreplace"))
                for each in taken
                if self._formats is None or any(one.fullmatch(each.text) for one in self._formats)
            )
            self._read += len(lines)
            return lines

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Let go of the kernel's buffer, and of the lines that wait. A second call does nothing."""
        with self._lock:
            self._closed = True
            self._lines.close()

    def _fileno(self) -> int:
        if self._closed:
            raise ClosedError("this was closed. Begin anew: program.printed().")
        return self._lines.fileno()

    def _table(self) -> Table:
        rows = [("lines read", f"{self._read:,}"), ("lost, of all programs", f"{self.lost:,}")]
        whose = "all BPF programs" if self._formats is None else "a program"
        return Table(f"Printed lines of {whose}{', closed' if self.closed else ''}", rows)

    def _brief(self) -> str:
        state = ", closed" if self.closed else ""
        return f"<Printed lines: {self._read:,} read, {self.lost:,} lost{state}>"
