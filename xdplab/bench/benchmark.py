"""What a benchmark is: a function that runs it, and how its result is laid out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from xdplab.bench.report.report import Column

Result = Mapping[str, Any]


class Option(NamedTuple):
    """A parameter that the command line offers.

    The type of its default is what the command line reads; a tuple takes several.
    """

    default: int | float | str | tuple[float, ...] | tuple[str, ...]
    help: str


@dataclass(frozen=True)
class Benchmark:
    """A benchmark, as the command and the table of results know it.

    Parameters
    ----------
    run
        Takes the options, and ``quiet``; returns the result for JSON. Its name is the benchmark's.
    help
        One line for the command.
    options
        Those of `run`, by name.
    title
        What the table shows; behind the name.
    columns
        Of the table, behind the one with the entries' names.
    group
        Entries that it says the same of share a table; that is the heading.
    notes
        Lines below.
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
        """What it is called."""
        return self.run.__name__
