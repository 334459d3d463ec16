"""The figures of a soak: a table, and the page that keeps it."""

from __future__ import annotations

import datetime
import os
import platform
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from soak.rounds import Outcome
from xdplab.bench.machine import cpu_model

_KINDS = {
    "capture": "captured",
    "sending": "sent back",
    "joined": "forwarded",
    "stream": "sent by the engine",
    "path": "by another path",
}


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the figures as a table of Markdown."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.recipe.backend, outcome.recipe.kind), []).append(outcome)
    lines = [
        "| packets | on | rounds | packets followed | reconfigurations | refused | unaccounted |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for (backend, kind), group in sorted(groups.items()):
        lines.append(_row(_KINDS[kind], backend, group))
    return "\n".join([*lines, _row("all", "", outcomes)])


def _row(name: str, backend: str, group: Sequence[Outcome]) -> str:
    done = sum((outcome.done for outcome in group), Counter())
    refused = sum(times for step, times in done.items() if step.startswith("refused"))
    figures = (len(group), sum(o.packets for o in group), done["reconfigure"], refused, 0)
    cells = " | ".join(f"{figure:,}" for figure in figures)
    return f"| {name} | {backend} | {cells} |"


def steps(outcomes: Sequence[Outcome]) -> str:
    """Say what was done while packets flowed."""
    done = sum((outcome.done for outcome in outcomes), Counter())
    return ", ".join(f"{name} {times:,}" for name, times in sorted(done.items()))


def write_page(path: Path, outcomes: Sequence[Outcome], seed: int, seconds: float) -> None:
    """Write the page."""
    today = datetime.datetime.now(datetime.UTC).date()
    kernel = platform.release().partition("-")[0]
    path.write_text(
        f"""# Soak

`make soak MINUTES=30 PAGE=docs/soak.md` writes this page. It draws labs, engines, traffic, and what
is done to them while packets flow, at random, and holds the ledger of each round to the packet. A
round that does not add up, or an engine that ends by itself, fails the soak.

Last run: {today}, {seconds / 60:.0f} minutes with `SEED={seed}`, on Linux {kernel}, {cpu_model()},
{len(os.sched_getaffinity(0))} cores.

{table(outcomes)}

Steps while packets flowed: {steps(outcomes)}. What is refused, such as zero-copy on a veth, must
leave the engine as it was.

`make soak SEED={seed} ROUND=7` runs the round of that number again.
"""
    )
