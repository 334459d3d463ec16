"""The tables that a terminal shows of a benchmark's result, and the notes below them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from xdplab.core.output import laid_out

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from xdplab.bench.benchmark import Benchmark

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column, and what it shows of an entry.

    Parameters
    ----------
    heading
        With the unit in a second line.
    show
        Given the entry, returns the cell; the empty string where there is nothing to show.
    figure
        The figure whose median it shows, if it does.
    scale
        What the figure is divided by.
    drawn
        Under which title a report draws it; empty where it does not. The first one with a figure,
        and times a packet, are drawn anyway.
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
    """Show the median of a figure, with digits to suit it unless told otherwise."""

    def show(entry: Entry) -> str:
        return number(entry[figure]["median"] / scale, digits) if entry[figure] else ""

    return Column(heading, show, figure, scale, drawn)


def least_to_most(figure: str, scale: float = 1, digits: int | None = None) -> Column:
    """Show from where to where a figure went."""

    def show(entry: Entry) -> str:
        if not (spread := entry[figure]):
            return ""
        return "-".join(number(spread[end] / scale, digits) for end in ("least", "most"))

    return Column("least-most", show)


def number(value: float, digits: int | None = None) -> str:
    """Write a number with so many digits behind the point; one below 100 unless told otherwise."""
    return f"{value:.{(1 if value < 100 else 0) if digits is None else digits}f}"


def costs(*names: str) -> tuple[Column, ...]:
    """Show nanoseconds a packet, by who spent them."""
    shown = names or ("user", "idle", "sys", "softirq")
    return tuple(median(f"{name}\nns", f"{name}_ns_per_packet") for name in shown)


def versions(result: Mapping[str, Any]) -> str:
    """Name the programs that took part, with their versions as they said them."""
    told = {entry["program"]: entry["version"] for entry in result["entries"] if entry["version"]}
    return ", ".join(f"{program} {version}" for program, version in told.items())


COSTS_NOTE = "ns are for a packet, idle is empty polls, softirq is on both cores"


def render(benchmark: Benchmark, result: Mapping[str, Any]) -> str:
    """Lay out a result for the terminal that standard output is, or for a file."""

    def write(console: Console) -> None:
        for group, entries in groupby(result["entries"], benchmark.group):
            console.print(_table(benchmark, result, group, list(entries)))
        for line in notes(benchmark, result):
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    return laid_out(write)


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
        cells = [column.show(entry) for column in benchmark.columns]
        if entry["status"] != "measured":
            cells[0] = entry["status"]
        label = "\n  ineffective here" if entry["ineffective"] else ""
        style = "bold" if entry["name"] == result.get("best") else ""
        table.add_row(Text(entry["name"] + label), *cells, style=style)
    return table


def notes(benchmark: Benchmark, result: Mapping[str, Any]) -> list[str]:
    """Say how the figures came about, what they mean, and why some are missing."""
    return [*_common_notes(result), *benchmark.notes(result), *_entry_notes(result)]


def _common_notes(result: Mapping[str, Any]) -> list[str]:
    rounds, machine, traffic = result["rounds"], result["machine"], result["traffic"]
    return [
        f"medians of {rounds} round{'s' if rounds > 1 else ''} of {result['seconds']:g} s, "
        f"{traffic['size']}-byte frames over {machine['driver']}",
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}",
    ]


def _entry_notes(result: Mapping[str, Any]) -> list[str]:
    """Say why an entry has no figures, or figures that mean little; the same thing once."""
    told: dict[str, None] = {}
    for entry in result["entries"]:
        if entry["reason"]:
            status = "" if entry["status"] == "missing" else f"{entry['status']}: "
            told[f"{entry['name']}: {status}{entry['reason']}"] = None
        if entry["ineffective"]:
            told[f"{entry['name']} is ineffective here: {entry['ineffective']}"] = None
    return list(told)
