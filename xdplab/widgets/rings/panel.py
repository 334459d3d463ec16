"""The controls around the rings' drawing, and the layout of both."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from xdplab.core.checks import whole
from xdplab.core.errors import ConfigurationError
from xdplab.core.text import number_of, seconds
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.widgets.parts.control import Control, Take, TypedSlider
from xdplab.widgets.rings.figure import WIDTH
from xdplab.widgets.rings.words import legend_html, plain_html

PACES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Values of the slow-motion slider, in seconds."""

MANY_STEPS = 10

_USUAL_PACE = 0.2
_MOST_FRAMES = 1 << 32  # in any UMEM
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
    on_typed
        Called with a pace that was typed.
    on_step
        Called with the number of turns to take.
    on_worker
        Called with a worker's number.
    on_follow
        Called with the number of the frame to follow, or None.
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
        on_typed: Take,
        on_step: Callable[[int], None],
        on_worker: Callable[[int], None],
        on_follow: Callable[[int | None], None],
        on_next: Callable[[], None],
    ) -> None:
        self._shower: int | None = None  # id of the thread inside `show`
        self._on_follow = on_follow
        self._pace: tuple[float, bool] | None = None
        self._run = _button("Run", "play", "At full speed")
        self._slow_down = _button("Slow", "hourglass-half", "A batch every so often")
        self._pause = _button("Pause", "pause", "A batch a step, and no more")
        self._step = _button("Step", "step-forward", "The worker takes one batch")
        self._steps = _button(
            f"{MANY_STEPS} steps", "fast-forward", f"{MANY_STEPS} batches, one by one", "104px"
        )
        self._slow = TypedSlider(
            on_typed,
            lambda pace: seconds(pace) if 0 < pace < math.inf else str(self._slow.control.label),
            width="340px",
            options=_stops(_USUAL_PACE),
            value=_USUAL_PACE,
            description="A batch every",
            tooltip="Slow motion",
            continuous_update=False,
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
        self._follow = Control(self._frame)
        buttons = (
            *(turner for turner in self._turners if turner is not self._slow),
            self._worker,
            self._next,
            self._nobody,
        )
        self._status, self._found, self._counts = (ipywidgets.HTML() for _ in range(3))

        self._run.on_click(lambda _button: on_pace(0))
        self._slow_down.on_click(lambda _button: on_pace(float(self._slow.control.value)))
        self._pause.on_click(lambda _button: on_pace(math.inf))
        self._slow.control.observe(self._reported(on_pace), "value")
        self._worker.observe(self._reported(on_worker), "value")
        self._frame.observe(self._reported(self._ask), "value")
        self._step.on_click(lambda _button: on_step(1))
        self._steps.on_click(lambda _button: on_step(MANY_STEPS))
        self._next.on_click(lambda _button: on_next())
        self._nobody.on_click(lambda _button: self._ask(""))
        for button in buttons:
            follow_subshells(button)

        legend = ipywidgets.HTML(legend_html(), layout={"flex": "1 1 300px", "margin": "8px"})
        below = [self._found, self._counts]
        self.rows = [
            self._status,
            ipywidgets.HBox([*self._turners, self._worker], layout=_ROW),
            ipywidgets.HBox([self._follow, self._next, self._nobody], layout=_ROW),
            ipywidgets.HBox(
                [ipywidgets.VBox([figure, *below], layout=_DRAWING), legend], layout=_ROW
            ),
        ]

    def show(self, *, pace: float, worker: int, frame: int | None, usable: bool) -> None:
        """Show the present settings, and disable the controls without an engine."""
        self._shower = threading.get_ident()
        try:
            if (pace, usable) != self._pace:
                self._show_pace(pace, usable=usable)
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

    def _ask(self, written: str) -> None:
        """Follow the frame whose number was written, none if nothing was, or say why not."""
        word = ""
        if not written.strip():
            self._on_follow(None)
        else:
            try:
                self._on_follow(whole("frame", number_of(written), 0, _MOST_FRAMES))
            except ConfigurationError as error:  # the next beat restores the text of the box
                word = str(error)
        self._follow.say(word)

    def _show_pace(self, pace: float, *, usable: bool) -> None:
        if 0 < pace < math.inf:
            self._slow.show(_stops(pace), pace)
        now = self._run if pace == 0 else self._pause if pace == math.inf else self._slow_down
        for button in (self._run, self._slow_down, self._pause):
            button.button_style = "primary" if usable and button is now else ""
        self._pace = pace, usable

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
