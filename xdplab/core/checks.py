"""Checks of a user's arguments, made before anything is changed.

Every public door calls them. A check takes the argument's name as the user typed it and returns a
plain value (numpy's ``int64(64)`` becomes ``64``) or raises `ConfigurationError`, and nothing else:
a value's own methods may raise anything.
"""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterable, Mapping
from itertools import islice
from numbers import Real
from operator import index
from pathlib import Path
from typing import Any, SupportsIndex, TypeGuard, TypeVar, cast

from xdplab.core.errors import ConfigurationError, WrongCallError

Kind = TypeVar("Kind")

LONGEST_LIST = 10_000
"""Most items of a list that has no other bound."""

_LONGEST_SHOWN = 100
_LONGEST_NAME = 100  # longest name for which a close one is searched


def shown(value: object) -> str:
    """Return a value's `repr` for a message, cut where long; its type where it has none."""
    try:
        text = repr(value)
    except Exception:  # raised by the value, or ValueError for a number of more than 4300 digits
        return f"<{type(value).__name__}>"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def is_a(value: object, kind: type[Kind]) -> TypeGuard[Kind]:
    """Tell whether a value is an instance of a class, also where its ``__class__`` raises."""
    try:
        return isinstance(value, kind)
    except Exception:  # raised by the value's own methods
        return False


def whole(name: str, value: object, least: int, most: int) -> int:
    """Return a whole number within bounds; True and 1.0 are rejected."""
    number = _index(value)
    if number is None or not least <= number <= most:
        raise ConfigurationError(
            f"{name}={shown(value)} must be a whole number, {least} to {most}."
        )
    return number


def power_of_two(name: str, value: object, most: int) -> int:
    """Return a power of two, 2 or more."""
    number = whole(name, value, 2, most)
    if number & (number - 1):
        below = 1 << (number.bit_length() - 1)
        raise ConfigurationError(
            f"{name}={number} must be a power of two: choose {below} or {2 * below}."
        )
    return number


def core(value: object, name: str = "cpu") -> int:
    """Return a core that this process may run on."""
    allowed = os.sched_getaffinity(0)
    number = _index(value)
    if number not in allowed:
        raise ConfigurationError(f"{name}={shown(value)} must be one of {sorted(allowed)}.")
    return number


def number(value: object) -> float:
    """Return a number as a float; nan for a value that is none."""
    try:
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        return float(cast("float", value)) if is_number else math.nan
    except Exception:  # raised by the value, or OverflowError for a number too large for a float
        return math.nan


def real(name: str, value: object, least: float, most: float, unit: str = "") -> float:
    """Return a number within bounds, of which the upper may be infinite."""
    found = number(value)
    if not least <= found <= most:
        bounds = f"{least:,} or more" if math.isinf(most) else f"{least} to {most}"
        raise ConfigurationError(f"{name}={shown(value)} must be {bounds}{unit and f' {unit}'}.")
    return found


def seconds(name: str, value: object, least: float, most: float) -> float:
    """Return seconds within bounds."""
    return real(name, value, least, most, "seconds")


def join_seconds(name: str, value: object) -> float | None:
    """Return the most seconds to wait for a thread; None waits without a limit."""
    return None if value is None else seconds(name, value, 0, math.inf)


def nanoseconds(name: str, value: object, least: float, most: float) -> int:
    """Return seconds within bounds as nanoseconds."""
    return round(seconds(name, value, least, most) * 1e9)


def boolean(name: str, value: object) -> bool:
    """Return True or False; any other value is rejected."""
    # Does not import numpy. numpy.bool_ is called numpy.bool since numpy 2.
    if type(value) is bool or (type(value).__module__, type(value).__name__) in _NUMPY_BOOL:
        return bool(value)
    raise ConfigurationError(f"{name}={shown(value)} must be True or False.")


def choice(name: str, value: object, choices: Iterable[str]) -> str:
    """Return one of the names; the error lists them and suggests a close one."""
    names = list(choices)
    given = str.__str__(value) if is_a(value, str) else None
    if given in names:
        return given
    close: list[str] = []
    if given is not None and len(given) <= _LONGEST_NAME:
        close = difflib.get_close_matches(given, names, 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ConfigurationError(f"{name}={shown(value)} is none of: {', '.join(names)}.{hint}")


def text(name: str, value: object) -> str:
    """Return text that the kernel accepts: encodable, and without NUL."""
    given = str.__str__(value) if is_a(value, str) else None
    if given is None or not _is_encodable(given):
        raise ConfigurationError(
            f"{name}={shown(value)} must be text, without NUL and without half a surrogate pair."
        )
    return given


def place(name: str, value: object) -> Path:
    """Return the path of a file, as text or a path object."""
    try:
        given = os.fspath(cast("str", value))
        good = isinstance(given, str) and bool(given) and b"\0" not in os.fsencode(given)
    except Exception:  # raised by the value, or TypeError, or UnicodeEncodeError
        good = False
    if not good:
        raise ConfigurationError(
            f"{name}={shown(value)} must be the path of a file: text, not empty and without NUL."
        )
    return Path(str.__str__(given))


def instance_of(name: str, value: object, kind: type[Kind], wanted: str) -> Kind:
    """Return an instance of a class; `wanted` describes it in the error."""
    if not is_a(value, kind):
        raise WrongCallError(f"{name}={shown(value)} must be {wanted}.")
    return value


def callable_of(name: str, value: Kind) -> Kind:
    """Return a callable."""
    if not callable(value):
        raise WrongCallError(f"{name}={shown(value)} must be a function.")
    return value


def items(name: str, value: object, wanted: str, most: int = LONGEST_LIST) -> list[Any]:
    """Return the items of an iterable; `wanted` describes them in the error.

    Text, bytes and mappings are rejected, though they can be iterated over.
    """
    try:
        if isinstance(value, str | bytes | bytearray | Mapping):
            raise TypeError
        found = list(islice(iter(cast("Iterable[Any]", value)), most + 1))
    except Exception:  # raised by the value, or TypeError where it can't be iterated over
        raise ConfigurationError(f"{name}={shown(value)} must be a list of {wanted}.") from None
    if len(found) > most:
        raise ConfigurationError(
            f"{name}={shown(value)} must be a list of {wanted}, {most:,} of them at most."
        )
    return found


def mapping(name: str, value: object, wanted: str) -> dict[str, Any]:
    """Return the items of a mapping whose keys are names; `wanted` describes them in the error."""
    try:
        found = dict(value) if isinstance(value, Mapping) else None
    except Exception:  # raised by the value
        found = None
    if found is None or not all(type(key) is str for key in found):
        raise ConfigurationError(f"{name}={shown(value)} must be a mapping of {wanted}.")
    return found


_NUMPY_BOOL = (("numpy", "bool"), ("numpy", "bool_"))


def _index(value: object) -> int | None:
    """Return a whole number as a plain int, also that of a subclass; None for other values."""
    try:
        number = index(cast("SupportsIndex", value))
        return None if isinstance(value, bool) else int.__index__(number)
    except Exception:  # raised by the value, or TypeError for other types
        return None


def _is_encodable(given: str) -> bool:
    try:
        return b"\0" not in given.encode()
    except UnicodeEncodeError:
        return False
