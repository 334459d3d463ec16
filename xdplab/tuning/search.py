"""The search: Optuna proposes settings, each is measured, and the best ones again."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from math import inf
from typing import TYPE_CHECKING

from xdplab.core.calls import public_function
from xdplab.core.checks import boolean, whole
from xdplab.core.checks import seconds as seconds_within
from xdplab.core.errors import ConfigurationError, InterfaceGoneError, XdplabError
from xdplab.experiments.in_turn import Stop, alone, in_turn
from xdplab.experiments.links import broken_link
from xdplab.experiments.metrics import Figures, take
from xdplab.experiments.progress import bar
from xdplab.ledger.subjects import check_engine, check_traffic
from xdplab.settings import presets, settings
from xdplab.tuning.importance import importances
from xdplab.tuning.objective import Function, Objective
from xdplab.tuning.result import Tried, Tuning
from xdplab.tuning.space import Space, key, relevant
from xdplab.tuning.words import figure_words

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial

    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic

_WARM_UP_SECONDS = 0.2
_PROPOSALS_A_RUN = 50
"""Repeated proposals of settings already tried, after which the space counts as exhausted."""
_LEADERS = 3
_FINAL_SHARE = 4  # the last quarter of the runs measures the best settings again
_STARTUP_SHARE = 4  # the first quarter, with the presets, is random
_LONGEST_RUN = 3600
LARGEST_SEED = (1 << 32) - 1  # numpy's limit


@public_function
def tune(
    engine: Engine,
    traffic: Traffic | None,
    objective: str | Function = "pps",
    *,
    budget: int = 40,
    seconds: float = 0.5,
    time_limit: float | None = None,
    knobs: Iterable[str] | Mapping[str, Iterable[object]] | None = None,
    seed: int = 0,
    apply: bool = False,
    progress: bool = True,
) -> Tuning:
    """Search a good setting of an engine for its traffic, with Optuna.

    It begins with the engine's present setting and the presets, then tries settings like the good
    ones (a tree-structured Parzen estimator, which knows that a knob of one wait strategy has no
    effect with another). The last quarter of the runs measures the best settings again, so that
    none wins by luck. At the end all knobs get back their values.

    Parameters
    ----------
    engine
        The engine, running or stopped; it is left in the same state.
    traffic
        Its generator, at the rate for which to search a setting; None: other traffic arrives.
    objective
        ``"pps"`` for packets received, ``"p99"`` for latency, ``"cpu"`` for the worker's CPU time
        per packet; the latter two are divided by the share of the packets that arrived. Or a
        function of a run's figures (`xdplab.METRICS`; None: not measured) that returns a number,
        the higher the better, or None.
    budget
        Most runs.
    seconds
        Length of a run.
    time_limit
        Seconds after which no more run begins.
    knobs
        The knobs to search: names of `xdplab.KNOBS`, or names with values, such as
        ``{"batch": [16, 64, 256]}``. Default: all that are likely to matter here.
    seed
        Seed of the sampler: the same seed and the same figures give the same proposals.
    apply
        Whether to set the engine to the best setting at the end, unless the user ended it early.
    progress
        Whether to draw a progress bar.

    Returns
    -------
    Tuning
        The result. After an interrupt (Ctrl-C), or if a link went down, the result until then;
        `Tuning.ended` says why.

    Raises
    ------
    ConfigurationError
        For values that can't work, if no run could be scored, and if Optuna is missing.
    XdplabError
        When engine or generator ended; `results` of the error is a Tuning with the results until
        then. When no setting could be measured, for example because a link is down.
    """
    _check_optuna()
    check_engine(engine)
    check_traffic(traffic)
    judge = Objective.of(objective)
    budget = whole("budget", budget, 1, 1_000_000)
    seconds = seconds_within("seconds", seconds, 0.01, _LONGEST_RUN)
    if time_limit is not None:
        time_limit = seconds_within("time_limit", time_limit, 0, inf)
    seed = whole("seed", seed, 0, LARGEST_SEED)
    apply, progress = boolean("apply", apply), boolean("progress", progress)
    if not engine.closed and (broken := broken_link(engine, traffic)):
        raise broken
    space = Space(engine, traffic, knobs)
    deadline = None if time_limit is None else time.monotonic() + time_limit
    stop = Stop()
    search = _Search(
        engine, traffic, space, judge, budget=budget, seconds=seconds, seed=seed, stop=stop
    )
    ended = ""
    try:
        with (
            stop.by_interrupt(),
            alone(engine, stop),
            _ready(engine, traffic, space, judge),
            bar(budget, title="tune", stays=False, wanted=progress) as shown,
        ):
            try:
                search.warm_up()
                in_turn(
                    search.turns(deadline),
                    search.step,
                    stop=stop,
                    label=search.words,
                    progress=shown,
                )
            except KeyboardInterrupt:
                stop.set()
    except XdplabError as error:  # of a run, or of a knob that could not be restored
        if search.best is None:
            raise
        ended = str(error)
        if search.is_over():
            error.results = search.result(interrupted=stop.is_set(), ended=ended)
            error.add_note("The error's `results` has what was found until then.")
            raise
    if stop.is_set() and search.best is None:
        raise KeyboardInterrupt
    tuning = search.result(interrupted=stop.is_set(), ended=ended)
    # Not if it was ended: another search or sweep may use the engine by now.
    if apply and not tuning.interrupted and not tuning.ended:
        tuning.apply()
    return tuning


class _Search:
    """A search in progress: the settings tried so far, and the next one to try."""

    def __init__(
        self,
        engine: Engine,
        traffic: Traffic | None,
        space: Space,
        judge: Objective,
        *,
        budget: int,
        seconds: float,
        seed: int,
        stop: Stop,
    ) -> None:
        self._stop = stop
        self._engine, self._traffic, self._space = engine, traffic, space
        self._judge, self._seconds, self._budget = judge, seconds, budget
        self._size = space.size()
        self._refusal: XdplabError | None = None
        self.tried: dict[object, Tried] = {}
        with _quiet():
            self._study = _study(seed, budget)
            for wish in [{}, *(presets.setting(engine, name) for name in presets.PRESETS)]:
                if (parameters := space.parameters(wish)) is not None:
                    self._study.enqueue_trial(parameters, skip_if_exists=True)

    @property
    def best(self) -> Tried | None:
        """The best setting so far."""
        return next(iter(self._leaders()), None)

    def warm_up(self) -> None:
        """Send uncounted traffic, to fill caches and page tables before the first run."""
        if self._traffic is not None:
            self._traffic.start()
            time.sleep(_WARM_UP_SECONDS)
            self._traffic.stop()

    def turns(self, deadline: float | None) -> Iterator[int]:
        """Yield the number of each run, until the budget or the time is used up."""
        for number in range(self._budget):
            if deadline is not None and self.tried and time.monotonic() > deadline:
                return
            yield number

    def words(self, _number: int) -> str:
        """Return the best figure so far in words, with its unit."""
        return "" if self.best is None else f"best {figure_words(self._judge, self.best)}"

    def step(self, number: int) -> None:
        """Measure once: a new setting, or near the end one of the best again."""
        leaders = self._leaders()[:_LEADERS]
        final = number >= self._budget - self._budget // _FINAL_SHARE and len(leaders) > 1
        if final or not self._try_new():
            again = min(leaders, key=lambda tried: len(tried.runs), default=None)
            if again is not None:
                self._measure(again)

    def result(self, *, interrupted: bool, ended: str = "") -> Tuning:
        """Return the result.

        Raises
        ------
        XdplabError
            When no setting was measured.
        """
        judged = self._leaders()
        if not judged:
            if self._refusal is not None and not any(t.runs for t in self.tried.values()):
                raise self._refusal
            raise ConfigurationError(
                f"nothing could be judged by {self._judge.name}: no packet arrived, or what it "
                "takes was not measured. Latencies are of our generators' frames only."
            )
        return Tuning(
            list(self.tried.values()),
            self._judge,
            importances([relevant(one.setting) for one in judged], [one.score for one in judged]),
            self._engine,
            self._traffic,
            interrupted=interrupted,
            ended=ended,
        )

    def _leaders(self) -> list[Tried]:
        judged = [tried for tried in self.tried.values() if tried.scores]
        return sorted(judged, key=lambda tried: -tried.score)

    def _try_new(self) -> bool:
        """Measure a setting that was not tried yet; return False if there is none."""
        for _ in range(_PROPOSALS_A_RUN):
            if len(self.tried) >= self._size:
                return False
            with _quiet():
                trial = self._study.ask()
                setting = self._space.draw(trial)
            known = self.tried.get(key(setting))
            if known is None:
                tried = self.tried[key(setting)] = Tried(setting)
                self._measure(tried)
                self._tell(trial, tried)
                if tried.runs:
                    return True
            else:
                self._tell(trial, known)
        return False

    def _tell(self, trial: Trial, tried: Tried) -> None:
        from optuna.trial import TrialState  # noqa: PLC0415 - slow to import

        with _quiet():
            if tried.scores:
                self._study.tell(trial, tried.score)
            else:
                self._study.tell(trial, state=TrialState.FAIL)

    def _measure(self, tried: Tried) -> None:
        try:
            settings.apply(self._engine, tried.setting, self._traffic)
            figures = take(self._engine, self._traffic, self._seconds, self._stop.check).figures
        except XdplabError as error:
            if self.is_over() or broken_link(self._engine, self._traffic):
                raise
            tried.reason, self._refusal = str(error), error
            return
        self._add(tried, figures)

    def _add(self, tried: Tried, figures: Figures) -> None:
        tried.runs.append(figures)
        score = self._judge.score(figures)
        if score is not None:
            tried.scores.append(float(score))

    def is_over(self) -> bool:
        """Return whether engine or generator ended, so that nothing more can be measured."""
        if self._engine.closed or (self._traffic is not None and self._traffic.closed):
            return True
        try:
            for interface in self._engine.interfaces:
                interface.link_statistics()
        except InterfaceGoneError:  # the worker may not have noticed it yet
            return True
        return self._engine.error is not None


@contextmanager
def _ready(
    engine: Engine, traffic: Traffic | None, space: Space, judge: Objective
) -> Iterator[None]:
    """Start the engine and stop the generator for the block; restore their state and knobs."""
    measures = (
        {"inspect": True} if judge.metric == "p99_ns" and "inspect" not in space.names else {}
    )
    with ExitStack() as stack:
        if traffic is not None and traffic.running:
            traffic.stop()
            stack.callback(_unless_closed, traffic, traffic.start)
        if not engine.running:
            engine.start()
            stack.callback(_unless_closed, engine, engine.stop)
        stack.enter_context(settings.kept(engine, [*space.names, *measures], traffic))
        settings.apply(engine, measures)
        if traffic is not None:
            stack.callback(traffic.stop)
        yield


def _unless_closed(what: Engine | Traffic, put_back: Callable[[], object]) -> None:
    if not what.closed:
        put_back()


def _check_optuna() -> None:
    try:
        import optuna  # noqa: F401, PLC0415 - slow to import, and only in the extra "notebook"
    except ImportError:
        raise ConfigurationError(
            "the search is Optuna's, and Optuna is missing: pip install 'xdplab[notebook]'."
        ) from None


def _study(seed: int, budget: int) -> Study:
    import optuna  # noqa: PLC0415 - as above

    # Jointly for each group of knobs that appear together, to find values that suit each other.
    sampler = optuna.samplers.TPESampler(
        seed=seed, multivariate=True, group=True, n_startup_trials=max(1, budget // _STARTUP_SHARE)
    )
    return optuna.create_study(direction="maximize", sampler=sampler)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from logging each trial, and from warning that some of it is experimental."""
    import optuna  # noqa: PLC0415 - as above

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
