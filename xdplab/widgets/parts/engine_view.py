"""An engine as seen by a widget: its name, its telemetry and its state."""

from __future__ import annotations

import html
import math
import time
import weakref
from typing import TYPE_CHECKING, Literal, NamedTuple

from xdplab.core.errors import ClosedError
from xdplab.knobs import typed
from xdplab.knobs.table import KNOBS
from xdplab.ledger.subjects import check_engine
from xdplab.widgets.style.palette import GREEN, GREY, VERMILLION

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine

CLOSED = "engine is closed"

SIMULATED = " [simulated]"
"""Mark after the name of a simulated engine, in plain text."""

BADGE = (
    '<span style="border: 1px solid; border-radius: 8px; padding: 0 8px; margin-left: 12px;'
    ' font-size: 11px; opacity: 0.8">simulated</span>'
)
"""The same mark in HTML."""

_NAMED_SECONDS = 2.0
"""How long the names of interfaces are taken as known: each look needs a thread in a namespace."""

Severity = Literal["good", "idle", "bad"]

_COLORS: dict[Severity, str] = {"good": GREEN, "idle": GREY, "bad": VERMILLION}


class State(NamedTuple):
    """An engine's state in words."""

    words: str
    severity: Severity


class EngineView:
    """A weak reference to an engine, whose telemetry stays readable after it is closed.

    Parameters
    ----------
    engine
        Open; it need not run yet.
    argument
        Name of the widget's parameter, for errors.

    Raises
    ------
    ConfigurationError
        If it is not an `Engine`.
    """

    def __init__(self, engine: Engine, argument: str = "engine") -> None:
        check_engine(engine, argument)
        self._reference = weakref.ref(engine)
        self.telemetry = engine.telemetry
        """The engine's telemetry; also readable after the engine was closed."""
        self.journal = engine.journal
        """The journal of its changes, likewise."""
        self._ending = engine._ending
        self.simulated = engine.simulated
        self._ring_size = engine.ring_size
        self.given = engine.configuration.name
        """The name that the user gave it, or nothing."""
        self.number = ""
        """Put before the name, to tell apart engines with the same name."""
        self._name = ""
        self._named_at = -math.inf

    @property
    def prefix(self) -> str:
        """Its number and the name that it was given, to stand before other words; may be empty."""
        return f"{self.number}{self.given and f'{self.given}: '}"

    @property
    def name(self) -> str:
        """The name that it was given, and the present ones of its interfaces and queues."""
        engine, now = self._reference(), time.monotonic()
        if engine is not None and now - self._named_at > _NAMED_SECONDS:
            self._named_at = now
            queues = ", ".join(map(str, engine.queues))
            many = "s" * (len(engine.queues) > 1)
            ports = range(len(engine.configuration.interfaces))
            self._name = " and ".join(f"{engine.end(port)} queue{many} {queues}" for port in ports)
        return f"{self.prefix}{self._name}"

    @property
    def label(self) -> str:
        """The name, with a mark in text if simulated."""
        return f"{self.name}{SIMULATED}" if self.simulated else self.name

    @property
    def engine(self) -> Engine | None:
        """The engine, or None if it is closed or gone."""
        engine = self._reference()
        return None if engine is None or engine.closed else engine

    @property
    def usable(self) -> Engine | None:
        """The engine, or None if it is closed or gone, or its workers ended by themselves."""
        engine = self.engine
        return None if engine is None or (engine.has_ended and not engine.running) else engine

    @property
    def ring_size(self) -> int:
        """Entries of its RX ring; the last known number if it is closed."""
        engine = self._reference()
        if engine is not None:
            self._ring_size = engine.ring_size
        return self._ring_size

    def take(self, knob: str, text: str) -> typed.Typed:
        """Set a knob of the engine to what was typed, held within its bounds.

        Raises
        ------
        XdplabError
            If it is no value of the knob, or the engine was closed.
        """
        engine = self.engine
        if engine is None:
            raise ClosedError("the engine was closed.")
        taken = typed.held(KNOBS[knob], text, engine)
        setattr(engine, knob, taken.value)
        return taken

    def state(self) -> State:
        """Return the engine's state, and the reason if it ended by itself."""
        engine = self._reference()
        if engine is None:
            why = "" if self._ending.closed else ": nothing held it any more"
            return State(f"{CLOSED}{why}", "idle")
        if error := engine.error:
            word = "ended" if engine.closed else engine.state
            return State(f"{word}: {str(error).rstrip('.')}", "bad")  # other words may follow
        if engine.closed:
            return State(CLOSED, "idle")
        return State("running", "good") if engine.running else State("stopped", "idle")


def status_html(view: EngineView, state: State, prefix: str = "") -> str:
    """Return a line with the engine's name, a mark if it is simulated, and its state.

    Parameters
    ----------
    view, state
        The engine, and its `EngineView.state` or another text.
    prefix
        HTML in front, such as the colour of its lines.
    """
    badge = BADGE if view.simulated else ""
    return (
        '<div style="line-height: 1.6; padding: 2px 0 0 4px; font-variant-numeric: tabular-nums">'
        f"{prefix}<b>{html.escape(view.name)}</b>{badge}"
        '<span class="xdplab-state">'
        f'<span style="color: {_COLORS[state.severity]}; margin: 0 6px 0 16px">&#9679;</span>'
        f"<span>{html.escape(state.words)}</span></span></div>"
    )
