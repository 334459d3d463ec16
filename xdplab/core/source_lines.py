"""Lines of a source, as an error shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_AROUND = 2  # lines on either side


class SourceLine(NamedTuple):
    """A line of a source that an error is about."""

    file: str
    """Its name, without folders."""
    line: int
    """From 1."""
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def excerpt(source: Sequence[str], line: int, around: int = _AROUND) -> list[str]:
    """Return a line with its neighbours, numbered, with an arrow, as IPython shows lines.

    Parameters
    ----------
    source
        All lines of it.
    line
        Number of the line, from 1; outside of the source there is nothing to return.
    around
        How many lines to show on either side.
    """
    if not 0 < line <= len(source):
        return []
    return [
        f"{'----> ' if number == line else '      '}{number} {source[number - 1]}".rstrip()
        for number in range(max(1, line - around), min(len(source), line + around) + 1)
    ]
