"""The head of a dashboard: one engine's state and figures in a line, and its main knobs."""

from __future__ import annotations

import html
import warnings
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets

from xdplab.core.errors import ClosedError, XdplabError
from xdplab.core.text import rate
from xdplab.knobs.words import number, powers_of_two
from xdplab.widgets.base import pump
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.widgets.parts.control import TypedSlider
from xdplab.widgets.parts.engine_view import EngineView, State, status_html
from xdplab.widgets.style.palette import VERMILLION

if TYPE_CHECKING:
    from xdplab.configuration.configuration import Configuration
    from xdplab.engine.engine import Engine

BEATS_A_STATUS = 5
"""Update the status line twice a second: nobody can read faster ones."""


class EngineHead(ipywidgets.VBox):  # type: ignore[misc]
    """Start and stop, batch size, wait strategy and state of one engine.

    A change of a control sets the engine's attribute, and the other way round.

    Parameters
    ----------
    view
        The engine.
    prefix
        HTML in front of its name.
    """

    def __init__(self, view: EngineView, prefix: str = "") -> None:
        self._view = view
        self._prefix = prefix
        self._refused = ""
        self.stands_still = False
        """Whether the plots do, while these figures go on."""
        self._beats = 0
        self._button = ipywidgets.Button(layout={"width": "100px"})
        self._batch = TypedSlider(
            partial(view.take, "batch"),
            number,
            width="340px",
            description="Batch",
            tooltip="Most packets taken from the RX ring at once",
            options=_stops(view.ring_size),
            style={"description_width": "60px"},
        )
        self._wait = ipywidgets.Dropdown(
            description="Wait",
            tooltip="What the worker does when the RX ring is empty",
            layout={"width": "270px"},
            style={"description_width": "60px"},
        )
        self._status = ipywidgets.HTML()
        # The engine's knobs as last seen. Only a change since then is shown: the value that a
        # control has just set must not overwrite the user's next move.
        self._seen: tuple[int, str, int] | None = None
        self._configuration: Configuration | None = None
        self._counted = (0, 0, 0)
        controls = (self._button, self._batch, self._wait)
        self.beat()

        self._button.on_click(self._start_or_stop)
        self._batch.control.observe(self._turn_batch, "value")
        self._wait.observe(self._turn_wait, "value")
        for control in (self._button, self._wait):
            follow_subshells(control)
        self.controls = ipywidgets.HBox(
            controls, layout={"flex_flow": "row wrap", "align_items": "center"}
        )
        super().__init__([self.controls, self._status])

    def __repr__(self) -> str:
        engine = self._view.engine
        words = self._view.state().words
        if engine is None:
            return f"{self._view.label}, {words}"
        return f"{self._view.label}, {words}, {engine.way}, batch {engine.batch}"

    # From the controls to the engine, on whatever thread handles the browser's message: one store.

    def _turn_batch(self, change: dict[str, Any]) -> None:
        self._turn("batch", change["new"])

    def _turn_wait(self, change: dict[str, Any]) -> None:
        if change["new"]:  # empty if its path has no wait strategies
            self._turn("wait", change["new"])

    def _turn(self, knob: str, value: int | str | None) -> None:
        engine = self._view.engine
        if engine is None or value is None or pump.on_pump_thread():
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the note below says the same, and remains
                setattr(engine, knob, value)
            self._refused = ""
        except XdplabError as error:
            self._refused = str(error)
            self._seen = None  # so that the control goes back to the engine's value

    def _start_or_stop(self, _button: object) -> None:
        engine = self._view.engine
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

    def beat(self) -> None:
        """Show the engine as it is now."""
        engine = self._view.engine
        if engine is not None:
            with suppress(ClosedError):  # closed meanwhile by another thread
                self._show_waits(engine)
                self._show_knobs(engine)
        if self._beats % BEATS_A_STATUS == 0:
            self._show_status(engine)
        self._beats += 1

    def _show_waits(self, engine: Engine) -> None:
        """Fill the menu; which strategies work depends on the sockets, which may be new."""
        if engine.configuration is self._configuration:
            return
        ineffective = engine.wait_ineffective
        self._configuration, self._seen = engine.configuration, None
        with self._wait.hold_sync():
            self._wait.options = [
                (f"{name} (ineffective here)" if name in ineffective else name, name)
                for name in engine.wait_strategies
            ] or [(f"its own, {engine.path}", "")]

    def _show_knobs(self, engine: Engine) -> None:
        knobs = (engine.batch, engine.wait, engine.ring_size)
        if knobs == self._seen:
            return
        batch, wait, ring_size = knobs
        # A batch that is not a power of two gets a place of its own on the slider.
        self._batch.show(_stops(ring_size, batch), batch)
        self._wait.value = wait
        self._seen = knobs

    def _show_status(self, engine: Engine | None) -> None:
        state = self._view.state()
        # Whether its packets come is asked as rarely as can be: each time takes system calls.
        running = state.severity == "good" or (engine is not None and engine.running)
        usable = running or self._view.usable is not None
        for control in (self._button, self._batch, self._wait):
            control.disabled = not usable
        if engine is not None and not engine.wait_strategies:
            self._wait.disabled = True
        self._button.description = "Stop" if running else "Start"
        self._button.icon = "stop" if running else "play"
        note = ""
        if engine is not None:
            with suppress(ClosedError):
                wait = engine.wait_note and f"{engine.wait} is ineffective here: {engine.wait_note}"
                note = " ".join(filter(None, (wait, engine.handler_note)))
        if self._refused:
            state = State(self._refused, "bad")
        elif state.severity == "good":
            state = State(f"{state.words}{self._rates()}", "good")
        if self.stands_still:
            state = state._replace(words=f"plots paused · {state.words}")
        self._status.value = status_html(self._view, state, self._prefix) + warning_html(note)

    def _rates(self) -> str:
        """Return the packets received and lost a second, since the last call."""
        telemetry = self._view.telemetry
        each = [telemetry.counters(worker) for worker in range(telemetry.workers)]
        counted = (
            min(int(last["time_ns"]) for last in each),
            sum(int(last["rx_packets"]) for last in each),
            sum(int(last["rx_dropped"]) + int(last["rx_ring_full"]) for last in each),
        )
        passed, received, dropped = (
            now - before for now, before in zip(counted, self._counted, strict=True)
        )
        first = not self._counted[0]
        self._counted = counted
        if first or not passed:
            return ""
        return (
            f" · {rate(received / passed * 1e9, 3)} received"
            f" · {rate(dropped / passed * 1e9, 3)} dropped by the kernel"
        )


def _stops(ring_size: int, *others: int) -> list[tuple[str, int]]:
    return [(number(stop), stop) for stop in sorted({*powers_of_two(ring_size), *others})]


def warning_html(note: str) -> str:
    """Return HTML of a note on what is not as it was asked; nothing without one."""
    if not note:
        return ""
    return (
        '<div style="line-height: 1.4; padding: 0 0 4px 4px">'
        f'<span style="color: {VERMILLION}">&#9650;</span> {html.escape(note)}</div>'
    )
