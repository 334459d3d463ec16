"""Values of knobs as text for people, and the values at which a slider can stop."""

from __future__ import annotations

import math
from itertools import count, takewhile

from xdplab.core.text import seconds
from xdplab.net.threaded import THREADED, Threaded


def powers_of_two(most: int) -> list[int]:
    """Return 1, 2, 4 and so on, up to a bound."""
    return [1 << exponent for exponent in range(most.bit_length())]


def one_two_five(least: int, most: int) -> list[int]:
    """Return 1, 2, 5, 10, 20, 50 and so on, within bounds."""
    steps = (factor * 10**exponent for exponent in count() for factor in (1, 2, 5))
    return [step for step in takewhile(lambda step: step <= most, steps) if step >= least]


def number(value: int) -> str:
    """Write a whole number: ``1,024``."""
    return f"{value:,}"


def share(value: float) -> str:
    """Write a part of the whole: ``0.25``."""
    return f"{value:g}"


def size(value: int) -> str:
    """Write bytes of a frame."""
    return f"{value:,} bytes"


def microseconds(value: int) -> str:
    """Write microseconds in the unit that suits."""
    return seconds(value / 1e6)


def nanoseconds(value: int) -> str:
    """Write nanoseconds in the unit that suits; 0 is ``off``."""
    return "off" if value == 0 else seconds(value / 1e9)


def threaded(value: Threaded) -> str:
    """Write whether NAPI runs in a thread."""
    return ("no", "yes", "busy-poll")[THREADED.index(value)]


def pace(value: float) -> str:
    """Write the time between batches."""
    if value == math.inf:
        return "by steps"
    return f"every {seconds(value)}" if value else "free"


def sampling(value: int) -> str:
    """Write which part of the frames is kept."""
    return f"1 in {value:,}" if value else "none"
