"""The dashboard: plots of engines over time, and their main knobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from xdplab.core.calls import public
from xdplab.core.checks import boolean, choice, is_a, items
from xdplab.core.errors import ConfigurationError
from xdplab.engine.wait_knob import Waiting
from xdplab.ledger.subjects import check_traffic
from xdplab.widgets.base.closing import ClosesModels
from xdplab.widgets.base.feed import Feed
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.widgets.base.traits import OneOf, Switch, TraitRefusedError, Whole
from xdplab.widgets.dashboard.figure import GENERATOR, MARKS, PLOTS, dashboard_figure, rows_name
from xdplab.widgets.dashboard.status_line import EngineHead, warning_html
from xdplab.widgets.history.feed import STEPS, HistoryFeed
from xdplab.widgets.history.generator import GeneratorFeed
from xdplab.widgets.history.marks import Marks, MarksFeed
from xdplab.widgets.history.window import RANGES, TimeWindow
from xdplab.widgets.live_figure import LiveFigure
from xdplab.widgets.parts.engine_view import EngineView
from xdplab.widgets.style.palette import ENGINES

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic

_MOST = 100  # engines
_ALL = -1  # in the menu of workers, where None would mean that nothing is chosen


@public
class Dashboard(ClosesModels, ipywidgets.VBox):  # type: ignore[misc]
    """Packets, bits, CPU, drops, rings and wakeups of one engine or several, over time.

    The plots are drawn from the engines' own history, so they always show the whole range, and the
    last one of a closed engine. Each change of a knob is a mark on every plot. A change of a
    control sets the engine's attribute, and the other way round.

    A dashboard does not keep its engines alive, and closing it does not close them. It says so
    when an engine was closed.

    Parameters
    ----------
    engines
        The engine to show, or several; they need not run yet. Several differ in the colour of
        their lines, and go by the names that ``Engine(..., name="left")`` gave them; the dash of a
        line then tells what it is.
    traffic
        A generator: the rate that it makes, while the dashboard is in view, and the one asked of
        it are lines of the plot ``"rate"``, changes of its rate become marks, and a note says so
        when it makes less than was asked.
    plots
        Which plots to show, in this order: names from ``"rate"``, ``"bits"``, ``"cpu"``,
        ``"drops"``, ``"rings"`` and ``"wakeups"``. All by default.
    compact
        Lower plots, and no controls: for a dashboard beside other widgets. `seconds`, `paused` and
        `worker` still work.

    Raises
    ------
    ConfigurationError
        When there is no engine to show, or no plot of a name.
    """

    seconds = OneOf(tuple(STEPS), default_value=60)
    """Time range of the plots in seconds: 10, 30, 60, 120, 300 or 600."""
    paused = Switch(False)
    """Whether the plots stand still. The engines go on."""
    worker = Whole(None, allow_none=True)
    """Number of the worker to show, or None for all of an engine."""

    def __init__(
        self,
        engines: Engine | Sequence[Engine],
        traffic: Traffic | None = None,
        *,
        plots: Sequence[str] | None = None,
        compact: bool = False,
    ) -> None:
        several: object = [engines] if is_a(engines, Waiting) else engines
        shown = items("engines", several, "engines, as [Engine(lab.port)], or one engine", _MOST)
        if not shown:
            raise ConfigurationError("engines=[] must have an engine: give it one, or several.")
        check_traffic(traffic)
        names = PLOTS if plots is None else _plot_names(plots)
        compact = boolean("compact", compact)
        numbered = len(shown) > 1
        self._views = [EngineView(engine, "engines") for engine in shown]
        # Engines of several labs are on interfaces of the same names, so they get numbers.
        given = [view.given for view in self._views]
        for place, view in enumerate(self._views, 1):
            if numbered and (not view.given or given.count(view.given) > 1):
                view.number = f"{place}: "
        self._generator = None if traffic is None else GeneratorFeed(traffic)
        self._workers = max(view.telemetry.workers for view in self._views)
        self._feeds = [HistoryFeed(view) for view in self._views]
        self._heads = [
            EngineHead(view, _color_html(place) if numbered else "")
            for place, view in enumerate(self._views)
        ]
        journals = [(view.prefix if numbered else "", view.journal) for view in self._views]
        marks = Marks(journals + ([("", traffic.journal)] if traffic else []))
        marked = MarksFeed(marks)
        self._window = TimeWindow(self._views, marks, [marked])
        feeds: dict[str, Feed] = {rows_name(n): feed for n, feed in enumerate(self._feeds)}
        feeds[MARKS] = marked
        if self._generator is not None and "rate" in names:
            feeds[GENERATOR] = self._generator
        self._figure = LiveFigure(
            dashboard_figure(
                [view.name if numbered else "" for view in self._views],
                names,
                compact=compact,
                generator=self._generator is not None,
            ),
            feeds,
            rollover=1,
            on_beat=self._beat,
            description=f"the last minutes of {', '.join(view.label for view in self._views)}",
            simulated=any(view.simulated for view in self._views),
        )
        self._shown: tuple[object, ...] = ()
        self._shortfall = None if traffic is None else ipywidgets.HTML()
        below = [self._figure] if self._shortfall is None else [self._shortfall, self._figure]
        choices = self._choices()
        if compact:
            for head in self._heads:
                head.children = [child for child in head.children if child is not head.controls]
            self._unshown = (*choices, *(head.controls for head in self._heads))
            super().__init__([*self._heads, *below])
        elif numbered:
            row = {"flex_flow": "row wrap", "align_items": "center"}
            super().__init__([*self._heads, ipywidgets.HBox(choices, layout=row), *below])
        else:
            self._heads[0].controls.children += choices
            super().__init__([*self._heads, *below])

    def __repr__(self) -> str:
        return f"<Dashboard: {'; '.join(map(repr, self._heads))}>"

    def _choices(self) -> tuple[ipywidgets.Widget, ...]:
        """Make the controls of the time range, pause and worker; each has a trait of the widget."""
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
        paused.observe(_show_pressed, "value")
        controls = {"paused": paused, "seconds": seconds}
        if self._workers > 1:
            controls["worker"] = ipywidgets.Dropdown(
                description="Worker",
                options={"all, together": _ALL} | {str(n): n for n in range(self._workers)},
                layout={"width": "200px"},
                style=style,
            )
        for name, control in controls.items():
            traitlets.link((self, name), (control, "value"), _WAYS.get(name))
            follow_subshells(control)
        return tuple(controls.values())

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
        for head in self._heads:
            head.stands_still = change["new"]

    def _beat(self) -> None:
        """Update the plots; on the pump's thread, so that no row arrives in between."""
        wanted = (self.seconds, self.worker, self._window.paused_at)
        if wanted != self._shown:
            for feed in self._feeds:
                feed.seconds, feed.worker, feed.until = wanted
            if self._generator is not None:
                self._generator.seconds, _, self._generator.until = wanted
            # Rows outside the time range must not set the height of the plots.
            self._figure.rollover = round(self.seconds / STEPS[self.seconds]) + 1
            self._figure.refresh()
            self._shown = wanted
        self._window.move(self._figure, self.seconds)
        for head in self._heads:
            head.beat()
        if self._generator is not None and self._shortfall is not None:
            self._generator.look()
            self._shortfall.value = warning_html(self._generator.shortfall())


# From a trait to its control, and back.
_WAYS = {
    "worker": (
        lambda worker: _ALL if worker is None else worker,
        lambda chosen: None if chosen == _ALL else chosen,
    )
}


def _show_pressed(change: dict[str, Any]) -> None:
    button, paused = change["owner"], change["new"]
    button.button_style = "primary" if paused else ""
    button.description, button.icon = ("Resume", "play") if paused else ("Pause", "pause")


def _plot_names(plots: object) -> list[str]:
    several: object = [plots] if is_a(plots, str) else plots
    names = [choice("plots", name, PLOTS) for name in items("plots", several, "names", _MOST)]
    if not names:
        raise ConfigurationError(f"plots=[] must name a plot: {', '.join(PLOTS)}.")
    return names


def _color_html(number: int) -> str:
    """Return HTML of a short line in the colour of an engine's lines."""
    return (
        '<svg width="34" height="8" style="margin-right: 8px; vertical-align: middle">'
        f'<line x1="0" y1="4" x2="34" y2="4" stroke="{ENGINES[number % len(ENGINES)]}"'
        ' stroke-width="4"/></svg>'
    )
