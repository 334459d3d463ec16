"""Numbers on the command line: 64, 200k, 1.5M."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from xdplab.core.errors import ConfigurationError
from xdplab.core.text import number_of


def reader_of(kind: type) -> Callable[[str], int | float | str]:
    """Return what reads an option's value of a type, for `argparse`."""
    if kind not in (int, float):
        return str

    def read(text: str) -> int | float:
        try:
            value = number_of(text)
        except ConfigurationError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        if kind is int and not isinstance(value, int):
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number.")
        return value

    return read
