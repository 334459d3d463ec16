"""Numbers, times and shares as text for people: each is written in one way, and read back."""

from __future__ import annotations

import re
from decimal import Decimal
from math import isinf, isnan

from xdplab.core.errors import ConfigurationError

_LARGE = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))

_NUMBER = (
    r"([+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+(?:_[0-9]+)*|(?=[.][0-9]))"
    r"(?:[.][0-9]+)?(?:e[+-]?[0-9]{1,3})?)\s*"
)
_UNIT = r"(?:pps|p/s|(?:frames|packets)(?: a second|/s)?|bytes?|B|polls?)?"
# 20, 1,024, 20_000, 1.5M, 200 kpps, 512 bytes; and 20, 20 µs, 1.5ms, 2 s.
_AMOUNT = re.compile(rf"{_NUMBER}([kMG]?)\s*{_UNIT}", re.ASCII | re.IGNORECASE)
_TIME = re.compile(rf"{_NUMBER}(ns|us|\u00b5s|\u03bcs|ms|s)?", re.ASCII | re.IGNORECASE)
_PREFIXES = {"": 0, "k": 3, "m": 6, "g": 9}
_TIME_UNITS = {"ns": -9, "us": -6, "\u00b5s": -6, "\u03bcs": -6, "ms": -3, "s": 0}
_LONGEST_NUMBER = 60  # characters


def si(value: float, digits: int = 3) -> str:
    """Write a number with a space and a prefix for the unit that follows: "1.52 M", "300 "."""
    for size, letter in _LARGE:
        if abs(value) >= _rounded_up(size, digits):
            return f"{value / size:.{digits}g} {letter}"
    return f"{value:.{digits}g} "


def short(value: float) -> str:
    """Write a plain number with three digits: "1.52 M", "300"."""
    return si(value).rstrip()


def rate(packets_a_second: float | str, digits: int = 6) -> str:
    """Write packets a second: "20 kpps"; text as it is, such as "max"."""
    if isinstance(packets_a_second, str):
        return packets_a_second
    return f"{si(packets_a_second, digits)}pps"


def seconds(value: float) -> str:
    """Write a time exactly, in the unit that suits: "20 ms", "1.5 s", "0"."""
    for size, unit in _TIMES:
        if value >= size:
            return f"{value / size:.6g} {unit}"
    return f"{value / 1e-9:.6g} ns" if value else "0"


def duration(ns: float) -> str:
    """Write measured nanoseconds with three digits: "4.61 µs", "5.00 ms"; "-" for nan."""
    if isnan(ns):
        return "-"
    for size, unit in _TIMES:
        if ns >= _rounded_up(size * 1e9, 3):
            return f"{three_digits(ns / (size * 1e9))} {unit}"
    return f"{ns:.0f} ns"


def three_digits(value: float) -> str:
    """Write a number with three digits, also where they are zeros: "5.00", "123"."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:#.3g}".rstrip(".")


def percent(share: float) -> str:
    """Write a share of 1 with one decimal: "12.3 %", "< 0.1 %"."""
    return f"{100 * share:.1f} %" if share >= 0.001 else "< 0.1 %"


def counted(count: int, thing: str) -> str:
    """Write a number of things: "1 run", "1,204 packets"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def setting(value: object) -> str:
    """Write the value of a knob: "on", "1,024", "∞", "poll"."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return "∞" if isinf(value) else f"{value:,.12g}"
    if isinstance(value, tuple | list):
        return ", ".join(map(setting, value))
    return str(value)


def spaced(name: str) -> str:
    """Write the name of a knob in words: "ring size"."""
    return name.replace("_", " ")


def number_of(text: str, unit: str = "") -> int | float:
    """Read a number as people type it, and as this module writes it.

    Parameters
    ----------
    text
        ``"200"``, ``"200k"``, ``"1.5M"``, ``"1,024"``, ``"20 kpps"``; of a time ``"20"``,
        ``"20 µs"``, ``"1.5ms"``.
    unit
        The unit of the result if it is a time: ``"ns"``, ``"µs"`` or ``"s"``.

    Raises
    ------
    ConfigurationError
        If the text is no number.
    """
    is_time = unit in _TIME_UNITS
    found = None
    if len(text) <= _LONGEST_NUMBER:
        found = (_TIME if is_time else _AMOUNT).fullmatch(text.strip())
    if found is None:
        cut = text if len(text) <= _LONGEST_NUMBER else f"{text[:_LONGEST_NUMBER]}..."
        such = "time, such as 20 µs or 1.5 ms" if is_time else "number, such as 200, 200k or 1.5M"
        raise ConfigurationError(f"{cut!r} is no {such}.")
    if is_time:
        power = _TIME_UNITS[(found[2] or unit).lower()] - _TIME_UNITS[unit]
    else:
        power = _PREFIXES[found[2].lower()]
    # Exactly: 1.1k is 1100, and 20 µs are 20,000 ns.
    value = Decimal(found[1].replace(",", "")).scaleb(power)
    return int(value) if value == value.to_integral_value() else float(value)


def _rounded_up(size: float, digits: int) -> float:
    """Return the least number that is written as `size`, rounded to so many digits."""
    return size * (1 - 0.5 * 10.0**-digits)
