"""An engine's latency histogram, live, beside a frozen earlier one."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import ipywidgets
import traitlets

from xdplab.core.calls import public
from xdplab.core.checks import boolean, whole
from xdplab.core.errors import ClosedError, ConfigurationError, XdplabError
from xdplab.telemetry.region import Latency
from xdplab.widgets.base.closing import ClosesModels
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.widgets.base.traits import OneOf, Switch, Whole
from xdplab.widgets.latency.feeds import LatencyFeeds
from xdplab.widgets.latency.figure import latency_figure
from xdplab.widgets.latency.reading import LatencyReader, Reading
from xdplab.widgets.latency.shape import Shape, percentiles
from xdplab.widgets.latency.words import (
    figures,
    looked_at,
    measures,
    mixed,
    settings,
    table_html,
    why_nothing,
)
from xdplab.widgets.live_figure import LiveFigure
from xdplab.widgets.parts.engine_view import EngineView, State, status_html

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine

_DRAWING_INTERVAL = 0.15
"""Seconds; so every second beat of the pump draws: faster figures can't be read."""

_SPANS = {"since reset": None, "last second": 1, "last 10 s": 10}


class Frozen(NamedTuple):
    """A histogram kept for comparison."""

    label: str
    histogram: Latency
    shape: Shape
    """Its drawn parts."""


@public
class LatencyView(ClosesModels, ipywidgets.VBox):  # type: ignore[misc]
    """The latency of frames from xdplab's generators: histogram, percentiles and a frozen copy.

    It is one way, from the generator's timestamp to the worker; on an engine that generates, the
    round trip of its own frames. Other frames carry no timestamp and are not measured. When nothing
    is measured, the widget says why.

    The numbers are those of `Telemetry.latency`, the same in all widgets on one engine. The widget
    does not keep the engine alive.

    Parameters
    ----------
    engine
        The engine to show; it need not run yet.
    worker
        Number of the worker to show; None adds up all workers. A trait, as are the next two.
    seconds
        Show the last second (1) or the last 10; None shows all since the last reset.
    tail
        Whether to draw the percentiles as a curve instead of the histogram.

    Raises
    ------
    ConfigurationError
        When there is no such worker, or for other `seconds`.
    """

    worker = Whole(None, allow_none=True)
    seconds = OneOf((1, 10), None, allow_none=True)
    tail = Switch(False)

    def __init__(
        self,
        engine: Engine,
        *,
        worker: int | None = None,
        seconds: int | None = None,
        tail: bool = False,
    ) -> None:
        self._view = EngineView(engine)
        self._reader = LatencyReader(engine.telemetry)
        self._feeds = LatencyFeeds()
        self._frozen: Frozen | None = None
        self._settings, self._measures = settings(engine), measures(engine)
        self._inspects = engine.inspect
        self._drawn = 0.0
        if worker is not None:
            worker = whole("worker", worker, 0, engine.telemetry.workers - 1)
        if seconds is not None:
            seconds = type(self).seconds.validate(self, seconds)
        tail = boolean("tail", tail)
        self._reading = self._reader.read(worker, seconds)
        self._status = ipywidgets.HTML()
        self._table = ipywidgets.HTML(layout={"flex": "0 0 auto", "padding": "8px 0 0 0"})
        self._figure = LiveFigure(
            latency_figure(),
            self._feeds.feeds,
            rollover=0,
            on_beat=self._beat,
            description=f"the latency of {self._view.label}",
            simulated=self._view.simulated,
        )
        self._figure.layout.flex, self._figure.layout.min_width = "1 1 480px", "0"
        super().__init__(worker=worker, seconds=seconds, tail=tail)
        self.children = [
            ipywidgets.HBox(
                self._controls(engine), layout={"flex_flow": "row wrap", "align_items": "center"}
            ),
            self._status,
            ipywidgets.HBox([self._figure, self._table], layout={"flex_flow": "row wrap"}),
        ]
        self.refresh()

    @traitlets.validate("worker")
    def _check_worker(self, proposal: dict[str, Any]) -> int | None:
        worker = proposal["value"]
        if worker is None:
            return None
        return whole("worker", worker, 0, self._view.telemetry.workers - 1)

    def _controls(self, engine: Engine) -> list[ipywidgets.Widget]:
        self._reset = _button("Reset", "Empty the engine's histogram, in every view", self.reset)
        self._freeze = _button("Freeze", "Keep this histogram, to compare with", self._freeze_shown)
        self._clear = _button("Clear", "Forget the frozen histogram", self.clear_frozen)
        self._every = ipywidgets.ToggleButton(
            engine.inspect,
            description="Every packet",
            tooltip="engine.inspect: measure each packet, not only those that are sampled",
            layout={"width": "110px"},
        )
        number = range(engine.telemetry.workers)
        spans = self._menu("seconds", _SPANS)
        plots = self._menu("tail", {"Histogram": False, "Percentile curve": True})
        self._every.observe(self._turn_inspect, "value")
        controls = [plots, spans, self._every, self._reset, self._freeze, self._clear]
        if engine.telemetry.workers > 1:
            workers = {"all workers": None} | {f"worker {n}": n for n in number}
            controls.insert(1, self._menu("worker", workers))
        for control in controls:
            follow_subshells(control)
        return controls

    def _menu(self, trait: str, values: dict[str, Any]) -> ipywidgets.Dropdown:
        """Return a menu of a trait's values by their names (None is no value to a Dropdown)."""
        names = {value: name for name, value in values.items()}
        menu = ipywidgets.Dropdown(
            options=list(values), value=names[getattr(self, trait)], layout={"width": "140px"}
        )
        both_ways = (names.__getitem__, values.__getitem__)
        traitlets.link((self, trait), (menu, "value"), transform=both_ways)
        return menu

    def __repr__(self) -> str:
        reading = self._reader.read(self.worker, self.seconds)
        state = self._state(reading)
        live, frozen = reading.histogram, self._frozen
        shown = f": {figures(percentiles(live))}" if live.total else ""
        kept = f"; frozen {frozen.label}: {figures(frozen.shape.percentiles)}" if frozen else ""
        return f"<LatencyView: {self._view.label}, {state.words}{shown}{kept}>"

    @property
    def histogram(self) -> Latency:
        """The histogram that is shown, read now."""
        return self._reader.read(self.worker, self.seconds).histogram

    @property
    def frozen(self) -> Frozen | None:
        """The histogram that was kept for comparison, with its label."""
        return self._frozen

    def freeze(self, label: str | None = None) -> None:
        """Keep a copy of the present histogram, drawn behind the live one, in place of an older.

        It does not clear the live histogram: `reset` does, for a measurement with other settings.

        Parameters
        ----------
        label
            Its label. Default: the present settings, such as ``"poll, batch 64"``.

        Raises
        ------
        ConfigurationError
            When nothing was measured.
        """
        reading = self._reader.read(self.worker, self.seconds)
        histogram = reading.histogram
        if not histogram.total:
            raise ConfigurationError(f"there is nothing to freeze. {self._state(reading).words}")
        self._note_settings()
        label = self._settings if label is None else label
        self._frozen = Frozen(label, histogram, Shape.of(histogram))

    def clear_frozen(self) -> None:
        """Remove the frozen copy."""
        self._frozen = None

    def reset(self) -> None:
        """Clear the engine's histograms, as `Engine.reset_latency`; no effect if it is closed."""
        engine = self._view.engine
        if engine is not None:
            with suppress(XdplabError):  # closed or ended: the next beat says so
                engine.reset_latency()

    # From the browser, on whatever thread handles its message.

    def _freeze_shown(self) -> None:
        with suppress(ConfigurationError):  # nothing measured, as the status line says
            self.freeze()

    def _turn_inspect(self, change: dict[str, Any]) -> None:
        engine = self._view.engine
        if engine is not None:
            with suppress(ClosedError):
                engine.inspect = change["new"]

    # To the browser, on the pump's thread.

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._drawn >= _DRAWING_INTERVAL:
            self._drawn = now
            self.refresh()

    def refresh(self) -> None:
        """Show the present histogram. The pump does so while a browser shows the widget."""
        self._note_settings()
        before, self._reading = self._reading, self._reader.read(self.worker, self.seconds)
        live, frozen = Shape.of(self._reading.histogram), self._frozen
        if self._reading.seconds is None and live.total < before.histogram.total:
            self._feeds.forget()  # it was reset
        kept = None if frozen is None else frozen.shape
        for model, properties in self._feeds.draw(live, kept, time.monotonic()).items():
            self._figure.set(model, **properties)
        self._figure.set("title", text=f"dashed: {frozen.label}" if frozen else "")
        self._figure.set("histogram", visible=not self.tail)
        self._figure.set("curve", visible=self.tail)
        self._status.value = status_html(self._view, self._state(self._reading))
        self._table.value = table_html(live, kept, "" if frozen is None else frozen.label)
        self._reset.disabled = self._every.disabled = self._view.usable is None
        self._freeze.disabled = not live.total
        self._clear.disabled = frozen is None

    def _note_settings(self) -> None:
        """Note the engine's settings, which can't be read once it is closed."""
        engine = self._view.engine
        if engine is None:
            return
        with suppress(ClosedError):
            self._settings, self._measures = settings(engine), measures(engine)
            # Only a change is shown, so that the value the button has just set is not reverted.
            if engine.inspect != self._inspects:
                self._inspects = engine.inspect
                self._every.value = self._inspects

    def _state(self, reading: Reading) -> State:
        """Return in words what is measured, or why nothing is."""
        state, engine = self._view.state(), self._view.engine
        total = reading.histogram.total
        with suppress(XdplabError):
            if engine is not None and not total and self._view.usable is not None:
                words = why_nothing(engine, reading.received)
                severity = "idle" if state.severity == "good" else state.severity
                return State(f"{state.words} · nothing measured: {words}", severity)
            if engine is not None:
                of = f"{total:,} frames ({looked_at(engine, self._begun(reading))})"
                return State(self._measured(state, of, reading), state.severity)
        return State(self._measured(state, f"{total:,} frames", reading), state.severity)

    def _begun(self, reading: Reading) -> int:
        """Return when the first of the frames that are shown can have come."""
        if reading.seconds is None:
            return self._reader.since_ns
        return time.monotonic_ns() - round(reading.seconds * 1e9)

    def _measured(self, state: State, frames: str, reading: Reading) -> str:
        seconds = reading.seconds
        span = "since the reset" if seconds is None else f"in the last {seconds:.1f} s"
        parts = [state.words, self._measures, f"{frames} {span}"]
        if self.worker is not None:
            parts.insert(1, f"worker {self.worker}")
        if seconds is None:
            parts.append(mixed(self._view.journal.changes, self._reader.since_ns))
        return " · ".join(part for part in parts if part)


def _button(words: str, tooltip: str, press: Callable[[], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(description=words, tooltip=tooltip, layout={"width": "80px"})
    button.on_click(lambda _button: press())
    return button
