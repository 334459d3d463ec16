"""The findings as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from xdplab.doctor.finding import Finding, can_capture, listed, outcome

if TYPE_CHECKING:
    from rich.console import RenderableType

_COLOURS = {"good": "green", "limited": "yellow", "missing": "red"}


def report(findings: Iterable[Finding]) -> RenderableType:
    """Draw the findings as a table, each with its remedy below it, and the outcome at the end."""
    from rich.console import Group  # noqa: PLC0415 - so that `import xdplab` need not pay for it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    findings = listed(findings)
    table = Table.grid(padding=(0, 2))
    for column in ("verdict", "name"):
        table.add_column(column, no_wrap=True)
    table.add_column("seen", overflow="fold")
    for finding in findings:
        said = Text(finding.seen)
        if finding.remedy:
            said.append(f"\n→ {finding.remedy}", style="cyan")
        verdict = Text(finding.verdict, style=_COLOURS[finding.verdict])
        table.add_row(verdict, Text(finding.name), said)
    style = "bold green" if can_capture(findings) else "bold red"
    return Group(table, Text(), Text(f"{outcome(findings)}.", style=style))
