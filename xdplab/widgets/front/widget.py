"""The front of a search between rate, latency and CPU time; a click applies a setting."""

from __future__ import annotations

import threading
import uuid
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np

from xdplab.core.calls import public
from xdplab.core.checks import instance_of
from xdplab.core.errors import ClosedError, XdplabError
from xdplab.experiments.runs import words
from xdplab.settings import settings
from xdplab.tuning.result import Tuning
from xdplab.tuning.space import relevant
from xdplab.widgets.base.closing import ClosesModels
from xdplab.widgets.base.feed import SnapshotFeed
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.widgets.front.figure import front_figure
from xdplab.widgets.front.points import NUMBERS, TEXTS, at, points
from xdplab.widgets.front.words import head_html, importances_html, legend_html
from xdplab.widgets.live_figure import LiveFigure
from xdplab.widgets.parts.engine_view import SIMULATED, EngineView, State, status_html

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine

BEATS_A_LOOK = 10
"""Read the engine's settings once a second, since that includes NAPI's settings."""

_HINT = "A click on a point applies its setting."


@public
class Front(ClosesModels, ipywidgets.VBox):  # type: ignore[misc]
    """The settings that a search tried: rate over p99, with CPU time as colour.

    The settings of the front, which no other setting beats in all three at once, are large and have
    their place in `Tuning.front`; the others are faint. Hover shows a setting and its results. A
    click applies a setting to the running engine; `xdplab.undo` and the controls' *Undo* revert it,
    except for options that take new sockets.

    It does not keep the engine alive.

    Parameters
    ----------
    tuning
        The result of `xdplab.tune`.
    engine
        The engine to set. Default: the engine of the search.

    Raises
    ------
    ClosedError
        When the engine is gone.
    """

    def __init__(self, tuning: Tuning, engine: Engine | None = None) -> None:
        instance_of("tuning", tuning, Tuning, "what xdplab.tune returned")
        engine = tuning.engine if engine is None else engine
        if engine is None:
            raise ClosedError("the engine of this search is gone. Give another: Front(tuning, it).")
        self.tuning = tuning
        self._view = EngineView(engine)
        traffic = tuning.traffic
        self._traffic = None if traffic is None else weakref.ref(traffic)
        self._turning = threading.Lock()  # held while the engine's knobs are set
        self._note, self._beats = _HINT, 0
        self._drawn = drawn = points(tuning)
        self._feeds = {name: SnapshotFeed(NUMBERS[name], TEXTS[name]) for name in NUMBERS}
        for name, columns in drawn.sources.items():
            self._feeds[name].show(columns)
        click_box = f"xdplab-front-{uuid.uuid4().hex}"
        self._figure = LiveFigure(
            front_figure(drawn, click_box),
            self._feeds,
            rollover=0,
            on_beat=self._beat,
            description=f"what a search of {self._view.label} found",
            simulated=tuning.simulated,
        )
        self._figure.layout.flex, self._figure.layout.min_width = "1 1 480px", "0"
        self._clicked = ipywidgets.Text(layout={"display": "none"})
        self._clicked.add_class(click_box)
        self._clicked.observe(self._click, "value")
        follow_subshells(self._clicked)
        self._status = ipywidgets.HTML()
        beside = ipywidgets.HTML(
            importances_html(tuning.importances), layout={"flex": "0 0 auto", "margin": "8px 0"}
        )
        self._legend = ipywidgets.HTML()
        super().__init__(
            [
                ipywidgets.HTML(head_html(tuning)),
                ipywidgets.HBox([self._figure, beside], layout={"flex_flow": "row wrap"}),
                self._legend,
                self._status,
                self._clicked,
            ]
        )
        self.refresh()

    def __repr__(self) -> str:
        front = "\n".join(
            f"  {place}: {words(relevant(self.tuning.setting(place)))}"
            for place in range(len(self.tuning.places))
        )
        state = self._view.state().words
        mark = SIMULATED if self.tuning.simulated else ""
        return f"<Front: {self._view.label}, {state}>\n{self.tuning.sentence}{mark}\n{front}"

    def apply(self, place: int = 0) -> None:
        """Apply a setting of the front to the engine, as a click on its point does.

        Parameters
        ----------
        place
            Index in `Tuning.front`; 0 is the best by the objective.

        Raises
        ------
        ConfigurationError
            When the front has no such place.
        ClosedError
            When the engine was closed, or is gone.
        XdplabError
            When the engine refuses it; then all knobs stay as they were.
        """
        self._apply(self.tuning.setting(place))

    def refresh(self) -> None:
        """Mark the engine's present setting. The pump does so while a browser shows the widget."""
        state = self._view.state()
        if state.severity == "good":
            state = State(f"{state.words} · {self._note}", "good")
        self._status.value = status_html(self._view, state)
        shown = self._feeds["points"].columns
        x, y, rows = (np.asarray(shown[name], float) for name in ("x", "y", "row"))
        numbers, present = [int(row) for row in rows], self._present()
        equal = [row for row in numbers if self.tuning.tried(row) == present]
        self._feeds["present"].show(at(x, y, numbers, equal))
        refused = int((self.tuning.trials["runs"] == 0).sum())
        ringed = None if present is None else bool(equal)
        self._legend.value = legend_html(self._drawn, refused, ringed=ringed)

    def _beat(self) -> None:
        if self._beats % BEATS_A_LOOK == 0:
            self.refresh()
        self._beats += 1

    def _present(self) -> dict[str, object] | None:
        """Read the engine's setting, in the form of a trial's."""
        engine = self._view.engine
        if engine is None:
            return None
        with suppress(XdplabError):
            present = settings.current(engine, self.tuning.settings, self._generator())
            if present.get("cpu", 0) is None:
                present["cpu"] = engine.cpu
            return present
        return None

    def _apply(self, setting: dict[str, object]) -> None:
        engine = self._view.engine
        if engine is None:
            raise ClosedError("the engine was closed. Make a new one: Front(tuning, engine).")
        with self._turning:
            settings.apply(engine, setting, self._generator())
            self._note = f"Applied: {words(relevant(setting))}."
        self._beats = 0

    # From the browser, on whatever thread handles its message.

    def _click(self, change: dict[str, Any]) -> None:
        number = str(change["new"]).partition(" ")[0]
        if number.isdecimal() and int(number) < len(self.tuning.trials):
            # New sockets take a while, and the browser's messages must not wait for them.
            threading.Thread(
                target=self._apply_clicked, args=(int(number),), name="xdplab-apply", daemon=True
            ).start()

    def _apply_clicked(self, row: int) -> None:
        try:
            self._apply(self.tuning.tried(row))
        except XdplabError as error:
            self._note, self._beats = str(error), 0

    def _generator(self) -> Any:
        return None if self._traffic is None else self._traffic()
