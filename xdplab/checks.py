"""Checks of what a user asks for, before anything is touched."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterable
from operator import index

from xdplab.errors import ConfigurationError


def whole(name: str, value: int, least: int, most: int) -> int:
    """Return a whole number within bounds, or raise `ConfigurationError`."""
    try:
        number = index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or not least <= number <= most:
        raise ConfigurationError(f"{name}={value!r} must be a whole number, {least} to {most}.")
    return number


def core(number: int) -> int:
    """Return a core that this process may run on, or raise `ConfigurationError`."""
    allowed = os.sched_getaffinity(0)
    if number not in allowed:
        raise ConfigurationError(f"cpu={number!r} must be one of {sorted(allowed)}.")
    return number


def power_of_two(name: str, value: int, most: int) -> int:
    """Return a power of two from 2 on, or raise `ConfigurationError`."""
    number = whole(name, value, 2, most)
    if number & (number - 1):
        below = 1 << (number.bit_length() - 1)
        raise ConfigurationError(
            f"{name}={number} must be a power of two: choose {below} or {2 * below}."
        )
    return number


def choice(name: str, value: str, choices: Iterable[str]) -> str:
    """Return one of the names, or raise `ConfigurationError` that lists them."""
    names = list(choices)
    if value in names:
        return value
    close = difflib.get_close_matches(str(value), names, 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ConfigurationError(f"{name}={value!r} is none of: {', '.join(names)}.{hint}")


def nanoseconds(name: str, seconds: float, least: float, most: float) -> int:
    """Return seconds as nanoseconds, or raise `ConfigurationError`."""
    if not (
        isinstance(seconds, int | float) and math.isfinite(seconds) and least <= seconds <= most
    ):
        raise ConfigurationError(f"{name}={seconds!r} must be {least} to {most} seconds.")
    return round(seconds * 1e9)
