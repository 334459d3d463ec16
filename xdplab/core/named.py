"""Things by name, of which a wrong name says which names there are."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar

from xdplab.core.checks import is_a, shown
from xdplab.core.errors import MissingKeyError

Thing = TypeVar("Thing")

_LONGEST_NAME = 100  # longest name for which close ones are searched


class Named(Mapping[str, Thing]):
    """Things by name, which stay as they are.

    Parameters
    ----------
    kind
        What each is, for the error: ``"knob"``.
    things
        The things.

    Raises
    ------
    MissingKeyError
        For another name: it names a close one, or all.
    """

    def __init__(self, kind: str, things: Mapping[str, Thing]) -> None:
        self._kind, self._things = kind, MappingProxyType(dict(things))

    def __getitem__(self, name: str) -> Thing:
        given = str.__str__(name) if is_a(name, str) else ""
        if given in self._things:
            return self._things[given]
        close = difflib.get_close_matches(given[:_LONGEST_NAME], self._things, 1)
        hint = f"Did you mean {close[0]!r}?" if close else f"Take one of: {', '.join(self)}."
        raise MissingKeyError(f"there is no {self._kind} {shown(name)}. {hint}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)

    def __repr__(self) -> str:
        return f"<{self._kind.capitalize()}s: {', '.join(self)}>"
