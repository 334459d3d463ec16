"""Values that no caller means to pass: of the wrong kind, out of every range, or hostile."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import numpy as np


class OwnError(Exception):
    """What the values below raise, and what must not come out of a call."""


def _raise(*_arguments: object, **_named: object) -> NoReturn:
    raise OwnError


_ASKED = (
    *("index", "int", "float", "bool", "eq", "ne", "lt", "le", "gt", "ge", "hash", "str", "repr"),
    *("iter", "len", "getitem", "contains", "fspath", "format", "enter", "add", "rsub"),
)


def _nothing(*_arguments: object, **_named: object) -> int:
    return 0


Hostile = type("Hostile", (), {f"__{name}__": _raise for name in _ASKED})


class Liar:
    """Raises when it is asked for its class."""

    __class__ = property(_raise)  # type: ignore[assignment]


class Number(int):
    """A whole number that can't be compared."""

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __repr__ = _raise
    __hash__ = int.__hash__


class Words(str):
    """Text that can't be compared."""

    __slots__ = ()
    __eq__ = __ne__ = __str__ = __repr__ = _raise
    __hash__ = str.__hash__


class Seconds(float):
    """A number that can't be compared."""

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __float__ = _raise
    __hash__ = float.__hash__


def _deep() -> list[object]:
    outermost: list[object] = []
    for _ in range(2_000):
        outermost = [outermost]
    return outermost


WILD: dict[str, Callable[[], object]] = {
    "None": lambda: None,
    "True": lambda: True,
    "-1": lambda: -1,
    "2**31": lambda: 2**31,
    "2**64": lambda: 2**64,
    "10**400": lambda: 10**400,
    "-10**400": lambda: -(10**400),
    "10**5000": lambda: 10**5000,  # more digits than Python writes
    "1.0": lambda: 1.0,
    "1e308": lambda: 1e308,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "1j": lambda: 1j,
    "Decimal": lambda: Decimal("NaN"),
    "Fraction": lambda: Fraction(10**400, 3),
    "yes": lambda: "yes",
    "empty text": lambda: "",
    "NUL": lambda: "a\0b",
    "lone surrogate": lambda: "\ud800",
    "percent": lambda: "%s{0}",
    "long text": lambda: "x" * 100_000,
    "bytes": lambda: b"yes",
    "no bytes": lambda: b"",
    "bytearray": lambda: bytearray(2),
    "{}": dict,
    "{1: 2}": lambda: {1: 2},
    "{'yes': 1}": lambda: {"yes": 1},
    "[]": list,
    "[None]": lambda: [None],
    "[-1]": lambda: [-1],
    "['yes']": lambda: ["yes"],
    "['a NUL']": lambda: ["a\0b"],
    "tuple": lambda: ("yes", 1),
    "set": lambda: {1, 2},
    "deep list": _deep,
    "huge range": lambda: range(10**30),
    "endless": itertools.count,
    "object": object,
    "function": lambda: _nothing,
    "Path with NUL": lambda: Path("a\0b"),
    "int64": lambda: np.int64(1),
    "uint64": lambda: np.uint64(2**64 - 1),
    "float64": lambda: np.float64(1.0),
    "np.bool": lambda: np.bool_(True),
    "np.str": lambda: np.str_("yes"),
    "array": lambda: np.arange(3),
    "empty array": lambda: np.array([]),
    "array of objects": lambda: np.array([None, {}], object),
    "hostile": Hostile,
    "hostile list": lambda: [Hostile()],
    "hostile values": lambda: {"yes": Hostile()},
    "liar": Liar,
    "hostile int": lambda: Number(1),
    "hostile text": lambda: Words("yes"),
    "hostile float": lambda: Seconds(1),
}
"""By name; made anew for each call, since some can be read once."""
