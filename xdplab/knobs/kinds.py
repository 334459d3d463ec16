"""Kinds of values that a knob can have: how they are checked, and stored in a word of 64 bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from xdplab.core import checks
from xdplab.core.errors import ConfigurationError
from xdplab.net.stream import FASTEST, SLOWEST, checked_rate, interval_ps, rate_of
from xdplab.net.threaded import THREADED, Threaded

_ONLY_STEPS = (1 << 64) - 1
_PPM = 1_000_000
_SHORTEST_PACE, _LONGEST_PACE = 1e-4, 3600  # seconds


@dataclass(frozen=True, repr=False)
class Kind:
    """The values that a knob can have."""

    type: str
    """Python's name of their type."""
    range: str
    """Which values of that type, in words: ``1 to 65,535``."""
    check: Callable[[str, object, Any], Any]
    """Takes the knob's name, any value, and the knob's engine: returns a plain value, or raises
    `ConfigurationError`."""
    word: Callable[[Any], int] = int
    """Converts a value to its word in the control block."""
    value: Callable[[int], Any] = int
    """Converts a word to its value."""
    bounds: Callable[[Any], tuple[float, float]] | None = None
    """Returns the least and the most of a number, for the knob's engine."""

    def __repr__(self) -> str:
        return f"<Kind {self.type}: {self.range}>"


def whole(least: int, most: int | str, scale: int = 1) -> Kind:
    """Return the kind of a whole number.

    Parameters
    ----------
    least, most
        Its bounds; `most` may be the name of an attribute of the engine.
    scale
        How many of the word's units make one of the knob's.
    """

    def bounds(engine: Any) -> tuple[int, int]:
        return least, getattr(engine, most) if isinstance(most, str) else most

    def check(name: str, value: object, engine: Any) -> int:
        return checks.whole(name, value, *bounds(engine))

    return Kind(
        "int",
        f"{least:,} to " + (f"`{most}`" if isinstance(most, str) else f"{most:,}"),
        check,
        lambda value: scale * value,
        lambda word: word // scale,
        bounds,
    )


def choice(names: Iterable[str]) -> Kind:
    """Return the kind of a name out of some names, whose word is its index among them."""
    each = tuple(names)
    return Kind(
        "str",
        ", ".join(f'"{name}"' for name in each),
        lambda name, value, _engine: checks.choice(name, value, each),
        each.index,
        lambda word: each[min(word, len(each) - 1)],
    )


def other(type_name: str, values: str) -> Kind:
    """Return a kind, described in words, whose values the knob's owner checks."""
    return Kind(type_name, values, lambda _name, value, _engine: value)


def _pace(name: str, value: object, _engine: object) -> float:
    # With a shorter pace, a worker would spend its time on publishing its rings.
    if checks.number(value) not in (0, math.inf):
        checks.seconds(name, value, _SHORTEST_PACE, _LONGEST_PACE)
    return checks.number(value)


def _share(name: str, value: object, _engine: object) -> float:
    return checks.real(name, value, 0, 1)


def _threaded(name: str, value: object, _engine: object) -> Threaded:
    if checks.is_a(value, str):
        given = str.__str__(value)
        if given == "busy-poll":
            return "busy-poll"
    else:
        with suppress(ConfigurationError):
            return checks.boolean(name, value)
    raise ConfigurationError(f"{name}={checks.shown(value)} must be True, False or 'busy-poll'.")


SHARE = Kind(
    "float",
    "0 to 1",
    _share,
    lambda value: round(value * _PPM),
    lambda word: min(word, _PPM) / _PPM,
    lambda _engine: (0, 1),
)
"""A part of the whole, stored in millionths."""

SWITCH = Kind(
    "bool",
    "True or False",
    lambda name, value, _engine: checks.boolean(name, value),
    value=bool,
)

THREADED_NAPI = Kind(
    "bool or str",
    'True, False, or "busy-poll"',
    _threaded,
    THREADED.index,
    THREADED.__getitem__,
)
"""Where NAPI runs."""

RATE = Kind(
    "float or str",
    f'{SLOWEST} to {FASTEST:,}, also as text such as "20k"; or "max"',
    lambda name, value, _engine: checked_rate(value, name),
    interval_ps,
    rate_of,
    lambda _engine: (SLOWEST, FASTEST),
)
"""Frames a second, stored as picoseconds between two."""

PACE = Kind(
    "float",
    f"0, {_SHORTEST_PACE} to {_LONGEST_PACE:,}, or math.inf",
    _pace,
    lambda value: _ONLY_STEPS if value == math.inf else round(value * 1e9),
    lambda word: math.inf if word == _ONLY_STEPS else word / 1e9,
    lambda _engine: (_SHORTEST_PACE, _LONGEST_PACE),
)
"""Seconds between two batches, 0 for none, stored as nanoseconds; ``math.inf`` for single steps."""
