"""What a user reaches from an object by its attributes: their values, and what these hold."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from itertools import islice

_FEW = 3  # of the elements of a list
_DEEP = 2


def reachable(
    path: str, thing: object, seen: set[int] | None = None
) -> Iterator[tuple[str, object]]:
    """Yield an object, and those that its public attributes hold, each with its path."""
    seen = set() if seen is None else seen
    if id(thing) in seen or path.count(".") > _DEEP:
        return
    seen.add(id(thing))
    yield path, thing
    if isinstance(thing, Mapping):
        held = {f"{path}[{key!r}]": value for key, value in islice(thing.items(), _FEW)}
    elif isinstance(thing, list | tuple):
        held = {f"{path}[{place}]": value for place, value in enumerate(thing[:_FEW])}
    else:
        held = {f"{path}.{name}": value for name, value in _attributes(thing)}
    for where, value in held.items():
        yield from reachable(where, value, seen)


def _attributes(thing: object) -> Iterator[tuple[str, object]]:
    kind = type(thing)
    for name in {*dir(thing), *getattr(thing, "__dict__", ())}:
        owner = next((each for each in kind.__mro__ if name in vars(each)), kind)
        found = inspect.getattr_static(kind, name, None)
        is_method = isinstance(found, staticmethod | classmethod) or inspect.isfunction(found)
        if name.startswith("_") or is_method or not owner.__module__.startswith("xdplab"):
            continue
        try:
            value = getattr(thing, name)
        except Exception:  # closed, or not there on this backend
            continue
        if not inspect.isroutine(value):
            yield name, value
