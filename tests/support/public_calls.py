"""Every public door of the package: what can be called or set, and with which arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import traitlets

MODULES = (
    *("xdplab", "xdplab.widgets", "xdplab.doctor", "xdplab.experiments.sweep"),
    *("xdplab.experiments.measure", "xdplab.experiments.metrics", "xdplab.fields"),
    *("xdplab.settings.settings", "xdplab.settings.presets", "xdplab.settings.undo"),
)
"""What README, docs/ and docstrings send a user to."""

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class Door:
    """Something that takes arguments."""

    name: str
    call: Any = field(compare=False)
    parameters: tuple[inspect.Parameter, ...] = field(compare=False)

    def needed(self, good: Mapping[str, object]) -> dict[str, Any]:
        """Return what it must be given."""
        return {
            each.name: good.get(each.name)
            for each in self.parameters
            if each.kind in _NAMED and each.default is each.empty
        }


def public_names() -> dict[str, object]:
    """Collect what the public modules offer: classes and functions of the package's own."""
    found: dict[str, object] = {}
    for module_name in MODULES:
        module = import_module(module_name)
        names = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == module_name
        ]
        for name in names:
            value = getattr(module, name)
            is_ours = inspect.isclass(value) or inspect.isfunction(value)
            if is_ours and not any(value is other for other in found.values()):
                found[f"{module_name}.{name}"] = value
    return found


def of_names(public: Mapping[str, object]) -> Iterator[Door]:
    """Return functions and constructors."""
    for name, value in public.items():
        if not (inspect.isclass(value) and issubclass(value, BaseException)):
            yield Door(name, value, _parameters(value))


def of_objects(objects: Iterable[object]) -> Iterator[Door]:
    """Return the methods of objects, and what can be set on them."""
    for thing in objects:
        kind = type(thing)
        for name in dir(kind):
            place = next((each for each in kind.__mro__ if name in vars(each)), object)
            if name.startswith("_") or not place.__module__.startswith("xdplab"):
                continue
            found = vars(place)[name]
            label = f"{kind.__module__}.{kind.__name__}.{name}"
            if isinstance(found, traitlets.TraitType) or getattr(found, "fset", None):
                value = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)
                yield Door(f"{label} =", _setter(thing, name), (value,))
            elif isinstance(found, classmethod | staticmethod) or inspect.isfunction(found):
                yield Door(label, getattr(thing, name), _parameters(getattr(thing, name)))


def of_brackets(objects: Iterable[object]) -> Iterator[Door]:
    """Return what objects do with a key in brackets."""
    for thing in objects:
        kind = type(thing)
        for name in ("__getitem__", "__setitem__", "__delitem__", "__contains__"):
            call = getattr(thing, name, None)
            if call is not None and (call.__module__ or "").startswith("xdplab"):
                yield Door(f"{kind.__module__}.{kind.__name__}.{name}", call, _parameters(call))


def _setter(thing: object, name: str) -> Callable[..., None]:
    def set_it(**values: object) -> None:
        setattr(thing, name, values[name])

    return set_it


def _parameters(call: Callable[..., object]) -> tuple[inspect.Parameter, ...]:
    return tuple(inspect.signature(call).parameters.values())
