"""A knob: one row of the table in `table.py`, and the attribute that reads and turns it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar, overload

from xdplab.knobs.kinds import Kind

Value = TypeVar("Value")

# A function of a row takes the engine, which stands above this module and is not imported here.
OfEngine = Callable[[Any], Any]

Home = Literal["sockets", "steering", "napi", "engine", "traffic"]
"""Where a knob is set: `Engine.reconfigure`, or an attribute of `Engine.steering`, of
`Engine.napi`, of the engine, or of its generator."""

HOMES: dict[Home, str] = {
    "sockets": "Engine.reconfigure",
    "steering": "Engine.steering",
    "napi": "Engine.napi",
    "engine": "Engine",
    "traffic": "Traffic",
}
"""Their names in the documentation."""


@dataclass(frozen=True)
class Needs:
    """Values of another knob at which a knob has an effect."""

    knob: str
    """The other knob; a search chooses it first."""
    values: tuple[object, ...] = ()
    """The other knob's values with which this one has an effect; empty where `but` is given."""
    but: tuple[object, ...] = ()
    """The other knob's values with which this one has no effect."""

    def met(self, value: object) -> bool:
        """Tell whether the knob has an effect with a value of the other."""
        return value in self.values if self.values else value not in self.but


@dataclass(frozen=True)
class Search:
    """The values of a knob that a search tries by default."""

    values: Iterable[object] | Callable[[Any, Any], Iterable[object]] = field(repr=False)
    """The values, or a function of engine and generator that returns them; none where the knob
    can't be turned."""
    needs: Needs | None = None
    """In place of the knob's own `Knob.needs`."""


class Holder(ABC):
    """Mixin: has knobs as attributes. A class of the table says which."""

    home: ClassVar[Home]

    @abstractmethod
    def _read(self, knob: Knob[Any]) -> Any:
        """Return a knob's value."""

    @abstractmethod
    def _turn(self, knob: Knob[Any], value: object) -> None:
        """Check a value, set the knob, and record the change in a journal under its name."""


class Knob(Generic[Value]):
    """One knob: all that is known of it, in one place.

    As an attribute it is the knob's value. Its name is the attribute's, everywhere.

    Parameters
    ----------
    kind
        The values that it can have.
    default
        Its default, as text where it depends on something.
    label
        Its label beside a control.
    help
        What it is, in a sentence without a full stop: for tooltips, options and the documentation.
    more
        What else a reader should know: the rest of the attribute's documentation.
    unit
        Of its values.
    text
        Formats a value for people.
    word
        The word of the control block, where it has another name than the knob.
    stops
        Values at which an engine's slider can stop, in order; without them the control is a
        checkbox.
    menu
        Whether values are chosen by name, not along a line.
    slow
        Whether setting it takes so long that a slider sets it only when released.
    group
        The group of controls that shows it, where that is not its home's.
    exists
        Whether an engine has it.
    acts
        Whether it has an effect on an engine, by how that was made.
    idle
        Names the values that can be chosen but do nothing on an engine.
    needs
        The other knob that decides whether this one has an effect.
    search
        What a search tries; None for a knob that is searched only where the user names values.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        default: Any,
        label: str,
        help: str,
        more: str = "",
        unit: str = "",
        text: Callable[[Any], str] = str,
        word: str = "",
        stops: OfEngine | None = None,
        menu: bool = False,
        slow: bool = False,
        group: Home | None = None,
        exists: OfEngine = lambda _engine: True,
        acts: OfEngine = lambda _engine: True,
        idle: OfEngine = lambda _engine: (),
        needs: Needs | None = None,
        search: Search | None = None,
    ) -> None:
        self.kind, self.default, self.label, self.help = kind, default, label, help
        self.unit, self.text, self.word, self.stops = unit, text, word, stops
        self.menu, self.slow, self.group = menu, slow, group
        self.exists, self.acts, self.idle = exists, acts, idle
        self.needs, self.search = needs, search
        self.__doc__ = f"{help}: {kind.range}{unit and f' {unit}'}.\n\n{cleandoc(more)}".strip()

    def __set_name__(self, owner: type[Holder], name: str) -> None:
        self.name, self.home = name, owner.home
        self.word = self.word or name
        self.group = self.group or self.home

    def __repr__(self) -> str:
        return f"<Knob {self.name} of {HOMES[self.home]}: {self.kind.range}>"

    def matters(self, engine: Any) -> bool:
        """Tell whether it has an effect on an engine with its present settings."""
        needed = self.needs is None or self.needs.met(getattr(engine, self.needs.knob))
        return bool(self.acts(engine)) and needed

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: Holder, owner: type) -> Value: ...

    def __get__(self, instance: Holder | None, owner: type) -> Self | Value:
        if instance is None:
            return self
        value: Value = instance._read(self)
        return value

    def __set__(self, instance: Holder, value: Value) -> None:
        instance._turn(self, value)
