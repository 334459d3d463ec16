"""A text filter for sampled frames: a few terms, all of which must hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from xdplab.widgets.frames.feed import FrameRow

SYNTAX = 'text  proto:udp  src:198.18.0.1  !arp  "two words"'
"""A hint for the user, shown in the empty box."""

# Fields that a term must equal as a whole, or of which any part may match.
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
    """Terms separated by spaces, all of which must hold; an empty filter passes every frame.

    ``udp`` holds if any part of the row contains it, ``proto:udp`` if the protocol is exactly that;
    likewise ``queue:``, ``verdict:`` and ``len:``. ``src:``, ``dst:`` and ``time:`` match a part of
    their field. ``!`` in front of a term negates it, quotes protect spaces, and case is ignored.

    Parameters
    ----------
    text
        The terms; any text is a valid filter.
    """

    def __init__(self, text: str = "") -> None:
        self.text = text
        self._terms = [
            _Term(negation == "!", field.lower(), words.strip('"').lower())
            for negation, field, words in _TERM.findall(text)
        ]

    def __call__(self, row: FrameRow) -> bool:
        """Return whether the row passes."""
        return all(term.holds(row) for term in self._terms)
