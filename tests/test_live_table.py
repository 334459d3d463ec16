"""The live table of `xdplab run` fits the terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from xdplab import Engine, Lab, Traffic
from xdplab.cli.terminal import _LiveTable


@pytest.mark.parametrize(
    ("columns", "widest", "heading"),
    [
        (132, 94, "the last 5 s, and settings"),
        (80, 80, "the last 3.6 s, and settings"),
        (60, 60, "the last 1.6"),
        (50, 41, ""),
        (42, 41, ""),
    ],
)
def test_it_is_whole_in_a_narrow_terminal_too(
    lab: Lab, columns: int, widest: int, heading: str
) -> None:
    with Engine(lab.port) as engine, Traffic(lab.peer, lab.port, rate=10_000) as traffic:
        table = _LiveTable(engine, traffic)
        for _update in range(60):
            shown = table.render(columns)
        console = Console(file=StringIO(), width=columns, legacy_windows=False)
        console.print(shown)
        lines = console.file.getvalue().splitlines()[1:]  # type: ignore[attr-defined]
    assert {len(line.rstrip()) for line in lines} == {widest}
    assert {line[-1] for line in lines} <= set("┓┃┩│┘")
    assert heading in lines[1]
    assert ("of 10,000 asked" in "\n".join(lines)) == bool(heading)
    assert len(lines) < 17
