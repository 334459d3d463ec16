"""Compares receive paths live: what each receives, and its CPU time."""

from __future__ import annotations

import math
from collections.abc import Iterable

import ipywidgets

from xdplab.backends import BACKENDS, expected
from xdplab.core.calls import public_as
from xdplab.core.checks import boolean, instance_of
from xdplab.core.errors import ConfigurationError
from xdplab.experiments.background import Background
from xdplab.experiments.runs import Runs
from xdplab.experiments.words import figure_words
from xdplab.lab.lab import Lab
from xdplab.ledger.offered import shortfall
from xdplab.net.stream import checked_rate, frame_size
from xdplab.widgets.compare.candidates import Path, candidates, engine_options, usual_paths
from xdplab.widgets.compare.feeds import CompareFeeds, reasons_html
from xdplab.widgets.compare.figure import compare_figure, legend_html
from xdplab.widgets.compare.path_runs import PATH, PathRuns
from xdplab.widgets.live_figure import LiveFigure
from xdplab.widgets.parts.engine_view import BADGE, SIMULATED
from xdplab.widgets.series.bar import SeriesBar
from xdplab.widgets.series.series import Series


@public_as(others=engine_options)
class Compare(Series):
    """Several receive paths on the same traffic: rate, loss, CPU time and latency, as they run.

    ::

        Compare(paths=["xsk spin", "xsk poll", "packet", "udp-epoll"], rate=200_000)

    *Run* measures one path after another on a thread of its own, so that the notebook stays
    usable: each run makes traffic and an engine, and closes them. A round runs every path once, and
    every second round in reverse order. Bars show medians over the rounds so far, and the narrow
    bar at an end the least and the greatest value; a faint bar is a first run in progress. *Stop*
    and *Continue* do the same as `stop` and `run` in Python. Results stay in Python, even if no
    browser shows them.

    Parameters
    ----------
    lab
        The lab to use; no engine may be on its port meanwhile. None makes one for each *Run*.
    paths
        Names in `xdplab.PATHS`; with a wait strategy, as in ``"xsk spin"``; or with settings of
        `Engine`, those of its groups by the names that they have as knobs, as in ``("xsk", {"wait":
        "spin", "huge_pages": True})``. Default: all paths, with `xsk` once with `spin` and once
        with `poll`; in a simulated lab, which has no other path, `xsk` with several wait
        strategies.
    rate, size
        Rate and frame size of the traffic, as for `Traffic`.
    seconds
        Length of a run, above 0.
    rounds
        Runs of each path, 1 to 1000.
    at_once
        Whether all paths run at the same time, each in a lab of its own. They compete for the
        cores, so this shows how they share a machine, not which is faster.
    options
        Settings of all engines, likewise, such as ``batch`` and ``inspect``. Latency is measured on
        sampled frames only, or on all frames with ``inspect=True``, which costs CPU time.

    Raises
    ------
    ConfigurationError
        For values that can't work, and for a lab with `at_once`.
    """

    def __init__(
        self,
        lab: Lab | None = None,
        paths: Iterable[Path] | None = None,
        *,
        rate: float | str = "max",
        size: int = 64,
        seconds: float = 2.0,
        rounds: int = 3,
        at_once: bool = False,
        **options: object,
    ) -> None:
        rate, size = checked_rate(rate), frame_size(size)
        if lab is not None:
            instance_of("lab", lab, Lab, "a Lab, or None for one of its own")
        if boolean("at_once", at_once) and lab is not None:
            raise ConfigurationError(
                "at_once=True takes a lab for each path, which are made for it: leave out the lab."
            )
        backend = expected() if lab is None else BACKENDS[lab.backend]
        simulated = backend.simulated
        found = candidates(usual_paths(simulated) if paths is None else paths, options)
        names = [candidate.name for candidate in found]
        self.runs = Runs(seconds, rounds, {PATH: names})
        """The results, run by run."""
        self._path_runs = PathRuns(
            found, self.runs, lab=lab, backend=backend.name, rate=rate, size=size, at_once=at_once
        )
        self._runner = Background(self._path_runs.take)
        self._bar = SeriesBar(self._runner, self._forget)
        self._feeds = CompareFeeds(names)
        self._drawn: object = None
        self._figure = LiveFigure(
            compare_figure(names),
            self._feeds.feeds,
            rollover=0,
            on_beat=self.refresh,
            description=f"a comparison of {', '.join(names)}{SIMULATED if simulated else ''}",
            simulated=simulated,
        )
        self._reasons = ipywidgets.HTML()
        self.simulated = simulated
        """Whether the labs are simulated."""
        badge = ipywidgets.HTML(BADGE if simulated else "")
        top = ipywidgets.HBox([self._bar.row, badge], layout={"align_items": "center"})
        super().__init__([top, self._figure, ipywidgets.HTML(legend_html(names)), self._reasons])
        self.refresh()

    def __repr__(self) -> str:
        said = [
            f"{settings[PATH]} {figure_words('pps', pps)}{self._of_asked(number)}"
            for number, settings in enumerate(self.runs.combinations)
            if not math.isnan(pps := self.runs.median(number, "pps"))
        ]
        taken = f"{self.runs.done} of {self.runs.total} runs"
        mark = SIMULATED if self.simulated else ""
        return f"<Compare{mark}: {taken}{'; packets/s: ' if said else ''}{', '.join(said)}>"

    def _of_asked(self, number: int) -> str:
        """Say what was sent where less was sent than asked."""
        asked, sent = (self.runs.median(number, name) for name in ("asked_pps", "sent_pps"))
        if not shortfall(asked, sent):
            return ""
        return f" (sent {figure_words('pps', sent)} of {figure_words('pps', asked)} asked)"

    def best(self, metric: str = "pps") -> str:
        """Return the name of the path with the best value of a metric.

        Raises
        ------
        ConfigurationError
            For an unknown metric, or one that was not measured yet.
        """
        return str(self.runs.combinations[self.runs.best(metric)][PATH])

    def refresh(self) -> None:
        """Show the results. The pump does so while a browser shows the widget."""
        courses = dict(self._path_runs.courses)
        present = [name for name, course in courses.items() if course.is_running]
        doing = f"{' and '.join(present)} at work" if present else ""
        self._bar.show(self.runs, doing, usable=True)
        going = [(id(each), each.is_running, len(each.pps)) for each in courses.values()]
        seen = (self.runs.done, going)
        if seen == self._drawn:
            return
        self._drawn = seen
        for model, properties in self._feeds.draw(self.runs, courses).items():
            self._figure.set(model, **properties)
        self._reasons.value = reasons_html(self.runs)

    def _forget(self) -> None:
        self.runs.forget()
        self._path_runs.courses.clear()
