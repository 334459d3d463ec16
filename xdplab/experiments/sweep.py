"""Sweeps: a grid of measured runs over any knobs, to be interrupted and continued at will."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from xdplab.core.calls import public_as
from xdplab.core.checks import boolean
from xdplab.core.errors import ClosedError, ConfigurationError, InterfaceGoneError, XdplabError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.table import Table, Tabled
from xdplab.core.tabled_array import OfRows
from xdplab.engine.engine import Engine
from xdplab.engine.traffic import Traffic
from xdplab.experiments import metrics
from xdplab.experiments.in_turn import Stop, alone, in_turn
from xdplab.experiments.links import broken_link
from xdplab.experiments.metrics import Taken
from xdplab.experiments.progress import Progress, bar
from xdplab.experiments.results import Results
from xdplab.experiments.runs import Run, Runs, Status
from xdplab.knobs.table import KNOBS
from xdplab.ledger.subjects import check_engine, check_traffic
from xdplab.settings import settings

if TYPE_CHECKING:
    import pandas


__all__ = ["Grid"]


@public_as(others=lambda: KNOBS)
class Grid(Tabled, OfRows, FixedNames):
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
        self._stop = Stop()

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
        self._stop = Stop()
        with (
            self._stop.by_interrupt(),
            bar(self.runs.total, done=self.runs.done, wanted=progress) as shown,
        ):
            take(self.runs, self.engine, self.traffic, self._stop, shown)
        return self

    def stop(self) -> None:
        """End a `run` in another thread."""
        self._stop.set()

    @property
    def results(self) -> Results:
        """The results so far: a structured array with a row for each combination.

        It has a field for each knob (int64, float64, bool, or text); a field for each metric
        (float64; the median over the rounds, or nan; `metrics.METRICS` has the units); ``runs``,
        the number of measured runs; ``status``, one of "planned", "measured", "refused" and
        "failed"; the ``reason`` of the last two; and ``limited``, why the generator sent less than
        it was asked for, where it did.
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

    def _results(self) -> Results:
        return self.results

    def _table(self) -> Table:
        table = replace(self.results._table(), title=self._brief()[1:-1])
        if not (self._stop.is_set() and self.runs.left):
            return table
        lines = [*table.lines, "It was interrupted: run() goes on with the rest."]
        return replace(table, lines=lines)

    def _brief(self) -> str:
        knobs = ", ".join(f"{len(values)} {name}" for name, values in self.runs.knobs.items())
        mark = " [simulated]" if self.engine.simulated else ""
        return f"<Grid of {knobs}{mark}: {self.runs.done} of {self.runs.total} runs taken>"


def take(
    runs: Runs,
    engine: Engine,
    traffic: Traffic | None,
    stop: Stop,
    progress: Progress | None = None,
    *,
    keep: Callable[[Run, Taken], object] = lambda _run, _taken: None,
) -> None:
    """Make the remaining runs, and restore the knobs that they changed.

    Parameters
    ----------
    runs, engine, traffic
        As in `Grid`.
    stop
        Set it to end the runs.
    progress
        Told when a run begins and ends.
    keep
        Called with each run that was measured, and with all that was.

    Raises
    ------
    ConfigurationError, KernelError, ClosedError
        As `Grid.run` does.
    """
    with alone(engine, stop):
        _check_ready(engine, traffic)
        with settings.kept(engine, runs.knobs, traffic):
            in_turn(
                runs.left,
                lambda run: _take_one(runs, run, engine, traffic, stop, keep=keep),
                stop=stop,
                progress=progress,
            )


def _take_one(
    runs: Runs,
    run: Run,
    engine: Engine,
    traffic: Traffic | None,
    stop: Stop,
    *,
    keep: Callable[[Run, Taken], object],
) -> None:
    runs.present = run
    if_it_fails: Status = "refused"
    try:
        settings.apply(engine, run.settings, traffic)
        if_it_fails = "failed"
        taken = metrics.take(engine, traffic, runs.seconds, stop.check)
        run.measured(taken)
        keep(run, taken)
    except XdplabError as error:
        _end_if_fatal(error, engine, traffic)
        run.reason, run.status = str(error), if_it_fails
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
