"""Keywords of a constructor: groups of them, their names elsewhere, and what refuses a wrong one.

A setting in a group has one flat name wherever it stands alone: as knob, for `Engine.reconfigure`,
in a sweep, on the command line. `Sampling(every=10)` is `sample_every`; most have the same name.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from typing import Any, NamedTuple, TypeVar

from xdplab.core.calls import public_as
from xdplab.core.checks import shown
from xdplab.core.errors import ConfigurationError

AnyClass = TypeVar("AnyClass", bound=type)


class Place(NamedTuple):
    """Where `Engine` takes a setting that is part of a group."""

    keyword: str
    """Of `Engine`, for the group."""
    group: type
    field: str


PLACES: dict[str, Place] = {}
"""Places by the settings' flat names."""


def group(keyword: str, **flat: str) -> Callable[[AnyClass], AnyClass]:
    """Make a dataclass a group of settings that `Engine` takes by one keyword.

    Parameters
    ----------
    keyword
        The keyword.
    flat
        The flat names of fields that have another one.
    """

    def mark(cls: AnyClass) -> AnyClass:
        for each in fields(cls):
            PLACES[flat.get(each.name, each.name)] = Place(keyword, cls, each.name)
        return public_as(explain=explain)(cls)

    return mark


def groups() -> dict[str, type]:
    """Return the groups by their keywords."""
    return {place.keyword: place.group for place in PLACES.values()}


def grouped(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of `Engine` for settings by their flat names."""
    keywords = {name: value for name, value in settings.items() if name not in PLACES}
    parts: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        if place := PLACES.get(name):
            parts.setdefault(place.keyword, {})[place.field] = value
    return keywords | {name: groups()[name](**part) for name, part in parts.items()}


def typed(settings: Mapping[str, Any], write: Callable[[Any], str] = shown) -> str:
    """Write settings by their flat names as the keywords of `Engine` that a user types."""
    words: dict[str, list[str]] = {}
    for name, value in settings.items():
        place = PLACES.get(name)
        front = "" if place is None else f"{place.keyword}={place.group.__name__}"
        field = name if place is None else place.field
        words.setdefault(front, []).append(f"{field}={write(value)}")
    return ", ".join(
        f"{front}({', '.join(each)})" if front else ", ".join(each) for front, each in words.items()
    )


def made_with() -> dict[str, str]:
    """Return how `Engine` is told each setting of a group, with a gap for the value."""
    return {name: typed({name: None}, lambda _value: "...") for name in PLACES}


def refuse_group(name: str, value: object, taken: Collection[str]) -> None:
    """Reject a group where its settings are taken one by one, so that the others stay.

    Parameters
    ----------
    name, value
        A keyword and its value.
    taken
        Flat names of the settings that are taken.

    Raises
    ------
    ConfigurationError
        For the keyword of a group.
    """
    kind = groups().get(name)
    if kind is None:
        return
    given = value if isinstance(value, kind) else kind()
    words = ", ".join(
        f"{each}={shown(getattr(given, place.field))}"
        for each, place in PLACES.items()
        if place.group is kind and each in taken
    )
    raise ConfigurationError(
        f"{name}={shown(value)}: reconfigure takes the settings of a group one by one, so that the "
        f"others stay; of {kind.__name__} these: {words or 'none'}."
    )


def explain(others: Mapping[str, object], known: Collection[str]) -> str:
    """Say how keywords are typed that a constructor does not take as they were given."""
    if moved := {name: value for name, value in others.items() if name in PLACES}:
        classes = ", ".join(dict.fromkeys(PLACES[name].group.__name__ for name in moved))
        are = "is" if len(moved) == 1 else "are"
        return (
            f"{', '.join(moved)} {are} typed Engine(..., {typed(moved)}), after: "
            f"from xdplab import {classes}."
        )
    if groups().keys() <= set(known):
        name, value = next(iter(others.items()))
        settings = made_with()
        near = difflib.get_close_matches(name, {*known, *settings}, 1)
        if near and near[0] in settings:
            return f"Engine takes no {name}={shown(value)}. Did you mean {settings[near[0]]!r}?"
    return ""
