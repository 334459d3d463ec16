"""Sweeps: a grid of measured runs over any knobs, to be interrupted and continued at will."""

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

    Each run applies its combination, starts the traffic, measures, and stops the traffic. At the
    end, also after an error, the grid's knobs get back their values. Other knobs can be changed
    meanwhile, and keep their new values. A change of one of the grid's knobs lasts until the next
    run; at the end the knob gets its value from before the sweep.

    A combination that the engine refuses, and a run that fails, are recorded with the reason, and
    the sweep goes on. An engine runs one sweep at a time: a new one ends the one before.

    Parameters
    ----------
    engine
        The engine, running.
    traffic
        A generator, not running: each run starts and stops it, so that all get the same. None:
        measure other traffic.
    seconds
        Length of a run, above 0.
    rounds
        Runs of each combination, 1 to 1000, every second round in reverse order.
    knobs
        The values to try for each knob, by the names of `xdplab.KNOBS`.

    Raises
    ------
    ConfigurationError
        For an unknown knob, no list of values, or more than 10,000 runs.
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
        """The results, run by run."""
        self._stop = threading.Event()

    def run(self, progress: bool = True) -> Self:
        """Make the remaining runs.

        An interrupt (Ctrl-C), or `stop` from another thread, ends it: results are kept, the present
        run is discarded, and another call of `run` continues from there.

        Parameters
        ----------
        progress
            Whether to draw a progress bar, if tqdm is installed.

        Raises
        ------
        ConfigurationError
            When the engine does not run, or the traffic runs.
        KernelError
            When the engine ended by itself, for example because its interface is gone; and when a
            link is down before the first run.
        ClosedError
            When the engine or the traffic was closed.
        """
        boolean("progress", progress)
        self._stop = threading.Event()
        with interrupt_sets(self._stop), _bar(self.runs, progress) as advance:
            take(self.runs, self.engine, self.traffic, self._stop, advance)
        return self

    def stop(self) -> None:
        """End a `run` in another thread."""
        self._stop.set()

    @property
    def results(self) -> npt.NDArray[np.void]:
        """The results so far: a structured array with a row for each combination.

        It has a field for each knob (int64, float64, bool, or text); a field for each metric
        (float64; the median over the rounds, or nan; `metrics.METRICS` has the units); ``runs``,
        the number of measured runs; ``status``, one of "planned", "measured", "refused" and
        "failed"; and the ``reason`` of the last two.
        """
        return self.runs.array()

    def frame(self) -> pandas.DataFrame:
        """Return `results` as a pandas frame.

        Raises
        ------
        ConfigurationError
            When pandas is missing.
        """
        return self.runs.frame()

    def best(self, metric: str = "pps") -> dict[str, object]:
        """Return the settings with the best value of a metric, for `settings.apply`.

        Raises
        ------
        ConfigurationError
            For an unknown metric, or one that was not measured yet.
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
    """Make the remaining runs, and restore the knobs that they changed.

    Parameters
    ----------
    runs, engine, traffic
        As in `Grid`.
    stop
        Set it to end the runs.
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
    """Ends a run before its time."""


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
    """Raise the error if no further run is possible."""
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
    """Makes sure that only one sweep at a time runs on an engine."""

    def __init__(self) -> None:
        self.lock = new_lock()  # held by the sweep that runs
        self.stop = threading.Event()  # ends that sweep


_turns: weakref.WeakKeyDictionary[Engine, _Turn] = weakref.WeakKeyDictionary()
_turns_lock = new_lock()


@contextmanager
def alone(engine: Engine, stop: threading.Event) -> Iterator[None]:
    """End another sweep of the engine, and exclude others in the block."""
    with _turns_lock:
        turn = _turns.setdefault(engine, _Turn())
        turn.stop.set()
        turn.stop = stop  # at once, so that the newest of several waiting sweeps wins
    with turn.lock:
        yield


@contextmanager
def interrupt_sets(stop: threading.Event) -> Iterator[None]:
    """Make the first interrupt set `stop`; only a second one raises KeyboardInterrupt."""
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
    """Draw a progress bar; yield a function to call with each run that begins."""
    tqdm: Any = _tqdm() if progress else None
    if tqdm is None:
        yield lambda _run: None
        return
    # Drawn between runs only: during a run it would take time from the measured cores.
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
        from tqdm.auto import tqdm  # noqa: PLC0415 - only if a bar is wanted
    except ImportError:
        return None
    return tqdm
