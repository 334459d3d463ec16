"""A live view of a sweep: a heat map of any metric over any two knobs."""

from __future__ import annotations

import threading
import uuid
import weakref
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import ipywidgets

from xdplab.core.calls import public_as
from xdplab.core.checks import choice, whole
from xdplab.core.errors import ClosedError, ConfigurationError, XdplabError
from xdplab.core.text import counted, spaced
from xdplab.experiments.background import Background
from xdplab.experiments.in_turn import Stop
from xdplab.experiments.metrics import METRICS
from xdplab.experiments.runs import Runs, words
from xdplab.experiments.sweep import take
from xdplab.experiments.words import figure_words
from xdplab.knobs.table import KNOBS
from xdplab.ledger.offered import shortfall
from xdplab.ledger.subjects import check_engine, check_traffic
from xdplab.settings import settings
from xdplab.widgets.base.feed import SnapshotFeed
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.widgets.live_figure import LiveFigure
from xdplab.widgets.parts.engine_view import EngineView, State, status_html
from xdplab.widgets.parts.results import scale_html
from xdplab.widgets.series.bar import SeriesBar
from xdplab.widgets.series.series import Series
from xdplab.widgets.sweep.cells import NUMBERS, TEXTS, Choice, cells
from xdplab.widgets.sweep.choices import Choices
from xdplab.widgets.sweep.figure import height, sweep_figure

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic

_HINT = "A click on a cell applies its setting to the engine."


@public_as(others=lambda: KNOBS)
class Sweep(Series):
    """A grid of measured runs as a heat map that fills during the sweep.

    *Run* makes the runs of an `xdplab.Grid` on a thread of their own, so that the notebook
    stays usable; *Stop* and *Continue* do the same as `stop` and `run` in Python. At the end the
    swept knobs get back their values. A click on a cell applies its setting to the running engine;
    `xdplab.undo` and the controls' *Undo* revert it, except for options that take new sockets.

    Other knobs can be changed while it runs, and keep their new values. A change of a swept knob
    lasts until the next run; at the end the knob gets its value from before the sweep.

    It keeps neither engine nor traffic alive. Results stay in Python, even if no browser shows it.

    Parameters
    ----------
    engine
        The engine; it must run when the sweep begins.
    traffic
        A generator, not running then: each run starts and stops it. None: measure other traffic.
    metric
        The metric shown first: one of `xdplab.METRICS`.
    seconds
        Length of a run, above 0.
    rounds
        Runs of each combination; a cell shows the median.
    knobs
        The values to try for each knob, by the names of `xdplab.KNOBS`.

    Raises
    ------
    ConfigurationError
        For an unknown metric or knob, no list of values, or more than 10,000 runs.
    """

    def __init__(
        self,
        engine: Engine,
        traffic: Traffic | None = None,
        *,
        metric: str = "pps",
        seconds: float = 0.5,
        rounds: int = 1,
        **knobs: Iterable[object],
    ) -> None:
        check_engine(engine)
        check_traffic(traffic)
        metric = choice("metric", metric, METRICS)
        settings.check(knobs, "knobs")
        self.runs = Runs(seconds, rounds, knobs)
        """The results, run by run."""
        self._view = EngineView(engine)
        self._traffic = None if traffic is None else weakref.ref(traffic)
        self._turning = threading.Lock()  # held while the engine's knobs are set
        self._note = _HINT
        self._runner = Background(self._take)
        self._choices = Choices(self.runs.knobs, metric)
        self._unshown = (self._choices.x, self._choices.y)  # with one knob
        self._bar = SeriesBar(self._runner, self.runs.forget)
        self._feeds = {name: SnapshotFeed(NUMBERS[name], TEXTS[name]) for name in NUMBERS}
        self._drawn: object = None
        click_box = f"xdplab-sweep-{uuid.uuid4().hex}"
        self._figure = LiveFigure(
            sweep_figure(click_box),
            self._feeds,
            rollover=0,
            on_beat=self.refresh,
            description=f"a sweep of {self._view.label}",
            simulated=self._view.simulated,
        )
        self._clicked = ipywidgets.Text(layout={"display": "none"})
        self._clicked.add_class(click_box)
        self._clicked.observe(self._click, "value")
        follow_subshells(self._clicked)
        self._scale, self._status = ipywidgets.HTML(), ipywidgets.HTML()
        super().__init__(
            [
                self._bar.row,
                self._choices.row,
                self._figure,
                self._scale,
                self._status,
                self._clicked,
            ]
        )
        self.refresh()

    def __repr__(self) -> str:
        said = [self._view.state().words, f"{self.runs.done} of {self.runs.total} runs"]
        metric = self._choices.choice.metric
        with suppress(ConfigurationError):  # nothing measured yet
            best = self.runs.best(metric)
            value = figure_words(metric, self.runs.median(best, metric))
            said.append(f"best {metric} {value} with {words(self.runs.combinations[best])}")
        if short := self._of_asked():
            said.append(short)
        return f"<Sweep: {self._view.label}, {', '.join(said)}>"

    @property
    def shown(self) -> Choice:
        """What the map shows: the metric, the knobs of its axes, and the values of the others."""
        return self._choices.choice

    def best(self, metric: str = "pps") -> dict[str, object]:
        """Return the settings with the best value of a metric, as `Grid.best` does."""
        return dict(self.runs.combinations[self.runs.best(metric)])

    def apply(self, combination: int) -> None:
        """Apply a combination to the engine, as a click on its cell does.

        Parameters
        ----------
        combination
            Its row in `results`.

        Raises
        ------
        ConfigurationError
            While the sweep runs.
        XdplabError
            When the engine refuses it; then all knobs stay as they were.
        """
        combination = whole("combination", combination, 0, len(self.runs.combinations) - 1)
        if not self._turning.acquire(blocking=False):
            raise ConfigurationError("the sweep is running: stop it before you apply a setting.")
        try:
            chosen = self.runs.combinations[combination]
            settings.apply(self._engine(), chosen, self._generator())
            self._note = f"Applied: {words(chosen)}."
        finally:
            self._turning.release()

    def refresh(self) -> None:
        """Show the results. The pump does so while a browser shows the widget."""
        running, usable = self._runner.running, self._view.usable is not None
        present = self.runs.present
        doing = "" if present is None else f"measuring {present}"
        self._bar.show(self.runs, doing, usable=usable)
        state = self._view.state()
        if state.severity == "good":
            state = State(f"{state.words} · {self._note}", "idle" if running else "good")
        self._status.value = status_html(self._view, state)
        chosen = self._choices.choice
        seen = (self.runs.done, present, chosen)
        if seen == self._drawn:
            return
        self._drawn = seen
        drawn = cells(self.runs, chosen)
        for name, columns in drawn.sources.items():
            self._feeds[name].show(columns)
        self._figure.set("columns", factors=drawn.columns)
        self._figure.set("rows", factors=drawn.rows)
        self._figure.set("x axis", axis_label=spaced(chosen.x))
        self._figure.set("y axis", axis_label=spaced(chosen.y or ""))
        self._figure.set("map", height=height(len(drawn.rows)))
        self._scale.value = scale_html(chosen.metric, drawn.worst, drawn.best)
        self._scale.value += _small(self._of_asked())

    def _of_asked(self) -> str:
        """Say in how many cells the generator sent less than it was asked for."""
        cells = range(len(self.runs.combinations))
        pairs = [
            [self.runs.median(cell, name) for name in ("asked_pps", "sent_pps")] for cell in cells
        ]
        short = sum(bool(shortfall(asked, sent)) for asked, sent in pairs)
        return f"the generator sent less than asked in {counted(short, 'cell')}" if short else ""

    # On the thread of the runs.

    def _take(self, stop: Stop) -> None:
        with self._turning:
            take(self.runs, self._engine(), self._generator(), stop)

    # From the browser, on whatever thread handles its message.

    def _click(self, change: dict[str, Any]) -> None:
        number = str(change["new"]).partition(" ")[0]
        if number.isdecimal() and int(number) < len(self.runs.combinations):
            # New sockets take a while, and the browser's messages must not wait for them.
            threading.Thread(
                target=self._apply_clicked, args=(int(number),), name="xdplab-apply", daemon=True
            ).start()

    def _apply_clicked(self, combination: int) -> None:
        try:
            self.apply(combination)
        except XdplabError as error:
            self._note = str(error)

    def _engine(self) -> Engine:
        engine = self._view.engine
        if engine is None:
            raise ClosedError("the engine was closed. Make a new one, and a sweep of it.")
        return engine

    def _generator(self) -> Traffic | None:
        if self._traffic is None:
            return None
        traffic = self._traffic()
        if traffic is None or traffic.closed:
            raise ClosedError("the traffic was closed. Make a new one, and a sweep with it.")
        return traffic


def _small(text: str) -> str:
    return f'<div style="line-height: 1.4; opacity: 0.85">{text}</div>' if text else ""
