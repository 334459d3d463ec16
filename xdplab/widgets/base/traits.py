"""Traits that raise `ConfigurationError` for a wrong value, as all of the package does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import traitlets

from xdplab.core.checks import boolean, shown, whole
from xdplab.core.errors import ConfigurationError

_LARGEST = (1 << 53) - 1  # the largest integer that JavaScript represents exactly


class TraitRefusedError(ConfigurationError, traitlets.TraitError):
    """A trait rejects the value; traitlets restores the old one."""


@contextmanager
def _as_trait() -> Iterator[None]:
    try:
        yield
    except ConfigurationError as error:
        raise TraitRefusedError(str(error)) from None


class Whole(traitlets.Int[Any, Any]):
    """A whole number from 0 on."""

    def validate(self, obj: object, value: object) -> int:
        """Return a plain number."""
        with _as_trait():
            return whole(str(self.name), value, 0, _LARGEST)


class Switch(traitlets.Bool[Any, Any]):
    """True or False."""

    def validate(self, obj: object, value: object) -> bool:
        """Return a plain boolean."""
        with _as_trait():
            return boolean(str(self.name), value)


class OneOf(traitlets.Enum[Any]):
    """One of some whole numbers."""

    def validate(self, obj: object, value: object) -> int:
        """Return a plain number."""
        numbers = list(self.values or ())
        try:
            number = whole("", value, 0, _LARGEST)
        except ConfigurationError:
            number = -1
        if number in numbers:
            return number
        several = ", ".join(map(str, numbers))
        none = ", or None" if self.allow_none else ""
        raise TraitRefusedError(f"{self.name}={shown(value)} must be one of {several}{none}.")
