"""Reads what a person types for a knob."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from xdplab.core.errors import ConfigurationError
from xdplab.core.text import number_of
from xdplab.knobs.row import Knob

_LEAD = re.compile("^(?:1 in|every) ", re.IGNORECASE)
"""Words that a knob's text has before the number."""


class Typed(NamedTuple):
    """A value that was typed."""

    value: Any
    held: str
    """Says so if it was held within the knob's bounds; else empty."""


def read(knob: Knob[Any], text: str, engine: Any) -> Any:
    """Read text as a value of a knob; the knob's owner checks the value.

    It is a number, with a prefix or a unit; what the knob's control shows, such as ``off`` or
    ``1 in 1,000``; and, of a whole number with bounds, ``min`` or ``max``.

    Raises
    ------
    ConfigurationError
        If it is none of these.
    """
    if knob.menu or knob.stops is None:
        return text
    told = text.strip().casefold()
    words = {knob.text(stop).casefold(): stop for stop in knob.stops(engine)}
    if told in words:
        return words[told]
    if knob.kind.bounds is not None and knob.kind.type.startswith("int"):
        ends = dict(zip(("min", "max"), knob.kind.bounds(engine), strict=True))
        if told in ends:
            return ends[told]
    try:
        return number_of(_LEAD.sub("", text.strip()), knob.unit)
    except ConfigurationError as error:
        if "str" in knob.kind.type:  # which words those are, its owner knows
            return text.strip()
        others = [word for word in words if not any(map(str.isdigit, word))]
        hint = f" Or type {' or '.join(others)}." if others else ""
        raise ConfigurationError(f"{error}{hint}") from None


def held(knob: Knob[Any], text: str, engine: Any) -> Typed:
    """Read text as a value of a knob, and hold a number within the knob's bounds.

    Raises
    ------
    ConfigurationError
        If it is no value of the knob.
    """
    value = read(knob, text, engine)
    try:
        return Typed(knob.kind.check(knob.name, value, engine), "")
    except ConfigurationError:
        if knob.kind.bounds is None or isinstance(value, str):
            return Typed(value, "")  # for its owner to check
        least, most = knob.kind.bounds(engine)
        if least <= value <= most:
            raise  # a fraction of a whole number
    end, word = (least, "below the least") if value < least else (most, "above the most")
    return Typed(end, f"{text.strip()} is {word}, {knob.text(end)}.")
