"""The definition of a benchmark: what it measures, its options, and the layout of its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xdplab.bench.options import Option
from xdplab.bench.report.report import Column, result_table
from xdplab.bench.rounds import Rounds
from xdplab.core.table import Table, Tabled

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Benchmark:
    """A benchmark, for Python, the command and the table of results.

    Parameters
    ----------
    name
        Its name.
    help
        One line of help for the command.
    options
        Its options by name, ``rounds`` and ``seconds`` among them.
    measure
        Takes the `Rounds` and the other options; returns the result. `OneWire` is one that takes
        only data.
    title
        Title of the table, after the name.
    columns
        Columns of the table, after the one with the entries' names.
    group
        Returns the heading of an entry's table; entries with the same heading share a table.
    notes
        Returns the lines below the tables.
    """

    name: str
    help: str
    options: Mapping[str, Option]
    measure: Callable[..., dict[str, Any]]
    title: str
    columns: tuple[Column, ...]
    group: Callable[[Mapping[str, Any]], str] = field(default=lambda _entry: "")
    notes: Callable[[Result], list[str]] = field(default=lambda _result: [])

    def run(self, *, quiet: bool = False, **given: Any) -> Outcome:
        """Run it: all its entries take turns, every second round in reverse order.

        Parameters
        ----------
        quiet
            Whether to do without the progress bar, which is drawn on a terminal only.
        given
            Values of its `options`; those left out have their defaults.

        Returns
        -------
        dict
            The result, for JSON, shown as a table. `docs/benchmarks.md` describes its fields.

        Raises
        ------
        ConfigurationError
            For values out of range.
        KernelError
            When no lab or no generator can be made here. The result has the errors of single
            entries.
        """
        defaults = {name: option.default for name, option in self.options.items()}
        chosen = {**defaults, **given}
        turns = Rounds(self.name, chosen.pop("rounds"), chosen.pop("seconds"), quiet)
        checked = {
            name: self.options[name].check(name, value) if name in self.options else value
            for name, value in chosen.items()
        }
        return Outcome(self.measure(turns, **checked), self)


class Outcome(Tabled, dict[str, Any]):
    """The result of a benchmark, shown as a table.

    Parameters
    ----------
    result
        Its fields.
    benchmark
        The benchmark that it is of.
    """

    def __init__(self, result: Result, benchmark: Benchmark) -> None:
        super().__init__(result)
        self._benchmark = benchmark

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        """Be its fields alone in another process."""
        return dict, (dict(self),)

    def _table(self) -> Table:
        return result_table(self._benchmark, self)
