"""Receive paths take turns on a lab: each gets an engine and traffic of its own for a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from xdplab.configuration.keywords import grouped
from xdplab.core.errors import ClosedError, XdplabError
from xdplab.engine.engine import Engine
from xdplab.engine.traffic import Traffic
from xdplab.experiments import metrics
from xdplab.experiments.in_turn import Stop, in_turn
from xdplab.experiments.runs import Run, Runs
from xdplab.lab.lab import Lab
from xdplab.net.stream import Rate
from xdplab.widgets.compare.candidates import Candidate

PATH = "path"
"""The knob of the runs: the candidate's name."""


@dataclass
class Course:
    """The progress of the present run, or of the last one."""

    is_running: bool = True
    seconds: list[float] = field(default_factory=list)
    """Time of each reading, since the start of the run."""
    pps: list[float] = field(default_factory=list)
    """Packets a second since the reading before."""
    figures: metrics.Figures = field(default_factory=dict)
    """The metrics known while it runs, over the whole run so far."""


class _Opened(NamedTuple):
    """The engine and generator of one run."""

    run: Run
    engine: Engine
    traffic: Traffic


class PathRuns:
    """Makes the runs of all candidates.

    Parameters
    ----------
    found
        The candidates.
    runs
        The candidates' runs, by name.
    lab
        The lab to use; None makes one and closes it at the end.
    backend
        The backend of a lab that is made.
    rate, size
        Rate and frame size of the traffic.
    at_once
        Whether all candidates run at the same time, each in a lab of its own.
    """

    def __init__(
        self,
        found: list[Candidate],
        runs: Runs,
        *,
        lab: Lab | None,
        backend: str,
        rate: Rate,
        size: int,
        at_once: bool,
    ) -> None:
        self._options: Mapping[object, Mapping[str, Any]] = {
            candidate.name: candidate.options for candidate in found
        }
        self._runs, self._lab, self._at_once = runs, lab, at_once
        self._backend = backend
        self._rate, self._size = rate, size
        self.courses: dict[str, Course] = {}
        """The last run of each candidate, by its name."""

    def take(self, stop: Stop) -> None:
        """Make the runs that are not done yet, until `stop` is set.

        Raises
        ------
        ClosedError
            When the lab was closed.
        KernelError
            When no lab can be made here. A failure of one candidate is noted in its runs.
        """
        left = self._runs.left
        groups = (
            [[run for run in left if run.round == n] for n in range(self._runs.rounds)]
            if self._at_once
            else [[run] for run in left]
        )
        # A lab that the caller gave is not closed.
        one_lab = nullcontext(self._lab) if self._lab or self._at_once else self._make_lab()
        with one_lab as lab:
            in_turn(groups, lambda group: self._take_together(group, lab, stop), stop=stop)

    def _make_lab(self) -> Lab:
        return Lab(backend=self._backend)

    def _take_together(self, group: list[Run], lab: Lab | None, stop: Stop) -> None:
        with ExitStack() as stack:
            opened = [
                found
                for run in group
                if (found := self._open(stack, run, lab or stack.enter_context(self._make_lab())))
            ]
            if len(opened) == 1:
                self._measure(opened[0], stop)
            elif opened:
                with ThreadPoolExecutor(len(opened)) as pool:
                    list(pool.map(lambda each: self._measure(each, stop), opened))

    def _open(self, stack: ExitStack, run: Run, lab: Lab) -> _Opened | None:
        if lab.closed:
            raise ClosedError("the lab was closed. Make a new one, and compare in that.")
        try:
            with ExitStack() as own:
                traffic = Traffic(lab.peer, lab.port, rate=self._rate, size=self._size)
                own.callback(traffic.close)
                engine = Engine(lab.port, **grouped(self._options[run.settings[PATH]]))
                own.callback(engine.close)
                engine.start()
                stack.push(own.pop_all())
        except XdplabError as error:
            run.reason, run.status = str(error), "refused"
            return None
        return _Opened(run, engine, traffic)

    def _measure(self, opened: _Opened, stop: Stop) -> None:
        run, engine, traffic = opened
        course = Course()
        self.courses[str(run.settings[PATH])] = course
        look = _observer(course, engine)

        def watch() -> None:
            stop.check()
            look()

        try:
            run.measured(metrics.take(engine, traffic, self._runs.seconds, watch))
        except XdplabError as error:
            run.reason, run.status = str(error), "failed"
        finally:
            course.is_running = False
            traffic.stop()


_SHORTEST_LOOK = 0.05
"""Seconds: telemetry is published every 0.01 s, so a rate over less would be inexact."""


def _observer(course: Course, engine: Engine) -> Callable[[], None]:
    """Return a function that adds a reading to `course` at each call."""
    began = time.monotonic()
    first = engine.telemetry.total()
    before, before_at = first, began

    def look() -> None:
        nonlocal before, before_at
        now, total = time.monotonic(), engine.telemetry.total()
        if now - before_at < _SHORTEST_LOOK:
            return
        new = int(total["rx_packets"] - before["rx_packets"])
        packets = int(total["rx_packets"] - first["rx_packets"])
        cpu = int(total["cpu_ns"] - first["cpu_ns"]) + int(total["sqpoll_ns"] - first["sqpoll_ns"])
        course.seconds.append(now - began)
        course.pps.append(new / (now - before_at))
        course.figures = {
            "pps": packets / (now - began),
            "cpu_ns_per_packet": cpu / packets if packets else None,
        }
        before, before_at = total, now

    return look
