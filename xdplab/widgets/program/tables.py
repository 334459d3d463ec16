"""A program's maps, variables and source as HTML."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import TYPE_CHECKING

from xdplab.core.errors import ClosedError, XdplabError
from xdplab.core.table import Table
from xdplab.programs.spec import DATA_SECTIONS
from xdplab.xdp.maps import ArrayMap

if TYPE_CHECKING:
    from xdplab.xdp.maps import Map
    from xdplab.xdp.program import Program

_MOST_ROWS = 12
_MOST_ENTRIES = 4096  # of a map that is read twice a second
_MOST_LINES = 5000

_PAGE = "max-height: 420px; overflow: auto; line-height: 1.4; font-size: 12px"
_CODE = "font-family: var(--jp-code-font-family, monospace); white-space: pre; margin: 0"


def state_html(program: Program) -> str:
    """Return the program's variables and maps, with what they hold now."""
    try:
        tables = [*_variables(program), *map(_of_map, _maps(program))]
    except ClosedError as error:
        tables = [Table(str(error))]
    shown = "".join(table.html() for table in tables) or Table("It has no maps.").html()
    return f'<div style="{_PAGE}">{shown}</div>'


def source_html(program: Program) -> str:
    """Return the program's source, its lines numbered."""
    if not program.source:
        words = "It was loaded from an object file: program.disassemble() has what is in it."
        return f'<div style="{_PAGE}">{html.escape(words)}</div>'
    lines = program.source.splitlines()[:_MOST_LINES]
    width = len(str(len(lines)))
    numbered = "\n".join(
        f'<span style="opacity: 0.5">{number:>{width}}</span>  {html.escape(line)}'
        for number, line in enumerate(lines, 1)
    )
    return f'<div style="{_PAGE}"><pre style="{_CODE}">{numbered}</pre></div>'


def _variables(program: Program) -> Iterator[Table]:
    rows = [(name, str(value)) for name, value in program.variables.items()]
    if rows:
        yield Table("variables", rows)


def _maps(program: Program) -> list[Map]:
    return [each for name, each in program.maps.items() if not name.startswith(DATA_SECTIONS)]


def _of_map(one: Map) -> Table:
    facts = f"{one.name}: {one.row[1]}, room for {one.entries:,}"
    if not isinstance(one, ArrayMap):
        return Table(facts)
    if one.entries > _MOST_ENTRIES:
        return Table(facts, lines=["It is too large to be read all the time."])
    try:
        full = one._table()
    except ClosedError:
        raise
    except XdplabError as error:  # as where it changes too fast
        return Table(facts, lines=[str(error)])
    kept = list(full.rows[:_MOST_ROWS])
    more = len(full.rows) - len(kept)
    return Table(facts, kept, full.headings if kept else (), [f"{more:,} more"] if more else [])
