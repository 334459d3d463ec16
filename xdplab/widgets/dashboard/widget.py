"""The dashboard: what engines do over time, at a glance, and the nearest knobs to turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from xdplab.core.checks import is_a, items
from xdplab.core.errors import ConfigurationError
from xdplab.engine.waiting import Waiting
from xdplab.ledger.subjects import check_traffic
from xdplab.widgets.dashboard.figure import MARKS, dashboard_figure, rows_name
from xdplab.widgets.dashboard.head import EngineHead
from xdplab.widgets.engine_view import EngineView
from xdplab.widgets.history.marks import Marks
from xdplab.widgets.history.rows import STEPS, HistoryRows
from xdplab.widgets.history.window import RANGES, TimeWindow
from xdplab.widgets.live.figure import LiveFigure
from xdplab.widgets.live.subshells import follow_subshells
from xdplab.widgets.live.traits import OneOf, Switch, TraitRefusedError, Whole
from xdplab.widgets.palette import DASHES

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic

_MOST = 100  # engines
_DASH_STYLES = {"solid": "", "dashed": "7 4", "dotted": "2 3", "dotdash": "2 3 7 3"}


class Dashboard(ipywidgets.VBox):  # type: ignore[misc]
    """Packets, bits, CPU, drops, rings and wakeups of one engine or several, over time.

    The plots are drawn from the engines' own history, so they show the whole range whenever one
    looks, and after an engine was closed its last. Each change of a knob is a mark on every plot.
    The controls and the engine's attributes follow each other, whichever is changed.

    A dashboard does not keep its engines alive, nor does closing it end them: an engine lives until
    it is closed, and the dashboard says so when it is.

    Parameters
    ----------
    engines
        The engine to show, or several; they need not run yet. Several differ in the dash of their
        lines.
    traffic
        A generator, whose changes of rate are marks, too.

    Raises
    ------
    ConfigurationError
        When there is no engine to show.
    """

    seconds = OneOf(tuple(STEPS), default_value=60)
    """How much time the plots show: 10, 30, 60, 120, 300 or 600 seconds."""
    paused = Switch(False)
    """Whether the plots stand still. The engines go on."""
    worker = Whole(None, allow_none=True)
    """The worker that is shown, or None for all of an engine."""

    def __init__(self, engines: Engine | Sequence[Engine], traffic: Traffic | None = None) -> None:
        several: object = [engines] if is_a(engines, Waiting) else engines
        shown = items("engines", several, "engines", _MOST)
        if not shown:
            raise ConfigurationError("engines=[] must have an engine: give it one, or several.")
        check_traffic(traffic)
        numbered = len(shown) > 1
        self._views = [EngineView(engine, "engines") for engine in shown]
        # Those of labs are called alike, so numbered are numbered.
        numbers = [f"{place}: " if numbered else "" for place in range(1, len(self._views) + 1)]
        for number, view in zip(numbers, self._views, strict=True):
            view.number = number
        self._workers = max(view.telemetry.workers for view in self._views)
        self._rows = [HistoryRows(view) for view in self._views]
        self._heads = [
            EngineHead(view, _dash_html(place) if numbered else "")
            for place, view in enumerate(self._views)
        ]
        journals = [
            (number, view.journal) for number, view in zip(numbers, self._views, strict=True)
        ]
        marks = Marks(journals + ([("", traffic.journal)] if traffic else []))
        self._window = TimeWindow(self._views, marks)
        self._figure = LiveFigure(
            dashboard_figure([view.name if numbered else "" for view in self._views]),
            {rows_name(place): rows for place, rows in enumerate(self._rows)} | {MARKS: marks},
            rollover=1,
            on_beat=self._beat,
            description=f"the last minutes of {', '.join(view.label for view in self._views)}",
            simulated=any(view.simulated for view in self._views),
        )
        self._shown: tuple[object, ...] = ()
        choices = self._choices()
        if numbered:
            super().__init__([*self._heads, choices, self._figure])
        else:
            self._heads[0].controls.children += choices.children
            super().__init__([*self._heads, self._figure])

    def __repr__(self) -> str:
        return f"<Dashboard: {'; '.join(map(repr, self._heads))}>"

    def _choices(self) -> ipywidgets.HBox:
        """Make the controls of what is shown, each of which is a trait of ours as well."""
        style = {"description_width": "60px"}
        seconds = ipywidgets.Dropdown(
            description="Last", options=RANGES, layout={"width": "160px"}, style=style
        )
        paused = ipywidgets.ToggleButton(
            description="Pause",
            icon="pause",
            tooltip="Let the plots stand still; the engine goes on",
            layout={"width": "100px"},
        )
        worker = ipywidgets.Dropdown(
            description="Worker",
            options={"all, together": None} | {str(n): n for n in range(self._workers)},
            layout={"width": "200px"},
            style=style,
        )
        for name, control in (("seconds", seconds), ("paused", paused), ("worker", worker)):
            traitlets.link((self, name), (control, "value"))
            follow_subshells(control)
        return ipywidgets.HBox(
            [paused, seconds] + ([worker] if self._workers > 1 else []),
            layout={"flex_flow": "row wrap", "align_items": "center"},
        )

    @traitlets.validate("worker")
    def _check_worker(self, proposal: dict[str, Any]) -> int | None:
        worker: int | None = proposal["value"]
        if worker is not None and not 0 <= worker < self._workers:
            raise TraitRefusedError(
                f"worker={worker}: there is no worker {worker}: choose 0 to {self._workers - 1}, "
                "or None for all"
            )
        return worker

    @traitlets.observe("paused")
    def _pause(self, change: dict[str, Any]) -> None:
        self._window.pause(change["new"])

    def _beat(self) -> None:
        """Show what is to be shown now; on the pump's thread, so that no row comes in between."""
        wanted = (self.seconds, self.worker, self._window.paused_at)
        if wanted != self._shown:
            for rows in self._rows:
                rows.seconds, rows.worker, rows.until = wanted
            # No row that is out of sight shall have a say in how high the plots are.
            self._figure.rollover = round(self.seconds / STEPS[self.seconds]) + 1
            self._figure.refresh()
            self._shown = wanted
        self._window.move(self._figure, self.seconds)
        for head in self._heads:
            head.beat()


def _dash_html(number: int) -> str:
    """Return a short line with the dash of an engine's lines."""
    dashes = _DASH_STYLES[DASHES[number % len(DASHES)]]
    return (
        '<svg width="34" height="8" style="margin-right: 8px; vertical-align: middle">'
        '<line x1="0" y1="4" x2="34" y2="4" stroke="currentColor" stroke-width="2"'
        f' stroke-dasharray="{dashes}"/></svg>'
    )
