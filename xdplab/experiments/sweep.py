"""Sweeps: a grid of measured runs over any knobs, which can be interrupted and continued."""

from __future__ import annotations

import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from xdplab.core.checks import boolean
from xdplab.core.errors import ClosedError, ConfigurationError, InterfaceGoneError, XdplabError
from xdplab.core.locks import new_lock
from xdplab.engine.engine import Engine
from xdplab.engine.traffic import Traffic
from xdplab.experiments import metrics
from xdplab.experiments.links import broken_link
from xdplab.experiments.runs import Run, Runs, words
from xdplab.ledger.subjects import check_engine, check_traffic
from xdplab.settings import settings

if TYPE_CHECKING:
    import pandas


__all__ = ["Grid"]


class Grid:
    """Every combination of some knobs' values, measured one after the other.

    ::

        grid = Grid(engine, traffic, batch=[16, 64, 256], wait=["poll", "adaptive"])
        grid.run()
        grid.results[["batch", "wait", "pps"]]
        grid.best("pps")

    Each run applies its combination, starts the traffic, measures, and stops it again. What a
    combination changes is put back at the end, however that comes about; other knobs may be turned
    meanwhile and stay as they are turned. A knob of the grid that is turned meanwhile counts until
    the next run, and is put back as it was before the sweep.

    A combination that the engine refuses, and a run that fails, are recorded with the reason, and
    the rest goes on. Of the sweeps of one engine, one runs at a time: one that begins ends another.

    Parameters
    ----------
    engine
        Running.
    traffic
        Not running: each run starts and stops it, so that all see the same. None to measure
        whatever comes.
    seconds
        Length of a run, above 0.
    rounds
        How often each combination is measured, 1 to 1000, every second round in reverse order.
    knobs
        The values to try of each knob, by the names of `xdplab.KNOBS`.

    Raises
    ------
    ConfigurationError
        For another knob, no list of values, or more than 10,000 runs.
    """

    def __init__(
        self,
        engine: Engine,
        traffic: Traffic | None = None,
        *,
        seconds: float = 1.0,
        rounds: int = 1,
        **knobs: Iterable[object],
    ) -> None:
        check_engine(engine)
        check_traffic(traffic)
        settings.check(knobs, "knobs")
        self.engine, self.traffic = engine, traffic
        self.runs = Runs(seconds, rounds, knobs)
        """Run by run, what was measured."""
        self._stop = threading.Event()

    def run(self, progress: bool = True) -> Self:
        """Take the runs that are not done yet.

        An interrupt (Ctrl-C), or `stop` from another thread, ends it: what was measured is kept,
        the run under way is not, and calling this again goes on from there.

        Parameters
        ----------
        progress
            Whether to draw a progress bar, where tqdm is installed.

        Raises
        ------
        ConfigurationError
            When the engine or the traffic is not as the parameters say.
        KernelError
            When the engine ended by itself, as when its interface is gone; and when a link is down
            before the first run.
        ClosedError
            When the engine or the traffic was closed.
        """
        boolean("progress", progress)
        self._stop = threading.Event()
        with interrupt_sets(self._stop), _bar(self.runs, progress) as advance:
            take(self.runs, self.engine, self.traffic, self._stop, advance)
        return self

    def stop(self) -> None:
        """End `run`, which is under way in another thread."""
        self._stop.set()

    @property
    def results(self) -> npt.NDArray[np.void]:
        """What was measured so far: a structured array with a row a combination.

        A field a knob (int64, float64, bool, or text); a field a metric (float64; the median over
        the rounds, nan where there is none; `metrics.METRICS` has the units); ``runs``, how many
        were measured; ``status``, one of "planned", "measured", "refused" and "failed"; and the
        ``reason`` of the last two.
        """
        return self.runs.array()

    def frame(self) -> pandas.DataFrame:
        """Return `results` as a pandas frame.

        Raises
        ------
        ConfigurationError
            Where pandas is missing.
        """
        return self.runs.frame()

    def best(self, metric: str = "pps") -> dict[str, object]:
        """Return the settings with which a metric was best, for `settings.apply`.

        Raises
        ------
        ConfigurationError
            When there is no such metric, or it was not measured yet.
        """
        return dict(self.runs.combinations[self.runs.best(metric)])

    def __repr__(self) -> str:
        knobs = ", ".join(f"{len(values)} {name}" for name, values in self.runs.knobs.items())
        mark = " [simulated]" if self.engine.simulated else ""
        return f"<Grid of {knobs}{mark}: {self.runs.done} of {self.runs.total} runs taken>"


def take(
    runs: Runs,
    engine: Engine,
    traffic: Traffic | None,
    stop: threading.Event,
    on_run: Callable[[Run], None] = lambda _run: None,
) -> None:
    """Take the runs that are not done yet, and put back what they changed.

    Parameters
    ----------
    runs, engine, traffic
        As in `Grid`.
    stop
        Ends it once it is set.
    on_run
        Called before each run.

    Raises
    ------
    ConfigurationError, KernelError, ClosedError
        As `Grid.run` does.
    """
    with alone(engine, stop):
        _check_ready(engine, traffic)
        with settings.kept(engine, runs.knobs, traffic):
            for run in runs.in_order:
                if stop.is_set():
                    break
                if run.status == "planned":
                    on_run(run)
                    _take_one(runs, run, engine, traffic, stop)


class _StoppedError(Exception):
    """Ends a run that is under way."""


def _take_one(
    runs: Runs, run: Run, engine: Engine, traffic: Traffic | None, stop: threading.Event
) -> None:
    def watch() -> None:
        if stop.is_set():
            raise _StoppedError

    runs.present = run
    try:
        try:
            settings.apply(engine, run.settings, traffic)
        except XdplabError as error:
            _end_if_fatal(error, engine, traffic)
            run.reason, run.status = str(error), "refused"
            return
        try:
            run.figures = metrics.take(engine, traffic, runs.seconds, watch).figures
        except XdplabError as error:
            _end_if_fatal(error, engine, traffic)
            run.reason, run.status = str(error), "failed"
            return
        run.status = "measured"
    except _StoppedError:
        pass
    finally:
        runs.present = None
        if traffic is not None:
            traffic.stop()


def _end_if_fatal(error: XdplabError, engine: Engine, traffic: Traffic | None) -> None:
    """Raise what no further run can come back from."""
    if fault := engine.error:
        raise fault from error
    ended = engine.closed or (traffic is not None and traffic.closed)
    if ended or isinstance(error, InterfaceGoneError | ClosedError):
        raise error


def _check_ready(engine: Engine, traffic: Traffic | None) -> None:
    if engine.closed:
        raise ClosedError("the engine was closed. Make a new one, and a sweep of it.")
    if fault := engine.error:
        raise fault
    if not engine.running:
        raise ConfigurationError("the engine does not run: engine.start() before the sweep.")
    if broken := broken_link(engine, traffic):
        raise broken
    if traffic is not None and traffic.closed:
        raise ClosedError("the traffic was closed. Make a new one, and a sweep with it.")
    if traffic is not None and traffic.running:
        raise ConfigurationError(
            "the traffic is running already. A sweep starts and stops it for each run, so that all "
            "see the same: traffic.stop() before the sweep."
        )


class _Turn:
    """Whose turn it is on an engine."""

    def __init__(self) -> None:
        self.lock = new_lock()  # held by the sweep that runs
        self.stop = threading.Event()  # what ends it


_turns: weakref.WeakKeyDictionary[Engine, _Turn] = weakref.WeakKeyDictionary()
_turns_lock = new_lock()


@contextmanager
def alone(engine: Engine, stop: threading.Event) -> Iterator[None]:
    """End another sweep of the engine, and keep the engine to oneself."""
    with _turns_lock:
        turn = _turns.setdefault(engine, _Turn())
        turn.stop.set()
        turn.stop = stop  # at once, so that of several that wait the newest stays
    with turn.lock:
        yield


@contextmanager
def interrupt_sets(stop: threading.Event) -> Iterator[None]:
    """Have the first interrupt set `stop`, and only another break off whatever is being done."""
    before = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not callable(before):
        yield
        return

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            before(number, frame)
        stop.set()

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _bar(runs: Runs, progress: bool) -> Iterator[Callable[[Run], None]]:
    """Draw a progress bar; what is given back names the run that begins."""
    tqdm: Any = _tqdm() if progress else None
    if tqdm is None:
        yield lambda _run: None
        return
    # Drawn between runs only: during one it would take time from the cores that are measured.
    with tqdm(total=runs.total, initial=runs.done, unit="run", file=sys.stderr) as bar:

        def advance(run: Run) -> None:
            bar.set_postfix_str(words(run.settings), refresh=False)
            bar.update(runs.done - bar.n)
            bar.refresh()

        yield advance
        bar.set_postfix_str("", refresh=False)
        bar.update(runs.done - bar.n)


def _tqdm() -> Any:  # noqa: ANN401 - tqdm is untyped
    try:
        from tqdm.auto import tqdm  # noqa: PLC0415 - only where a bar is wanted
    except ImportError:
        return None
    return tqdm
