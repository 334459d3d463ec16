"""A worker's four rings as a drawing, at full speed, slowed, or step by step."""

from __future__ import annotations

import math
import uuid
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from xdplab.core.calls import public
from xdplab.core.checks import whole
from xdplab.core.errors import ClosedError, TelemetryError, XdplabError
from xdplab.core.locks import new_lock
from xdplab.widgets.base import traits
from xdplab.widgets.base.closing import ClosesModels
from xdplab.widgets.base.feed import SnapshotFeed
from xdplab.widgets.live_figure import LiveFigure
from xdplab.widgets.parts.engine_view import EngineView, State, status_html
from xdplab.widgets.rings.figure import NUMBERS, TEXTS, WIDTH, rings_figure
from xdplab.widgets.rings.panel import RingsPanel
from xdplab.widgets.rings.rows import nothing, rows
from xdplab.widgets.rings.state import RingState
from xdplab.widgets.rings.words import count_words, frame_words, lost_words, pace_words

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine

BEATS_A_FIGURE = 5
"""At full speed, update picture and text twice a second, both from one record: nobody can read
faster."""


@public
class Rings(ClosesModels, ipywidgets.VBox):  # type: ignore[misc]
    """The fill, RX, TX and completion rings of one worker, and the place of each frame.

    *Run*, *Slow* and *Pause* set `Engine.pace`, and *Step* makes the workers take one batch
    (`Engine.step`). While they are paced, each entry of rings of up to 128 shows the number of its
    frame (UMEM address divided by frame size), and one frame can be followed. Larger rings, and
    rings at full speed, show only how full they are. For teaching,
    ``Engine(lab.port, ring_size=16, batch=1, action="reflect")`` is a good size.

    The widget does not keep the engine alive. The engine keeps its pace without a view.

    Parameters
    ----------
    engine
        The engine to show; it need not run yet.
    worker
        Number of the worker to show.

    Raises
    ------
    ConfigurationError
        When the engine has no such worker.
    """

    worker = traits.Whole(0)
    """Number of the worker that is shown."""

    frame = traits.Whole(None, allow_none=True)
    """Number of the frame that is followed, or None."""

    def __init__(self, engine: Engine, worker: int = 0) -> None:
        self._view = EngineView(engine)
        worker = self._known(worker)
        # Held while something is shown: by the pump, or by a caller of a picture or of repr.
        self._lock = new_lock()
        self._state: RingState | None = None
        # The engine's last values, to go on showing the rings of a closed engine.
        self._pace = 0.0
        self._frame_size, self._has_stream = 0, False
        self._seen: tuple[object, ...] = ()  # key of the last drawing
        self._beats = 0
        self._feeds = {name: SnapshotFeed(NUMBERS[name], TEXTS.get(name, ())) for name in NUMBERS}
        follow_box = f"xdplab-follow-{uuid.uuid4().hex}"
        self._figure = LiveFigure(
            rings_figure(follow_box),
            self._feeds,
            rollover=0,
            on_beat=self._beat,
            description=f"the rings of {self._view.label}",
            simulated=self._view.simulated,
        )
        self._figure.layout.max_width = f"{WIDTH}px"
        self._panel = RingsPanel(
            self._figure,
            _worker_names(engine),
            follow_box,
            on_pace=self._set_pace,
            on_typed=partial(self._view.take, "pace"),
            on_step=self._step,
            on_worker=self._choose,
            on_follow=self._follow,
            on_next=self._follow_next,
        )
        super().__init__(self._panel.rows)
        self.worker = worker
        self.refresh()

    def __repr__(self) -> str:
        self.refresh()
        said = [self._words().words]
        if self._state is not None:
            rings = self._state.rings.items()
            said += [f"{name} {ring.waiting:,}/{ring.size:,}" for name, ring in rings]
        return f"<Rings: {self._view.label}, {', '.join(said)}>"

    @traitlets.validate("worker")
    def _check_worker(self, proposal: Any) -> int:
        return self._known(proposal["value"])

    def _known(self, worker: object) -> int:
        return whole("worker", worker, 0, self._view.telemetry.workers - 1)

    # From the browser to the engine, on whatever thread: one store.

    def _set_pace(self, pace: float) -> None:
        engine = self._view.engine
        if engine is not None:
            with suppress(XdplabError):  # closed or ended meanwhile: the next beat says so
                engine.pace = pace

    def _step(self, turns: int) -> None:
        engine = self._view.engine
        if engine is not None:
            with suppress(XdplabError):
                engine.pace = math.inf
                engine.step(turns)

    def _choose(self, worker: int) -> None:
        self.worker = worker

    def _follow(self, frame: int | None) -> None:
        self.frame = frame

    def _follow_next(self) -> None:
        state = self._state
        if state is not None:
            self.frame = state.next_frame()

    # From the engine to the browser.

    def refresh(self) -> None:
        """Show the rings' present state. The pump does so while a browser shows the widget."""
        with self._lock:
            self._show_panel()
            self._draw()
            self._say()

    def _beat(self) -> None:
        self._beats += 1
        with self._lock:
            before = self._pace
            self._show_panel()
            if self._pace or before or self._beats % BEATS_A_FIGURE == 0:
                self._draw()
                self._say()

    def _show_panel(self) -> None:
        self._look()
        self._panel.show(
            pace=self._pace,
            worker=self.worker,
            frame=self.frame,
            usable=self._view.usable is not None,
        )

    def _look(self) -> None:
        engine = self._view.engine
        if engine is not None:
            with suppress(ClosedError):
                self._pace = engine.pace
                self._frame_size = engine.configuration.frame_size
                self._has_stream = engine.stream is not None

    def _draw(self) -> None:
        """Redraw the rings if anything has changed."""
        try:
            record = self._view.telemetry.rings(self.worker)
        except TelemetryError:  # the worker lost its core while it was writing them
            return
        record["sequence"] = record["time_ns"] = 0  # these change with each reading
        paced = self._pace > 0
        seen = (record.tobytes(), self.worker, self.frame, self._frame_size, paced)
        if seen == self._seen:
            return
        self._seen = seen
        self._state = None
        if record["ring_size"]:
            self._state = RingState(
                record,
                worker=self.worker,
                frame_size=self._frame_size,
                has_stream=self._has_stream,
                with_entries=paced,
            )
        drawn = nothing() if self._state is None else rows(self._state, self.frame)
        for name, columns in drawn.items():
            self._feeds[name].show(columns)

    def _say(self) -> None:
        found = frame_words(self._state, self.frame, self._pace)
        counts = "" if self._state is None else count_words(self._state)
        self._panel.say(status_html(self._view, self._words()), found, counts)

    def _words(self) -> State:
        """Return what the worker does, and the losses that it causes, in words."""
        state = self._view.state()
        if state.severity != "good":
            return state
        said = [pace_words(self._pace)]
        if self._state is not None and self._pace:
            said.append(f"{self._state.turns:,} turns so far")
            lost = int(self._view.telemetry.counters(self.worker)["rx_ring_full"])
            said += lost_words(self._state, lost)
        return State(" · ".join(said), "good")


def _worker_names(engine: Engine) -> list[str]:
    return [
        f"{number}: {interface.name} {engine.configuration.place_of(number)}"
        for number, interface in enumerate(
            interface for interface in engine.interfaces for _ in engine.configuration.worker_queues
        )
    ]
