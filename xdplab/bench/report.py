"""The table that a terminal shows of a benchmark's result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

_MILLION = 1e6
_COSTS = {
    "user": "user_ns_per_packet",
    "idle": "idle_ns_per_packet",
    "sys": "sys_ns_per_packet",
    "softirq": "softirq_ns_per_packet",
}


def table(result: Mapping[str, Any]) -> str:
    """Lay out the result of a benchmark for the terminal that standard output is, or for a file.

    Parameters
    ----------
    result
        What `rxdrop` returned.
    """
    console = Console()
    with console.capture() as captured:
        console.print(_entries(result))
        for line in _notes(result):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return captured.get().rstrip("\n")


def _entries(result: Mapping[str, Any]) -> Table:
    simulated = " [simulated]" if result["simulated"] else ""
    # Without frame or padding to spare: it fits a terminal of 80 columns.
    drawn = Table(
        title=f"{result['benchmark']}{simulated}: million packets a second, medians",
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    drawn.add_column("receiver", overflow="fold")
    for heading in ("received", "least-most", "sent", "ratio", *(f"{cost}\nns" for cost in _COSTS)):
        drawn.add_column(heading, justify="right", no_wrap=True)
    for entry in result["entries"]:
        rate = entry["rx_pps"]
        drawn.add_row(
            entry["name"],
            _millions(rate, "median") if entry["status"] == "measured" else entry["status"],
            f"{_millions(rate, 'least')}-{_millions(rate, 'most')}" if rate else "",
            _millions(entry["sent_pps"], "median"),
            "" if entry["ratio"] is None else f"{entry['ratio']:.2f}",
            *(_nanoseconds(entry[key]) for key in _COSTS.values()),
            style="bold" if entry["name"] == result["best"] else "",
        )
    return drawn


def _notes(result: Mapping[str, Any]) -> list[str]:
    rounds, machine = result["rounds"], result["machine"]
    notes = [
        f"{rounds} round{'s' if rounds > 1 else ''} of {result['seconds']:g} s, "
        f"{result['traffic']['size']}-byte frames over {machine['driver']}; ns are for a packet, "
        "idle is empty polls",
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}",
    ]
    versions = {entry["program"]: entry["version"] for entry in result["entries"]}
    notes.append(", ".join(f"{program} {text}" for program, text in versions.items() if text))
    if result["ratio"] is not None:
        notes.append(f"{result['best']} is at {result['ratio']:.2f} of {result['reference']}")
    for entry in result["entries"]:
        if entry["reason"]:
            status = "" if entry["status"] == "missing" else f"{entry['status']}: "
            notes.append(f"{entry['name']}: {status}{entry['reason']}")
    return notes


def _millions(spread: Mapping[str, float] | None, which: str) -> str:
    return f"{spread[which] / _MILLION:.2f}" if spread else ""


def _nanoseconds(spread: Mapping[str, float] | None) -> str:
    if not spread:
        return ""
    return f"{spread['median']:.{1 if spread['median'] < 100 else 0}f}"
