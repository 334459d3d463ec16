"""The definition of a benchmark: the function that runs it, and the layout of its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from xdplab.bench.report.report import Column

Result = Mapping[str, Any]


class Option(NamedTuple):
    """A parameter that the command line offers.

    The command line reads values of the type of its default, several if that is a tuple.
    """

    default: int | float | str | tuple[float, ...] | tuple[str, ...]
    help: str


@dataclass(frozen=True)
class Benchmark:
    """A benchmark, for the command and the table of results.

    Parameters
    ----------
    run
        Takes the options and ``quiet``; returns the result for JSON. Its name is the benchmark's.
    help
        One line of help for the command.
    options
        The options of `run`, by name.
    title
        Title of the table, after the name.
    columns
        Columns of the table, after the one with the entries' names.
    group
        Returns the heading of an entry's table; entries with the same heading share a table.
    notes
        Returns the lines below the tables.
    """

    run: Callable[..., dict[str, Any]]
    help: str
    options: Mapping[str, Option]
    title: str
    columns: tuple[Column, ...]
    group: Callable[[Mapping[str, Any]], str] = field(default=lambda _entry: "")
    notes: Callable[[Result], list[str]] = field(default=lambda _result: [])

    @property
    def name(self) -> str:
        """Name of the benchmark."""
        return self.run.__name__
