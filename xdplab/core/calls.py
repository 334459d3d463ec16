"""Refuses a wrong call of a public class or function in the words of its user.

Python's own TypeError names `Traffic.__init__`; this one says which name was meant, which arguments
are missing, and how it is typed.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, cast

from xdplab.core.checks import shown
from xdplab.core.errors import WrongCallError
from xdplab.core.fixed_names import FixedNames, meant

AnyClass = TypeVar("AnyClass", bound=type)
AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])
Explain = Callable[[Mapping[str, object], Collection[str]], str]
"""Returns a message on the keywords that a class does not take, given those that it does, or ""."""

_USUAL = {
    "interface": "lab.port",
    "sender": "lab.peer",
    "receiver": "lab.port",
    "tuning": "tune(engine, traffic)",
    "engines": "engine",
    "name": "'eth1'",
    "source": "'count.c'",
    "seconds": "1",
    "preset": "'latency'",
    "field": "'ipv4.src'",
    "header": "'udp'",
    "text": "'198.18.0.1'",
}
"""What is usually given for an argument, where that is not called as the argument is."""


def public(cls: AnyClass) -> AnyClass:
    """Make a class's constructor refuse a wrong call, and its objects names that nothing reads."""
    return public_as()(cls)


def public_as(
    *,
    made: str = "",
    explain: Explain = lambda _others, _known: "",
    others: Callable[[], Collection[str]] = tuple,
) -> Callable[[AnyClass], AnyClass]:
    """Do as `public`, for a class of which more is known.

    Parameters
    ----------
    made
        How a user gets an object of it, where not by a call of the class.
    explain
        Knows more of some keywords.
    others
        Returns the keywords that it takes by its ``**``.
    """

    def mark(cls: AnyClass) -> AnyClass:
        init = vars(cls)["__init__"]

        @functools.wraps(init)
        def checked(self: object, *given: object, **keywords: object) -> None:
            _refuse_slip(cls.__name__, init, keywords, others)
            try:
                init(self, *given, **keywords)
            except TypeError:
                call = _Call(cls.__name__, inspect.signature(init), (self, *given), keywords)
                if call.fits:
                    raise  # from within
                if made:
                    raise WrongCallError(f"{cls.__name__} objects come from {made}.") from None
                unknown = call.unknown()
                words = explain(unknown, call.names) if unknown else ""
                raise WrongCallError(words or _settable(cls, unknown) or call.words()) from None
            if isinstance(self, FixedNames):
                self._fix_names(cls)

        type.__setattr__(cls, "__init__", checked)
        return cls

    return mark


def public_function(function: AnyFunction) -> AnyFunction:
    """Make a function refuse a wrong call."""

    @functools.wraps(function)
    def checked(*given: object, **keywords: object) -> Any:
        try:
            return function(*given, **keywords)
        except TypeError:
            call = _Call(function.__name__, inspect.signature(function), given, keywords)
            if call.fits:
                raise  # from within
            raise WrongCallError(call.words()) from None

    return cast("AnyFunction", checked)


class _Call:
    """A call that may not fit."""

    def __init__(
        self,
        typed: str,
        signature: inspect.Signature,
        given: tuple[object, ...],
        keywords: Mapping[str, object],
    ) -> None:
        self.typed, self.keywords = typed, keywords
        self.misfit = ""
        try:
            signature.bind(*given, **keywords)
        except TypeError as error:
            self.misfit = str(error)
        self.taken = dict(signature.parameters)
        has_self = self.taken.pop("self", None) is not None
        self.given = given[1:] if has_self else given
        self.names = [name for name, each in self.taken.items() if each.kind != each.VAR_KEYWORD]

    @property
    def fits(self) -> bool:
        return not self.misfit

    def unknown(self) -> dict[str, object]:
        """Return the keywords that it does not take."""
        if len(self.names) < len(self.taken):
            return {}
        return {name: value for name, value in self.keywords.items() if name not in self.names}

    def words(self) -> str:
        """Say what is wrong, and what is right."""
        typed, names = self.typed, self.names
        for name, value in self.unknown().items():
            near = meant(name, names)
            taken = f"It takes: {', '.join(names)}." if names else "It takes nothing."
            hint = f"Did you mean {near!r}?" if near else taken
            return f"{typed} takes no {name}={shown(value)}. {hint}"
        ordered = [
            n for n in names if self.taken[n].kind == inspect.Parameter.POSITIONAL_OR_KEYWORD
        ]
        if len(self.given) > len(ordered):
            by_name = [name for name in names if name not in ordered]
            only = f"only {_listed(ordered)}" if ordered else "nothing"
            way = f" By name it takes: {', '.join(by_name)}." if by_name else ""
            surplus = shown(self.given[len(ordered)])
            return f"{typed} takes {only} without a name; {surplus} is too many.{way}"
        needed = [n for n in names if self.taken[n].default is inspect.Parameter.empty]
        there = {*ordered[: len(self.given)], *self.keywords}
        if missing := [name for name in needed if name not in there]:
            example = ", ".join(_USUAL.get(name, name) for name in needed)
            return f"{typed} needs {_listed(missing)}: {typed}({example})."
        return f"{typed}: {self.misfit}."  # an argument that is given twice


def _refuse_slip(
    typed: str,
    init: Callable[..., Any],
    keywords: Mapping[str, object],
    others: Callable[[], Collection[str]],
) -> None:
    """Reject what ``**`` would take, where a named keyword was mistyped."""
    if others is tuple:
        return
    named = list(inspect.signature(init).parameters)[1:-1]
    for name in keywords.keys() - {*named, *others()}:
        if (near := meant(name, [*named, *others()])) in named:
            value = shown(keywords[name])
            raise WrongCallError(f"{typed} takes no {name}={value}. Did you mean {near!r}?")


def _settable(cls: type, others: Mapping[str, object]) -> str:
    """Say so of a keyword that is an attribute which can be set."""
    for name, value in others.items():
        attribute = inspect.getattr_static(cls, name, None)
        read_only = isinstance(attribute, property) and attribute.fset is None
        if hasattr(attribute, "__set__") and not read_only:
            set_it = f"{cls.__name__.lower()}.{name} = {shown(value)}"
            no = f"{cls.__name__} takes no {name}={shown(value)}."
            return f"{no} Set it on what you made: {set_it}."
    return ""


def _listed(names: Collection[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
