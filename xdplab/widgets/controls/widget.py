"""The knobs of an engine and its traffic, as traits and as controls in the browser."""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from xdplab.core.calls import public
from xdplab.core.checks import choice, is_a
from xdplab.core.errors import ClosedError, ConfigurationError, XdplabError
from xdplab.core.locks import new_lock
from xdplab.knobs import typed
from xdplab.knobs.journal import Change
from xdplab.knobs.row import HOMES
from xdplab.knobs.steering import knobs_of
from xdplab.knobs.table import KNOBS
from xdplab.knobs.typed import Typed
from xdplab.ledger.subjects import check_traffic
from xdplab.settings import presets
from xdplab.settings.undo import next_undo, undo
from xdplab.widgets.base.closing import ClosesModels
from xdplab.widgets.controls.knob import AnyKnob, KnobControl
from xdplab.widgets.controls.panel import Panel
from xdplab.widgets.controls.queues import QueueRates
from xdplab.widgets.history.generator import GeneratorFeed
from xdplab.widgets.live.presence import Presence
from xdplab.widgets.parts.control import new_box_looks
from xdplab.widgets.parts.engine_view import EngineView, State

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic

_LOOK_AT_NAPI_SECONDS = 5.0
"""Between two reads of NAPI's settings: others seldom change them, and a read is slow."""


_SHOWN = {name: knob for name, knob in KNOBS.items() if knob.home != "sockets"}


def _help(knob: AnyKnob) -> str:
    place = f"`{HOMES[knob.home]}.{knob.name}`"
    return f"{place}; None where there is none" if knob.home != "engine" else place


_Traits: Any = traitlets.MetaHasTraits(
    "_Traits",
    (traitlets.HasTraits,),
    {name: traitlets.Any(help=_help(knob)) for name, knob in _SHOWN.items()},
)


@public
class Controls(ClosesModels, _Traits, ipywidgets.VBox):  # type: ignore[misc]
    """Every knob of an engine, and of the traffic that it receives.

    Each knob of `xdplab.KNOBS` that needs no new sockets is a trait of its name:
    ``controls.batch = 128`` sets the engine's knob and moves the slider, and moving
    the slider sets the engine's knob. Changes made elsewhere, in Python or by other controls of the
    same engine, appear within 0.1 s while a browser shows the controls, and after `refresh`. If
    the engine refuses a value, the widget says why below the control, which goes back; Python
    raises.

    A value can also be typed beside its slider, or given as text: ``200k``, ``1.5M``, ``20 µs``,
    ``max``. One that was typed beyond the knob's bounds is held there, and the widget says so.

    Of a card with several queues it shows what arrives on each, over the last second, beside how
    many entries of the RSS table lead there; ``engine.steering.table = [0]`` is seen at once.

    It keeps neither engine nor traffic alive.

    Parameters
    ----------
    engine
        The engine to control; it need not run yet.
    traffic
        The generator, to control its rate and size too.
    """

    _offered = tuple(_SHOWN)

    def __init__(self, engine: Engine, traffic: Traffic | None = None) -> None:
        check_traffic(traffic)
        self._view = EngineView(engine)
        self._traffic_reference = None if traffic is None else weakref.ref(traffic)
        self._sent = None if traffic is None else GeneratorFeed(traffic)
        # Held while a knob is set or shown, so that neither sees the other half done.
        self._lock = new_lock()
        self._is_showing = False
        self._refused = ""  # why the last button's press was refused
        self._reason = ""  # the reason for the last preset's values
        self._last_changes: tuple[Change | None, ...] = ()
        self._undoes = ""
        self._looked_at_napi = -math.inf
        engine.napi.read()
        engine.steering.read()
        box_looks = new_box_looks()
        self._controls = {
            name: KnobControl(knob, engine, self._move, self._take, box_looks)
            for name, knob in _SHOWN.items()
            if knob.exists(engine) and (knob.home != "traffic" or traffic is not None)
        }
        self._presence = Presence(self._beat, self._fail)
        self._queues = QueueRates(engine)
        self._panel = Panel(
            {name: control.widget for name, control in self._controls.items()},
            self._queues.widget,
            on_traffic=self._press(self._start_or_stop) if traffic is not None else None,
            on_preset={name: self._press(self.apply, name) for name in presets.PRESETS},
            on_undo=self._press(self.undo),
        )
        super().__init__([self._presence, *self._panel.rows])
        self.refresh()

    def __repr__(self) -> str:
        said, engine, traffic = [self._view.state().words], self._view.engine, self._traffic
        if engine is not None:  # ipywidgets cuts after 110 characters
            said += [f"batch {engine.batch}", f"wait {engine.way}", f"action {engine.action}"]
        if traffic is not None:
            rate, size = (KNOBS[name].text for name in ("rate", "size"))
            said.append(f"traffic {rate(traffic.rate)} of {size(traffic.size)}")
        return f"<Controls: {self._view.label}, {', '.join(said)}>"

    def apply(self, preset: str) -> None:
        """Set a preset's knobs: one of `xdplab.settings.presets.PRESETS`."""
        preset = choice("preset", preset, presets.PRESETS)
        presets.apply_preset(self._engine, preset)
        self._reason = f"{preset}: {presets.PRESETS[preset].why}"
        self._update()

    def undo(self) -> None:
        """Revert the last change of a knob, wherever it was made, or the last preset; say which."""
        step = undo(self._engine, self._traffic)
        self._reason = f"undone: {', '.join(map(str, step))}" if step else ""
        self._update()

    def refresh(self) -> None:
        """Show the knobs' present values. The pump does so ten times a second while in view."""
        with self._lock:
            self._is_showing = True
            try:
                self._show()
            except ClosedError:  # closed by another thread meanwhile: the next beat shows it
                pass
            finally:
                self._is_showing = False

    # From traits and controls to the engine, on whatever thread: one store.

    @traitlets.validate(*_SHOWN)
    def _turn(self, proposal: Any) -> object:
        """Set the engine's knob; the trait then takes the engine's value, or keeps its own."""
        knob, value = KNOBS[proposal["trait"].name], proposal["value"]
        with self._lock:
            if self._is_showing:
                return value
            engine = self._engine
            if is_a(value, str):
                value = typed.read(knob, str.__str__(value), engine)
            setattr(self._home(knob, engine), knob.name, value)
            return self._value(knob, engine)

    @traitlets.observe(*_SHOWN)
    def _turned(self, _change: object) -> None:
        with self._lock:
            if not self._is_showing:
                self._update()

    def _move(self, knob: AnyKnob, value: object) -> None:
        with self._lock:
            if self._is_showing:
                return
            try:
                setattr(self, knob.name, value)
                self._controls[knob.name].moved(getattr(self, knob.name))
                self._refused = self._reason = ""
            except XdplabError as error:
                self._look_before_a_word(knob)
                self._controls[knob.name].refused(str(error))

    def _take(self, knob: AnyKnob, text: str) -> Typed:
        """Set a knob to what was typed."""
        with self._lock:
            self._look_before_a_word(knob)
            value, held = typed.held(knob, text, self._engine)
            setattr(self, knob.name, value)
            self._refused = self._reason = ""
            value = getattr(self, knob.name)
            self._controls[knob.name].taken(value)
            return Typed(value, held)

    def _look_before_a_word(self, knob: AnyKnob) -> None:
        """Note a value that was set elsewhere and is not shown yet: no word is on that change."""
        if (engine := self._view.engine) is not None:
            self._controls[knob.name].taken(self._value(knob, engine))

    def _press(self, action: Callable[..., None], *arguments: str) -> Callable[[object], None]:
        def pressed(_button: object) -> None:
            self._refused = ""
            try:
                action(*arguments)
            except XdplabError as error:
                self._refused = str(error)

        return pressed

    def _start_or_stop(self) -> None:
        traffic = self._traffic
        if traffic is None:
            raise ClosedError("the traffic was closed. Make a new one, and controls for it.")
        if traffic.running:
            traffic.stop()
        else:
            traffic.start()
        self._update()

    def _update(self) -> None:
        """Show what changed, unless the pump runs: then only the pump sends to browsers."""
        if not self._presence.watched:
            self.refresh()

    # From the engine to traits and controls.

    def _beat(self) -> None:
        engine, now = self._view.engine, time.monotonic()
        if engine is not None and now - self._looked_at_napi > _LOOK_AT_NAPI_SECONDS:
            self._looked_at_napi = now
            try:
                engine.napi.read()
                engine.steering.read()
            except XdplabError:  # the interface is gone; the state line says so
                engine.napi.latest = engine.steering.latest = None
        self.refresh()

    def _fail(self, error: Exception) -> None:
        self._refused = f"these controls stand still: {type(error).__name__}: {error}"
        self._show_panel(self._view.engine)

    def _show(self) -> None:
        engine = self._view.engine
        if engine is not None:
            for name, control in self._controls.items():
                value = self._value(control.knob, engine)
                setattr(self, name, value)
                control.show(value, engine)
        self._show_panel(engine)

    def _short(self) -> str:
        """Look at the generator, and say where it makes less than it was asked for."""
        if self._sent is None or self._traffic is None:
            return ""
        self._sent.look()
        return self._sent.shortfall()

    def _show_panel(self, engine: Engine | None) -> None:
        state, note, traffic = self._view.state(), self._reason, self._traffic
        if engine is not None:
            self._look_for_changes(engine)
            note = note or (engine.wait_note and f"{engine.wait}: {engine.wait_note}")
            self._panel.show_napi(engine.napi.latest is not None)
            self._panel.show_card(self._queues.show(engine))
        self._panel.show(
            self._view,
            State(self._refused, "bad") if self._refused else state,
            note,
            usable=self._view.usable is not None,
            traffic_runs=None if traffic is None else traffic.running,
            short=self._short(),
            undoes=self._undoes,
        )

    def _look_for_changes(self, engine: Engine) -> None:
        """Update what can be undone, if anything has changed."""
        traffic = self._traffic
        journals = [engine.journal] if traffic is None else [engine.journal, traffic.journal]
        last = tuple(journal.last for journal in journals)
        if last != self._last_changes:
            self._last_changes = last
            self._undoes = ", ".join(map(str, next_undo(engine, traffic)))

    # Where knobs are.

    @property
    def _engine(self) -> Engine:
        engine = self._view.engine
        if engine is None:
            raise ClosedError("the engine was closed. Make a new one, and controls for it.")
        return engine

    @property
    def _traffic(self) -> Traffic | None:
        traffic = None if self._traffic_reference is None else self._traffic_reference()
        return None if traffic is None or traffic.closed else traffic

    def _home(self, knob: AnyKnob, engine: Engine) -> object:
        """Return the object that has the knob as an attribute."""
        if knob.home == "steering":  # which says so itself where the card has none
            return engine.steering
        if knob.name not in self._controls:
            what = "traffic" if knob.home == "traffic" else "stream"
            raise ConfigurationError(
                f"{knob.name} can't be set: there is no {what} here. Make the controls with "
                "Controls(engine, traffic), or the engine with stream=Stream(receiver)."
            )
        if knob.home == "napi":
            return engine.napi
        if knob.home == "engine":
            return engine
        if self._traffic is None:
            raise ClosedError("the traffic was closed. Make a new one, and controls for it.")
        return self._traffic

    def _value(self, knob: AnyKnob, engine: Engine) -> object:
        """Read a knob without a system call; None if it does not exist."""
        homes = {
            "engine": engine,
            "traffic": self._traffic,
            "steering": knobs_of(engine.steering.latest),
            "napi": engine.napi.latest,
        }
        return getattr(homes[knob.home], knob.name, None)
