"""The filter of the frame table: tcpdump's syntax, and what only the table knows of a frame."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from xdplab.core.checks import choice
from xdplab.core.errors import ConfigurationError
from xdplab.native.records import VERDICTS
from xdplab.net.packet_filter import PacketFilter

if TYPE_CHECKING:
    from xdplab.widgets.frames.feed import FrameRow

EXAMPLES = ("port 1234", "icmp or udp", "not arp", "src host 198.18.0.1", "verdict:drop")
"""For the user, shown in the empty box and where nothing passes."""

# An "and" between such a term and an expression is left out with it.
_TERM = re.compile(r"(?:(?<!\S)(?:and|&&)\s+)?(?<!\S)(!?)(queue|verdict):(\S*)", re.IGNORECASE)
_AND = re.compile(r"^(?:and|&&)\s+", re.IGNORECASE)


class _Term(NamedTuple):
    negated: bool
    field: str
    value: str

    def holds(self, row: FrameRow) -> bool:
        return (str(getattr(row, self.field)) == self.value) != self.negated


class FrameFilter:
    """An expression in the syntax of tcpdump, such as ``udp and port 53``; empty passes all frames.

    Beside it may stand ``queue:0`` and ``verdict:drop``, which a packet does not tell; ``!`` in
    front negates one. All must hold.

    Parameters
    ----------
    text
        The filter. A frame of which only the first bytes were kept has its real length in it.

    Raises
    ------
    ConfigurationError
        With libpcap's own words, if it is no expression.
    """

    def __init__(self, text: str = "") -> None:
        self.text = text
        self._terms = [
            _Term(negation == "!", field.lower(), _checked(field.lower(), value))
            for negation, field, value in _TERM.findall(text)
        ]
        expression = _TERM.sub("", text).strip()
        if self._terms:
            expression = _AND.sub("", expression)
        self._packets = PacketFilter(expression) if expression else None

    def __call__(self, row: FrameRow) -> bool:
        """Return whether the row passes. A payload without its headers passes no expression."""
        if not all(term.holds(row) for term in self._terms):
            return False
        if self._packets is None:
            return True
        return not row.is_payload and self._packets.matches(row.frame, row.length)


def _checked(field: str, value: str) -> str:
    if field == "verdict":
        return choice("verdict", value.lower(), VERDICTS)
    if not (value.isascii() and value.isdigit()):
        raise ConfigurationError(f"queue:{value} needs the number of a queue, such as queue:0.")
    return str(int(value))
