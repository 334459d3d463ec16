"""One measured run with each value of a knob, side by side."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isnan, nan

from xdplab.core.calls import public_function
from xdplab.core.checks import choice
from xdplab.core.errors import MissingKeyError
from xdplab.core.table import Table, Tabled, bars_of
from xdplab.core.text import duration, percent, rate, short, spaced
from xdplab.engine.engine import Engine
from xdplab.engine.traffic import Traffic
from xdplab.experiments.in_turn import Stop
from xdplab.experiments.measure import Measurement
from xdplab.experiments.metrics import Taken
from xdplab.experiments.runs import Run, Runs, plain_value, value_words, words
from xdplab.experiments.sweep import take
from xdplab.ledger.subjects import check_engine, check_traffic
from xdplab.settings import settings
from xdplab.telemetry.latency import Latency

_SECOND = 1e9


@dataclass(frozen=True, repr=False)
class Tried(Tabled):
    """One run of `measure_each`.

    ``measurement`` and ``latency`` are None where the setting was refused or the run failed;
    ``reason`` then says why. ``latency`` has the latencies that were measured in the run: of every
    numbered frame with `Engine.inspect`, else of the sampled ones.
    """

    settings: Mapping[str, object]
    measurement: Measurement | None
    latency: Latency | None
    reason: str

    @property
    def core(self) -> float:
        """The worker's CPU time as a share of one core, with empty polls; nan if not measured."""
        return self.core_busy + self.core_idle

    @property
    def core_idle(self) -> float:
        """The share of one core that went into empty polls; nan if not measured."""
        return self._share("idle_ns_per_packet")

    @property
    def core_busy(self) -> float:
        """The share of one core that went into anything else; nan if not measured."""
        parts = ("user_ns_per_packet", "sys_ns_per_packet", "sqpoll_ns_per_packet")
        return sum(self._share(part) for part in parts)

    @property
    def figures(self) -> Mapping[str, float]:
        """What was measured, by the headings of the table: shares of 1, and times in ns."""
        return _figures(self)

    def _share(self, part: str) -> float:
        if self.measurement is None:
            return nan
        each = getattr(self.measurement, part)
        return nan if each is None else each * self.measurement.rx_pps / _SECOND

    def _table(self) -> Table:
        table = Table(words(self.settings), lines=[self.reason])
        return table if self.measurement is None else self.measurement._table()


_COLUMNS: Mapping[str, Callable[[float], str]] = {
    "received": lambda value: rate(value, 3),
    "lost": lambda value: percent(value) if value else "0",
    "wakeups a second": short,
    "core: busy": percent,
    "core: empty polls": percent,
    "CPU a packet": duration,
    "softirqs a packet": duration,
    "latency p50": duration,
    "latency p99": duration,
}
"""How the figures of a run are shown, by the headings of their columns."""


class Measurements(Tabled, Mapping[object, Tried]):
    """What `measure_each` measured: a run by each value, or tuple of values.

    ::

        each = measure_each(engine, traffic, wait=["spin", "poll"])
        each["spin"].measurement.wakeups
        each["poll"].latency.percentile(99)
    """

    def __init__(self, tried: Iterable[Tried]) -> None:
        self._by_value = {_key(each.settings): each for each in tried}

    def __getitem__(self, value: object) -> Tried:
        wanted = (
            tuple(plain_value("value", one) for one in value)
            if isinstance(value, tuple)
            else (plain_value("value", value),)
        )
        try:
            return self._by_value[wanted]
        except KeyError:
            known = ", ".join(repr(each) for each in self)
            raise MissingKeyError(f"{value!r} was not tried. Tried: {known}.") from None

    def __iter__(self) -> Iterator[object]:
        return (key[0] if len(key) == 1 else key for key in self._by_value)

    def __len__(self) -> int:
        return len(self._by_value)

    @property
    def measured(self) -> Mapping[object, Tried]:
        """Those that were neither refused nor failed."""
        return {value: each for value, each in self.items() if each.measurement is not None}

    def ranked(self, figure: str) -> list[object]:
        """Return the values that were measured, that with the least of a figure first.

        Parameters
        ----------
        figure
            A heading of the table, such as "latency p99".

        Raises
        ------
        ConfigurationError
            For another name; the message lists the headings.
        """
        figure = choice("figure", figure, _COLUMNS)
        known = {value: each.figures.get(figure) for value, each in self.items()}
        return sorted((v for v, f in known.items() if f is not None), key=lambda v: known[v] or 0.0)

    def _brief(self) -> str:
        of = f"{len(self)} settings{self._mark(self.values())}"
        return f"<Measurements of {of}, {len(self.measured)} of them measured>"

    def _table(self) -> Table:
        tried = list(self._by_value.values())
        knobs = [spaced(name) for name in tried[0].settings]
        figures = [each.figures for each in tried]
        columns = [name for name in _COLUMNS if any(name in row for row in figures)]
        told = dict.fromkeys(line for each in tried for line in _lines(each))
        return Table(
            f"{len(tried)} settings{self._mark(tried)}",
            [
                [*map(value_words, each.settings.values()), *_cells(row, columns), _remark(each)]
                for each, row in zip(tried, figures, strict=True)
            ],
            [*knobs, *columns, ""],
            list(told),
            {
                place: bars_of([row.get(name, nan) for row in figures])
                for place, name in enumerate(columns, len(knobs))
            },
        )

    @staticmethod
    def _mark(tried: Iterable[Tried]) -> str:
        simulated = any(each.measurement and each.measurement.simulated for each in tried)
        return " [simulated]" if simulated else ""


def _key(values: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(values.values())


def _figures(tried: Tried) -> dict[str, float]:
    """Return what was measured in a run, by the headings of `_COLUMNS`."""
    seen, latency = tried.measurement, tried.latency
    if seen is None or latency is None:
        return {}
    found = {
        "received": seen.rx_pps,
        "lost": None if seen.lost is None or not seen.sent else seen.lost / seen.sent,
        "wakeups a second": seen.wakeups / seen.seconds,
        "core: busy": tried.core_busy,
        "core: empty polls": tried.core_idle,
        "CPU a packet": _SECOND * tried.core / seen.rx_pps if seen.rx_pps else None,
        "softirqs a packet": seen.softirq_ns_per_packet,
        "latency p50": latency.percentile(50),
        "latency p99": latency.percentile(99),
    }
    return {name: each for name, each in found.items() if each is not None and not isnan(each)}


def _cells(row: Mapping[str, float], columns: Iterable[str]) -> list[str]:
    return [_COLUMNS[name](row[name]) if name in row else "-" for name in columns]


def _lines(tried: Tried) -> Iterator[str]:
    """Return what is told below the table."""
    if tried.reason:
        yield tried.reason
    if tried.measurement is not None and tried.measurement.wait_note:
        yield f"{tried.measurement.wait}: {tried.measurement.wait_note}"
    if tried.measurement is not None and tried.measurement.limited:
        yield tried.measurement.limited


def _remark(tried: Tried) -> str:
    if tried.measurement is None:
        return "refused or failed"
    if not tried.measurement.wait_effective:
        return "ineffective here"
    return "" if tried.measurement.balanced else "does not add up"


@public_function
def measure_each(
    engine: Engine,
    traffic: Traffic | None = None,
    *,
    seconds: float = 1.0,
    **knobs: Iterable[object],
) -> Measurements:
    """Measure the same traffic with each value of a knob, in turn.

    ::

        measure_each(engine, traffic, wait=WAIT_STRATEGIES)

    A value that the engine refuses is noted with the reason, and the others go on. At the end the
    knobs get back their values. `Grid` measures many combinations, can be continued, and has the
    figures as an array; here each run keeps all that `measure` returns.

    Parameters
    ----------
    engine
        The engine, running.
    traffic
        A generator, not running: each run starts and stops it. None: measure other traffic.
    seconds
        Length of a run, above 0.
    knobs
        The values to try, by the names of `xdplab.KNOBS`; of several knobs each combination.

    Raises
    ------
    ConfigurationError, KernelError, ClosedError
        As `Grid` and `Grid.run` do.
    KeyboardInterrupt
        When it was interrupted (Ctrl-C).
    """
    check_engine(engine)
    check_traffic(traffic)
    settings.check(knobs, "knobs")
    runs = Runs(seconds, 1, knobs)
    taken: dict[int, Taken] = {}

    def keep(run: Run, measured: Taken) -> None:
        taken[id(run)] = measured

    with warnings.catch_warnings():
        # The table says so.
        warnings.filterwarnings("ignore", "wait=.* is ineffective here", UserWarning)
        take(runs, engine, traffic, Stop(), keep=keep)
    return Measurements(_tried(run, taken.get(id(run))) for run in runs.in_order)


def _tried(run: Run, taken: Taken | None) -> Tried:
    if taken is None:
        return Tried(run.settings, None, None, run.reason)
    return Tried(run.settings, taken.measurement, taken.latency, run.reason)
