"""Which frames are wanted: a few words, all of which must be there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from xdplab.widgets.frames.rows import FrameRow

SYNTAX = 'text  proto:udp  src:198.18.0.1  !arp  "two words"'
"""For whoever is about to type one."""

# What a field is compared with: the whole of it, or any part.
_WHOLE = {"queue": "queue", "verdict": "verdict", "proto": "protocol", "len": "length"}
_PART = {"src": "source", "dst": "destination", "time": "time"}
# A colon after anything else belongs to an address.
_TERM = re.compile(rf'(!?)(?:({"|".join((*_WHOLE, *_PART))}):)?("[^"]*"|\S+)', re.IGNORECASE)


class _Term(NamedTuple):
    negated: bool
    field: str
    text: str

    def holds(self, row: FrameRow) -> bool:
        if self.field in _WHOLE:
            found = str(getattr(row, _WHOLE[self.field])).lower() == self.text
        elif self.field in _PART:
            found = self.text in getattr(row, _PART[self.field]).lower()
        else:
            found = self.text in row.line
        return found != self.negated


class FrameFilter:
    """Terms between spaces, of which each must hold; nothing lets every frame through.

    ``udp`` holds where any part of the row has it, ``proto:udp`` where the protocol is exactly
    that, likewise ``queue:``, ``verdict:`` and ``len:``; ``src:``, ``dst:`` and ``time:`` look for
    a part of theirs. ``!`` in front of a term is its opposite, quotes keep spaces together, and
    capital letters count as small ones.

    Parameters
    ----------
    text
        Any text is a filter.
    """

    def __init__(self, text: str = "") -> None:
        self.text = text
        self._terms = [
            _Term(negation == "!", field.lower(), words.strip('"').lower())
            for negation, field, words in _TERM.findall(text)
        ]

    def __call__(self, row: FrameRow) -> bool:
        """Tell whether it lets the row through."""
        return all(term.holds(row) for term in self._terms)
