"""The tables of a benchmark's result for a terminal, and the notes below them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from xdplab.core import table as core_table
from xdplab.core.output import laid_out
from xdplab.ledger.offered import shortfall

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from xdplab.bench.benchmark import Benchmark

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Parameters
    ----------
    heading
        The heading, with the unit in a second line.
    show
        Returns an entry's cell, or an empty string.
    figure
        The figure whose median it shows, if any.
    scale
        Divisor of the figure.
    drawn
        Title of its bars in a report; empty: not drawn. The first column with a figure, and times
        per packet, are always drawn.
    """

    heading: str
    show: Callable[[Entry], str]
    figure: str | None = None
    scale: float = 1
    drawn: str = ""


def median(
    heading: str,
    figure: str,
    scale: float = 1,
    digits: int | None = None,
    *,
    drawn: str = "",
) -> Column:
    """Show the median of a figure, by default with a suitable number of digits."""

    def show(entry: Entry) -> str:
        return number(entry[figure]["median"] / scale, digits) if entry[figure] else ""

    return Column(heading, show, figure, scale, drawn)


def least_to_most(figure: str, scale: float = 1, digits: int | None = None) -> Column:
    """Show the least and the greatest value of a figure."""

    def show(entry: Entry) -> str:
        if not (spread := entry[figure]):
            return ""
        return "-".join(number(spread[end] / scale, digits) for end in ("least", "most"))

    return Column("least-most", show)


def number(value: float, digits: int | None = None) -> str:
    """Return a number with so many decimal digits; by default with one if below 100."""
    return f"{value:.{(1 if value < 100 else 0) if digits is None else digits}f}"


def costs(*names: str) -> tuple[Column, ...]:
    """Show nanoseconds per packet, one column for each part."""
    shown = names or ("user", "idle", "sys", "softirq")
    return tuple(median(f"{name}\nns", f"{name}_ns_per_packet") for name in shown)


def versions(result: Mapping[str, Any]) -> str:
    """Return the programs of the result, with their versions as printed by them."""
    told = {entry["program"]: entry["version"] for entry in result["entries"] if entry["version"]}
    return ", ".join(f"{program} {version}" for program, version in told.items())


def against_reference(result: Mapping[str, Any]) -> list[str]:
    """Return a line on the ratio of the fastest entry to the reference, if both were measured."""
    if result["ratio"] is None:
        return []
    return [f"{result['best']} is at {result['ratio']:.2f} of {result['reference']}"]


COSTS_NOTE = "ns are for a packet, idle is empty polls, softirq is on both cores"


def render(benchmark: Benchmark, result: Mapping[str, Any]) -> str:
    """Return a result as text, to suit standard output: a terminal or a file."""

    def write(console: Console) -> None:
        for group, entries in groupby(result["entries"], benchmark.group):
            console.print(_table(benchmark, result, group, list(entries)))
        for line in notes(benchmark, result):
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    return laid_out(write)


def result_table(benchmark: Benchmark, result: Mapping[str, Any]) -> core_table.Table:
    """Return a result as one table, for a notebook."""
    rows, grouped = [], any(map(benchmark.group, result["entries"]))
    for entry in result["entries"]:
        cells = _cells(benchmark, entry)
        rows.append((entry["name"], *([benchmark.group(entry)] if grouped else []), *cells))
    simulated = " [simulated]" if result["simulated"] else ""
    columns = [column.heading.replace("\n", " ") for column in benchmark.columns]
    headings = ("", *([""] if grouped else []), *columns)
    title = f"{benchmark.name}{simulated}: {benchmark.title}"
    return core_table.Table(title, rows, headings, notes(benchmark, result))


def _cells(benchmark: Benchmark, entry: Entry) -> list[str]:
    cells = [column.show(entry) for column in benchmark.columns]
    if entry["status"] != "measured":
        cells[0] = entry["status"]
    return cells


def _table(
    benchmark: Benchmark, result: Mapping[str, Any], group: str, entries: Sequence[Entry]
) -> Table:
    from rich import box  # noqa: PLC0415 - slow to import
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    simulated = " [simulated]" if result["simulated"] else ""
    title = f"{benchmark.name}{simulated}: {benchmark.title}{group and ', '}{group}"
    # Without frame or padding: it fits a terminal of 80 columns.
    table = Table(title=Text(title), box=box.SIMPLE, padding=0, pad_edge=False)
    table.add_column("", overflow="fold")
    for column in benchmark.columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for entry in entries:
        cells = _cells(benchmark, entry)
        label = "\n  ineffective here" if entry["ineffective"] else ""
        style = "bold" if entry["name"] == result.get("best") else ""
        table.add_row(Text(entry["name"] + label), *cells, style=style)
    return table


def notes(benchmark: Benchmark, result: Mapping[str, Any]) -> list[str]:
    """Return notes on how the figures were measured, their meaning, and missing ones."""
    return [*_common_notes(result), *benchmark.notes(result), *_entry_notes(result)]


def _common_notes(result: Mapping[str, Any]) -> list[str]:
    rounds, machine, traffic = result["rounds"], result["machine"], result["traffic"]
    return [
        f"medians of {rounds} round{'s' if rounds > 1 else ''} of {result['seconds']:g} s, "
        f"{traffic['size']}-byte frames over {machine['driver']}",
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}",
    ]


def _shortfall(entry: Entry) -> str:
    """Say of an entry's runs that less was sent than was asked for."""
    known = [run for run in entry["runs"] if run.get("asked_pps") and run.get("sent_pps")]
    if not known:
        return ""
    return shortfall(known[0]["asked_pps"], statistics.median(run["sent_pps"] for run in known))


def _entry_notes(result: Mapping[str, Any]) -> list[str]:
    """Return notes on entries without figures or with weak ones, each text once."""
    told: dict[str, None] = {}
    for entry in result["entries"]:
        if entry["reason"]:
            status = "" if entry["status"] == "missing" else f"{entry['status']}: "
            told[f"{entry['name']}: {status}{entry['reason']}"] = None
        if short := _shortfall(entry):
            told[f"{entry['name']}: {short}"] = None
        if entry["ineffective"]:
            told[f"{entry['name']} is ineffective here: {entry['ineffective']}"] = None
    return list(told)
