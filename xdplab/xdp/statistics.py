"""How often a program ran, and how long a run took."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING

from xdplab.core.closing import Closing
from xdplab.core.errors import ClosedError
from xdplab.core.table import Table, Tabled

if TYPE_CHECKING:
    from xdplab.backends.backend import LoadedProgram
    from xdplab.programs.statistics import RunCounts


class ProgramStatistics(Tabled, Closing):
    """Counts a program's runs, on all interfaces and in `Program.test_run`, until `close`.

    `Program.statistics` makes it. After `close` it keeps its counts.
    """

    def __init__(self, loaded: LoadedProgram) -> None:
        self._loaded = loaded
        self._switch: Closing | None = loaded.turn_on_statistics()
        try:
            self._begun = self._last = loaded.runs()
        except BaseException:
            self._switch.close()
            raise

    @property
    def runs(self) -> int:
        """Runs since it was made."""
        return self._read().runs - self._begun.runs

    @property
    def nanoseconds(self) -> float:
        """Mean time of a run, in ns, as the kernel measures it; 0 where there was none.

        The kernel's clock is in it: about 20 ns a run.
        """
        last = self._read()
        runs = last.runs - self._begun.runs
        return (last.total_ns - self._begun.total_ns) / runs if runs else 0.0

    def close(self) -> None:
        """Stop counting. A second call does nothing."""
        switch, self._switch = self._switch, None
        if switch is not None:
            with closing(switch), suppress(ClosedError):
                self._last = self._loaded.runs()

    def _read(self) -> RunCounts:
        if self._switch is not None:
            self._last = self._loaded.runs()
        return self._last

    def _table(self) -> Table:
        rows = [("runs", f"{self.runs:,}"), ("a run", f"{self.nanoseconds:,.0f} ns")]
        return Table("Statistics of a program", rows)

    def _brief(self) -> str:
        return f"<Statistics of a program: {self.runs:,} runs, {self.nanoseconds:,.0f} ns each>"
