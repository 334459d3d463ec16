"""The static picture of the frame table: its newest rows, as HTML and as text."""

from __future__ import annotations

import html
from collections.abc import Sequence

from xdplab.widgets.frames.feed import FrameRow
from xdplab.widgets.pictures.picture import Bundle

MOST_ROWS = 20

_CELL = "padding: 1px 12px 1px 0; text-align: left; white-space: nowrap"
_COLUMNS = ("time", "queue", "verdict", "source", "destination", "protocol", "length", "summary")


def picture_of(rows: Sequence[FrameRow], simulated: bool = False) -> Bundle:
    """Return a table of the newest rows.

    Parameters
    ----------
    rows
        Oldest first.
    simulated
        Whether to mark it as simulated.
    """
    newest = rows[-MOST_ROWS:]
    cells = [[str(getattr(row, column)) for column in _COLUMNS] for row in newest]
    left_out = len(rows) - len(newest)
    said = [f"the newest {len(newest)} of {len(rows)} frames"] if left_out else []
    said += ["simulated"] if simulated else []
    above = ", ".join(said)
    return {
        # Frames hold bytes that others have sent, so all text is escaped.
        "text/html": '<div class="xdplab-picture" style="font-size: 13px; overflow-x: auto">'
        f"{above}<table><thead>"
        f"{_row('th', _COLUMNS)}</thead><tbody>{''.join(_row('td', row) for row in cells)}"
        "</tbody></table></div>",
        "text/plain": "\n".join(
            (["simulated"] if simulated else [])
            + (["  ".join(row) for row in cells] or ["no frame was sampled"])
        ),
    }


def _row(tag: str, cells: Sequence[str]) -> str:
    marked = (f'<{tag} style="{_CELL}">{html.escape(cell)}</{tag}>' for cell in cells)
    return f"<tr>{''.join(marked)}</tr>"
