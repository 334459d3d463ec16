"""The dashboard of an engine: what comes in, what the rings hold, and the knobs to turn."""

from __future__ import annotations

import html
import weakref
from contextlib import suppress
from math import isnan
from typing import TYPE_CHECKING, Any

import ipywidgets

from xdplab.errors import ClosedError, XdplabError
from xdplab.widgets import pump
from xdplab.widgets.dashboard_figure import GREEN, VERMILLION, dashboard_figure
from xdplab.widgets.last_minute import ROWS, LastMinute
from xdplab.widgets.live_figure import LiveFigure
from xdplab.widgets.subshells import follow_subshells

if TYPE_CHECKING:
    from xdplab.engine import Engine

BEATS_A_STATUS = 5
"""The status line changes twice a second: figures that change faster can't be read."""

CLOSED = "engine is closed"
GREY = "#808080"


class Dashboard(ipywidgets.VBox):  # type: ignore[misc]
    """Packets a second, ring occupancy, start and stop, batch size and wait strategy of one engine.

    The plots show the last minute whenever one looks: they are drawn from the engine's own history.
    The controls and the engine's attributes follow each other, whichever is changed. A dashboard
    does not keep its engine alive, and says so when it is closed or gone.

    Parameters
    ----------
    engine
        The engine to show; it need not run yet.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine_reference = weakref.ref(engine)
        self._simulated = engine.simulated
        self._name = f"{getattr(engine.interface, 'name', engine.interface)} queue {engine.queue}"
        self._rows = LastMinute(engine)
        self._refused = ""
        self._beats = 0

        self._button = ipywidgets.Button(layout={"width": "100px"})
        self._batch = ipywidgets.SelectionSlider(
            description="Batch",
            tooltip="Most packets taken from the RX ring at once",
            options=_powers_of_two(engine.ring_size),
            continuous_update=True,
            layout={"width": "310px"},
            style={"description_width": "60px"},
        )
        self._wait = ipywidgets.Dropdown(
            description="Wait",
            tooltip="What the worker does when the RX ring is empty",
            options=engine.wait_strategies,
            layout={"width": "240px"},
            style={"description_width": "60px"},
        )
        self._controls = (self._button, self._batch, self._wait)
        self._status = ipywidgets.HTML()
        self._figure = LiveFigure(
            dashboard_figure(),
            self._rows,
            rollover=ROWS,
            on_beat=self._beat,
            description=f"the last minute of {self._name}",
        )
        # The engine's knobs as last seen. Only what changed since is shown: what a control has just
        # told the engine must not fight with the control's next move.
        self._seen: tuple[int, str, int] | None = None
        self._show_knobs(engine)
        self._show_status(engine)

        self._button.on_click(self._start_or_stop)
        self._batch.observe(self._turn_batch, "value")
        self._wait.observe(self._turn_wait, "value")
        for control in self._controls:
            follow_subshells(control)
        super().__init__(
            [
                ipywidgets.HBox(
                    self._controls, layout={"flex_flow": "row wrap", "align_items": "center"}
                ),
                self._status,
                self._figure,
            ]
        )

    def __repr__(self) -> str:
        engine = self._engine
        if engine is None:
            return f"<Dashboard: {self._name}, {CLOSED}>"
        state = "running" if engine.running else "stopped"
        return f"<Dashboard: {self._name}, {state}, {engine.wait}, batch {engine.batch}>"

    @property
    def _engine(self) -> Engine | None:
        """The engine while it can be used."""
        engine = self._engine_reference()
        return None if engine is None or engine.closed else engine

    # From the controls to the engine, on whatever thread handles the browser's message: one store.

    def _turn_batch(self, change: dict[str, Any]) -> None:
        self._turn("batch", change["new"])

    def _turn_wait(self, change: dict[str, Any]) -> None:
        self._turn("wait", change["new"])

    def _turn(self, knob: str, value: int | str) -> None:
        engine = self._engine
        if engine is None or pump.on_pump_thread():
            return
        try:
            setattr(engine, knob, value)
            self._refused = ""
        except XdplabError as error:
            self._refused = str(error)
            self._seen = None  # put the control back to what the engine goes on with

    def _start_or_stop(self, _button: object) -> None:
        engine = self._engine
        if engine is None:
            return
        try:
            if engine.running:
                engine.stop()
            else:
                engine.start()
            self._refused = ""
        except XdplabError as error:
            self._refused = str(error)

    # From the engine to the controls, on the pump's thread.

    def _beat(self) -> None:
        engine = self._engine
        if engine is not None:
            with suppress(ClosedError):  # closed since, by another thread
                self._show_knobs(engine)
        if self._beats % BEATS_A_STATUS == 0:
            self._show_status(engine)
        self._beats += 1

    def _show_knobs(self, engine: Engine) -> None:
        knobs = (engine.batch, engine.wait, engine.ring_size)
        if knobs == self._seen:
            return
        batch, wait, _ = knobs
        # A batch that is no power of two was set in Python: it gets a place on the slider.
        options = sorted({*_powers_of_two(engine.ring_size), batch})
        if self._batch.options != tuple(options):
            with self._batch.hold_sync():
                self._batch.options = options
                self._batch.value = batch
        self._batch.value = batch
        self._wait.value = wait
        self._seen = knobs

    def _show_status(self, engine: Engine | None) -> None:
        for control in self._controls:
            control.disabled = engine is None
        running = engine is not None and engine.running
        self._button.description = "Stop" if running else "Start"
        self._button.icon = "stop" if running else "play"
        color, words = self._state(engine)
        self._status.value = _status_html(self._name, self._simulated, color, words)

    def _state(self, engine: Engine | None) -> tuple[str, str]:
        """Return the state's colour and what the status line says."""
        whole = self._engine_reference()
        if self._refused:
            return VERMILLION, self._refused
        if whole is not None and whole.error is not None:
            return VERMILLION, f"ended: {whole.error}"
        if engine is None:
            return GREY, CLOSED
        if not engine.running:
            return GREY, "stopped"
        row = self._rows.latest()
        if not row or isnan(row["received"]):
            return GREEN, "running"
        received, dropped = _si(row["received"]), _si(row["dropped"])
        return GREEN, f"running · {received}pps received · {dropped}pps dropped by the kernel"


def _powers_of_two(most: int) -> list[int]:
    return [1 << exponent for exponent in range(most.bit_length())]


def _si(value: float) -> str:
    """Return `value` with three digits and the space and letter that a unit follows: "1.52 M"."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g} "


def _status_html(name: str, simulated: bool, color: str, words: str) -> str:
    badge = (
        '<span style="border: 1px solid; border-radius: 8px; padding: 0 8px; margin-left: 12px;'
        ' font-size: 11px; opacity: 0.8">simulated</span>'
        if simulated
        else ""
    )
    return (
        '<div style="line-height: 1.6; padding: 2px 0 0 4px; font-variant-numeric: tabular-nums">'
        f"<b>{html.escape(name)}</b>{badge}"
        f'<span style="color: {color}; margin: 0 6px 0 16px">&#9679;</span>'
        f"{html.escape(words)}</div>"
    )
