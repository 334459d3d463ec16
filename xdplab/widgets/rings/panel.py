"""The controls around the rings' drawing, and the layout of both."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from xdplab.core.text import seconds
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.widgets.rings.figure import WIDTH
from xdplab.widgets.rings.words import legend_html, plain_html

PACES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Values of the slow-motion slider, in seconds."""

MANY_STEPS = 10

_USUAL_PACE = 0.2
_ROW = {"flex_flow": "row wrap", "align_items": "center"}
# As wide as the drawing where there is room, else as the page.
_DRAWING = {"flex": f"0 1 {WIDTH}px", "max_width": "100%", "min_width": "0"}


class RingsPanel:
    """Buttons, sliders and lines of text.

    Controls report changes by the user only, not by `show`, which one thread at a time may call.

    Parameters
    ----------
    figure
        The drawing.
    workers
        The workers' names; a menu is shown where there are several.
    follow_box
        CSS class of the box with the number of the followed frame.
    on_pace
        Called with a new `Engine.pace`.
    on_step
        Called with the number of turns to take.
    on_worker
        Called with a worker's number.
    on_follow
        Called with the text of the box.
    on_next
        Called when the next frame to move is to be followed.
    """

    def __init__(
        self,
        figure: ipywidgets.DOMWidget,
        workers: Sequence[str],
        follow_box: str,
        *,
        on_pace: Callable[[float], None],
        on_step: Callable[[int], None],
        on_worker: Callable[[int], None],
        on_follow: Callable[[str], None],
        on_next: Callable[[], None],
    ) -> None:
        self._shower: int | None = None  # id of the thread inside `show`
        self._pace: float | None = None
        self._run = _button("Run", "play", "At full speed")
        self._slow_down = _button("Slow", "hourglass-half", "A batch every so often")
        self._pause = _button("Pause", "pause", "A batch a step, and no more")
        self._step = _button("Step", "step-forward", "The worker takes one batch")
        self._steps = _button(
            f"{MANY_STEPS} steps", "fast-forward", f"{MANY_STEPS} batches, one by one", "104px"
        )
        self._slow = ipywidgets.SelectionSlider(
            options=_stops(_USUAL_PACE),
            value=_USUAL_PACE,
            description="A batch every",
            tooltip="Slow motion",
            continuous_update=False,
            layout={"width": "320px"},
            style={"description_width": "96px"},
        )
        self._worker = ipywidgets.Dropdown(
            options=[(name, number) for number, name in enumerate(workers)],
            description="Worker",
            layout={"width": "240px", "display": None if len(workers) > 1 else "none"},
            style={"description_width": "60px"},
        )
        self._frame = ipywidgets.Text(
            description="Follow frame",
            placeholder="number, or click one",
            continuous_update=False,
            layout={"width": "250px"},
            style={"description_width": "90px"},
        )
        self._frame.add_class(follow_box)
        self._next = _button("Next", "crosshairs", "Follow the frame that moves next", "80px")
        self._nobody = _button("None", "times", "Follow none", "80px")
        # The controls that set the engine's knob, disabled without an engine.
        self._turners = (
            self._run,
            self._slow_down,
            self._pause,
            self._step,
            self._steps,
            self._slow,
        )
        controls = (
            *self._turners,
            self._worker,
            self._frame,
            self._next,
            self._nobody,
        )
        self._status, self._found, self._counts = (ipywidgets.HTML() for _ in range(3))

        self._run.on_click(lambda _button: on_pace(0))
        self._slow_down.on_click(lambda _button: on_pace(float(self._slow.value)))
        self._pause.on_click(lambda _button: on_pace(math.inf))
        self._slow.observe(self._reported(on_pace), "value")
        self._worker.observe(self._reported(on_worker), "value")
        self._frame.observe(self._reported(on_follow), "value")
        self._step.on_click(lambda _button: on_step(1))
        self._steps.on_click(lambda _button: on_step(MANY_STEPS))
        self._next.on_click(lambda _button: on_next())
        self._nobody.on_click(lambda _button: on_follow(""))
        for control in controls:
            follow_subshells(control)

        legend = ipywidgets.HTML(legend_html(), layout={"flex": "1 1 300px", "margin": "8px"})
        below = [self._found, self._counts]
        self.rows = [
            self._status,
            ipywidgets.HBox([*self._turners, self._worker], layout=_ROW),
            ipywidgets.HBox([self._frame, self._next, self._nobody], layout=_ROW),
            ipywidgets.HBox(
                [ipywidgets.VBox([figure, *below], layout=_DRAWING), legend], layout=_ROW
            ),
        ]

    def show(self, *, pace: float, worker: int, frame: int | None, usable: bool) -> None:
        """Show the present settings, and disable the controls without an engine."""
        self._shower = threading.get_ident()
        try:
            if pace != self._pace:
                self._show_pace(pace)
            self._worker.value = worker
            self._frame.value = "" if frame is None else str(frame)
            for control in self._turners:
                control.disabled = not usable
        finally:
            self._shower = None

    def say(self, status: str, found: str, counts: str) -> None:
        """Show the status in HTML, the followed frame's place, and the places of all frames."""
        self._status.value = status
        self._found.value = plain_html(found, strong=True)
        self._counts.value = plain_html(counts)

    def _show_pace(self, pace: float) -> None:
        if 0 < pace < math.inf:
            with self._slow.hold_sync():
                self._slow.options = _stops(pace)
                self._slow.value = pace
        now = self._run if pace == 0 else self._pause if pace == math.inf else self._slow_down
        for button in (self._run, self._slow_down, self._pause):
            button.button_style = "primary" if button is now else ""
        self._pace = pace

    def _reported(self, report: Callable[[Any], None]) -> Callable[[dict[str, Any]], None]:
        def moved(change: dict[str, Any]) -> None:
            if self._shower != threading.get_ident():
                report(change["new"])

        return moved


def _stops(pace: float) -> list[tuple[str, float]]:
    """Return the slider's values, with the present pace among them."""
    return [(seconds(stop), stop) for stop in sorted({*PACES, pace})]


def _button(text: str, icon: str, tooltip: str, width: str = "84px") -> ipywidgets.Button:
    return ipywidgets.Button(description=text, icon=icon, tooltip=tooltip, layout={"width": width})
