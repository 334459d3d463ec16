"""A knob: one row of the table in `table.py`, and the attribute that reads and turns it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar, overload

from xdplab.knobs.kinds import Kind

Value = TypeVar("Value")

# A function of a row takes the engine, which stands above this module and is not imported here.
OfEngine = Callable[[Any], Any]

Home = Literal["sockets", "napi", "engine", "traffic"]
"""Where a knob is turned: `Engine.reconfigure`, or an attribute of `Engine.napi`, of the engine, or
of its generator."""

HOMES: dict[Home, str] = {
    "sockets": "Engine.reconfigure",
    "napi": "Engine.napi",
    "engine": "Engine",
    "traffic": "Traffic",
}
"""What the documentation calls them."""


@dataclass(frozen=True)
class Needs:
    """What another knob must be for a knob to do anything."""

    knob: str
    """The other knob; a search chooses it first."""
    values: tuple[object, ...] = ()
    """Its values beside which the knob does something; none where `but` says so."""
    but: tuple[object, ...] = ()
    """Its values beside which the knob does nothing."""

    def met(self, value: object) -> bool:
        """Say whether the knob does anything beside a value of the other."""
        return value in self.values if self.values else value not in self.but


@dataclass(frozen=True)
class Search:
    """What a search tries a knob at, unless told otherwise."""

    values: Iterable[object] | Callable[[Any, Any], Iterable[object]]
    """The values, or a function of engine and generator that returns them; none where the knob
    can't be turned."""
    needs: Needs | None = None
    """In place of the knob's own `Knob.needs`."""


class Holder(ABC):
    """Mixin: has knobs as attributes. A class of the table says which."""

    home: ClassVar[Home]

    @abstractmethod
    def _read(self, knob: Knob[Any]) -> Any:  # noqa: ANN401 - the knob's own type
        """Return a knob's value."""

    @abstractmethod
    def _turn(self, knob: Knob[Any], value: object) -> None:
        """Check a value, turn the knob, and note the change in a journal under its name."""


class Knob(Generic[Value]):
    """One knob: all that is known of it, in one place.

    As an attribute it is the knob's value. Its name is the attribute's, everywhere.

    Parameters
    ----------
    kind
        The values that it can have.
    default
        Its value unless told otherwise, as text where that depends.
    label
        Its name beside a control.
    help
        What it is, in a sentence without a full stop: for tooltips, options and the documentation.
    more
        What else a reader should know: the rest of the attribute's documentation.
    unit
        Of its values.
    text
        Writes a value for people.
    word
        The word of the control block, where it has another name than the knob.
    stops
        Where a control can stop, in order, of an engine; without, the control is a box to tick.
    menu
        Whether values are chosen by name, not along a line.
    slow
        Whether turning it takes so long that it happens when a slider is let go.
    group
        The controls among which it stands, where those are not its home's.
    exists
        Whether an engine has it.
    acts
        Whether it does anything on an engine as that was made.
    idle
        Names the values that can be chosen but do nothing on an engine.
    needs
        The other knob that decides whether this one does anything.
    search
        What a search tries; None for a knob that is searched only where the user names values.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        default: Any,  # noqa: ANN401 - the knob's own type, or words
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

    def matters(self, engine: Any) -> bool:  # noqa: ANN401 - see OfEngine
        """Say whether it does anything on an engine as that is set now."""
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
