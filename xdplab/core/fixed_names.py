"""A mixin that refuses to set attributes which nothing would read, such as `engine.bacth = 3`."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Collection, Mapping
from types import MappingProxyType

from xdplab.core.errors import ConfigurationError

_NOTHING = object()


class FixedNames:
    """Mixin: once `_fix_names` was called, only attributes that can be set may be.

    A user's class that derives from one of ours may add attributes.
    """

    _by_reconfigure: Collection[str] = ()
    """Arguments of a method `reconfigure`."""

    _made_with: Mapping[str, str] = MappingProxyType({})
    """How the constructor is told what is no argument of its own, with a gap for the value."""

    _offered: Collection[str] = ()
    """Names that can be set, for the refusal of another; without them all that can be."""

    _of_the_package: Collection[str] = ()
    """Public names that `dir` leaves out: other modules of the package need them, users do not."""

    def __dir__(self) -> list[str]:
        """Return the names for a user, such as those that a notebook offers at Tab."""
        names = super().__dir__()
        return [n for n in names if not n.startswith("_") and n not in self._of_the_package]

    def _fix_names(self, owner: type) -> None:
        """Refuse other names from now on, unless the object is of a class derived from `owner`."""
        self._names_fixed = type(self) is owner

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_") and getattr(self, "_names_fixed", False):
            self._refuse_lost(name)
        super().__setattr__(name, value)

    def _refuse_lost(self, name: str) -> None:
        kind = type(self)
        there = inspect.getattr_static(kind, name, _NOTHING)
        if there is not _NOTHING and not _is_read_only(there):
            return
        what = f"{'an' if kind.__name__[0] in 'AEIO' else 'a'} {kind.__name__}"
        if name in self._by_reconfigure:
            remedy = f"Call reconfigure({name}=...)."
        elif name in (arguments := self._arguments()):
            remedy = f"Make another: {kind.__name__}(..., {arguments[name]})."
        elif there is not _NOTHING or name in vars(self):
            remedy = "It can be read only."
        else:
            names = list(self._offered) or [
                n for n, found in inspect.getmembers_static(kind) if _can_be_set(found)
            ]
            near = meant(name, names)
            ours = self._offered or [n for n in names if _is_ours(kind, n)]
            others = f"Set one of: {', '.join(ours)}." if ours else ""
            remedy = f"Did you mean {near!r}?" if near else others
            raise ConfigurationError(f"{what} has no {name!r}. {remedy}".rstrip())
        raise ConfigurationError(f"{name!r} of {what} can't be set. {remedy}")

    def _arguments(self) -> dict[str, str]:
        own = inspect.signature(type(self).__init__).parameters
        return {name: f"{name}=..." for name in own if name != "self"} | dict(self._made_with)


def meant(name: str, names: Collection[str]) -> str:
    """Return the one of some names that was meant, or ""."""
    near = [each for each in names if name.endswith(f"_{each}")]  # traffic_rate
    near += difflib.get_close_matches(name, names, 1)
    return near[0] if near else ""


def _is_ours(kind: type, name: str) -> bool:
    """Tell whether a class has a name from this package, not from a library's base class."""
    owner = next(each for each in kind.__mro__ if name in vars(each))
    return owner.__module__.partition(".")[0] == __name__.partition(".")[0]


def _can_be_set(found: object) -> bool:
    """Tell whether a class's attribute is a property, or another descriptor, that can be set."""
    return found.fset is not None if isinstance(found, property) else _is_knob(found)


def _is_knob(found: object) -> bool:
    is_builtin = inspect.ismemberdescriptor(found) or inspect.isgetsetdescriptor(found)
    return not is_builtin and hasattr(type(found), "__set__")


def _is_read_only(found: object) -> bool:
    return isinstance(found, property) and found.fset is None
