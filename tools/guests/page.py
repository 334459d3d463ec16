"""Writes what the trials in all guests came to as a page: docs/what-works.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_HEAD = (
    "# What works where\n\n"
    "This page tells which modes, actions and wait strategies work on which kernel and card. "
    "`scripts/vm table` makes it, in [virtual machines](virtual-machines.md): in each combination "
    "50 frames are sent, must be received, and with `reflect` and `echo` be back at their "
    "sender.\n\n"
    "- **works**: all of them came.\n"
    "- **no effect**: all came, and the strategy can do nothing there, as "
    "`engine.wait_ineffective` says.\n"
    "- **refused**: in the words below the table.\n"
    "- **lost**: in the ledger's words below the table.\n"
)


def write_page(page: Path, said: Mapping[tuple[str, str], str]) -> None:
    """Write the page.

    Parameters
    ----------
    page
        The file.
    said
        What `guests.trials` printed, by kernel and card.
    """
    parts = [_HEAD, f"Made on {datetime.now(UTC):%Y-%m-%d}.\n"]
    for (kernel, card), lines in said.items():
        release, *trials = (json.loads(line) for line in lines.splitlines())
        parts.append(f"## Kernel {kernel}, {card}\n\nLinux {release['release']}.\n")
        parts.append("\n".join(_table(trials)) + "\n")
    page.write_text("\n".join(parts))


def _table(trials: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Return a table of outcomes, and below it each reason once."""
    by_place = {(each["wait"], each["mode"], each["action"]): each for each in trials}
    columns = list(dict.fromkeys((mode, action) for _wait, mode, action in by_place))
    numbers: dict[str, int] = {}
    yield "| wait | " + " | ".join(f"{mode}, {action}" for mode, action in columns) + " |"
    yield "| --- |" + " --- |" * len(columns)
    for wait in dict.fromkeys(wait for wait, _mode, _action in by_place):
        cells = [_cell(by_place[wait, *column], numbers) for column in columns]
        yield f"| `{wait}` | " + " | ".join(cells) + " |"
    if numbers:
        yield ""
    for words, number in numbers.items():
        yield f"{number}. {' '.join(words.split())}"


def _cell(trial: Mapping[str, Any], numbers: dict[str, int]) -> str:
    if not trial["words"]:
        return str(trial["outcome"])
    return f"{trial['outcome']} ({numbers.setdefault(trial['words'], len(numbers) + 1)})"
