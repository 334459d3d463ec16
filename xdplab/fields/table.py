"""The table of header fields, from that of the native engine."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from xdplab.core.checks import is_a, shown
from xdplab.core.errors import ConfigurationError
from xdplab.core.named import Named
from xdplab.core.table import Table, Tabled
from xdplab.native import ffi, lib
from xdplab.native.records import names_in, names_of

KINDS = names_of("xdplab_field_kind", "XDPLAB_FIELD_")
"""Kinds of values: whole numbers, and three kinds of addresses."""

# With uint64, numpy makes floats of a MAC address and a Python number; 48 bits need no sign.
_DTYPES: dict[str, np.dtype[Any]] = {"mac": np.dtype(np.int64), "ipv6": np.dtype(np.uint8)}

_LONGEST_NAME = 100  # longest name for which close ones are searched


@dataclass(frozen=True)
class Field:
    """A field of a packet's headers."""

    name: str
    index: int
    """Its place in the native table."""
    bits: int
    kind: str
    """``number``, ``mac``, ``ipv4`` or ``ipv6``."""
    about: str
    dtype: np.dtype[Any]
    """Of its values, in host byte order; of an IPv6 address, of one of its 16 bytes."""
    fixed: str
    """Why it can't be written; empty where it can."""

    @property
    def writable(self) -> bool:
        """Whether it can be written."""
        return not self.fixed

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a value."""
        return (16,) if self.kind == "ipv6" else ()


class Fields(Tabled, Named[Field]):
    """Fields by name."""

    def _table(self) -> Table:
        rows = [
            (each.name, str(each.bits), each.about, "yes" if each.writable else "no")
            for each in self.values()
        ]
        return Table("", rows, ("field", "bits", "value", "writable"))

    def _brief(self) -> str:
        return f"<Fields: {', '.join(self)}>"


def _fields() -> Iterator[Field]:
    for index, name in enumerate(names_in(lib.xdplab_field_name)):
        found = lib.xdplab_field(index)
        kind = KINDS[found.kind]
        yield Field(
            name=name,
            index=index,
            bits=found.bits,
            kind=kind,
            about=ffi.string(found.about).decode(),
            dtype=_DTYPES.get(kind) or np.dtype(f"u{found.bytes}"),
            fixed=ffi.string(found.fixed).decode() if found.fixed else "",
        )


FIELDS = Fields("field", {field.name: field for field in _fields()})
"""Header fields by name."""


def field_of(name: object) -> Field:
    """Return a field by its name.

    Raises
    ------
    ConfigurationError
        When there is none of that name; the message names those that are near.
    """
    given = str.__str__(name) if is_a(name, str) else ""
    found = FIELDS.get(given)
    if found is None:
        near = _near(given)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ConfigurationError(
            f"field={shown(name)} is no field of a packet.{hint} print(xdplab.FIELDS) lists them."
        )
    return found


def _near(given: str) -> list[str]:
    """Return the names that may have been meant: by the header, the field in it, or the letters."""
    if not 0 < len(given) <= _LONGEST_NAME:
        return []
    parts = [name for name in FIELDS if given in name.split(".")]
    return parts[:3] or difflib.get_close_matches(given, FIELDS, 3)
