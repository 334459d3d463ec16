"""Bins of time from the records of an engine: the mean, the least and the most of each figure.

A record says how far each counter had come. Between two records of a worker its rates are constant:
nothing finer is known. So time is cut into cells where a record was written or a bin begins, and in
a cell the rates of all workers may be added. A bin's mean is the growth of its counters divided by
its length, so that the area under a rate is what was counted. Its least and most are those of its
cells, each with the rate of a whole publish interval, so that no peak of such an interval is lost.

A level, such as how full a ring is, is known when a record is written, and stands for the interval
before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xdplab.native import lib
from xdplab.telemetry.region import COUNTERS, LONG_INTERVAL, Records

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

RATES = (
    *("received", "sent"),  # packets a second
    *("bits_in", "bits_out"),  # a second
    *("ring_full", "no_fill", "too_long", "invalid"),  # a second
    *("wakeups", "syscalls"),  # a second
)
COSTS = ("user", "system", "idle", "sqpoll")
"""CPU nanoseconds a packet."""
LEVELS = ("rx", "fill", "tx", "completion")
"""% of the ring."""
FIGURES = (*RATES, *COSTS, *LEVELS)

UNDER_ONE = 0.5
"""Stands for less than 1 ns a packet, since the axis of these is logarithmic."""

_COUNTERS = (
    *("rx_packets", "tx_packets", "rx_bytes", "tx_bytes"),
    *("cpu_ns", "user_ns", "idle_ns", "sqpoll_ns"),
    *("rx_ring_full", "rx_dropped", "rx_fill_ring_empty_descs", "rx_too_long"),
    *("rx_invalid_descs", "tx_invalid_descs", "wakeups"),
)
_RINGS = ("fill", "tx", "completion")
_NOTHING = np.array([[UNDER_ONE if name in COSTS else 0.0] for name in FIGURES])
# A record as words: one array for all fields is faster than one array per field.
_WORDS = np.dtype((np.int64, (COUNTERS.itemsize // 8,)))


def _word(field: str) -> int:
    """Return the index of a field's first word in a record."""
    fields: Any = COUNTERS.fields
    return int(fields[field][1]) // 8


_COUNTED = [_word(name) for name in _COUNTERS]
_PRODUCERS = [_word(f"{ring}_producer") for ring in _RINGS]
_CONSUMERS = [_word(f"{ring}_consumer") for ring in _RINGS]
# The worker's own system calls, without those of publishing.
_SYSCALLS = [
    _word("syscalls") + kind
    for kind in range(lib.XDPLAB_SYSCALL_KINDS)
    if kind != lib.XDPLAB_SYSCALL_PUBLISH
]

# A worker that stops says so in its last record, which may be missing from the long history.
_STOOD_STILL_NS = round(3 * LONG_INTERVAL * 1e9)


@dataclass(frozen=True)
class History:
    """The records of one worker, oldest first; at least two."""

    times: Integers
    """When each was written, by CLOCK_MONOTONIC in ns."""
    records: Records


def of_bins(name: str) -> tuple[str, str, str]:
    """Return the names of a figure's columns: its mean, its least and its most in each bin."""
    return name, f"{name}_least", f"{name}_most"


COLUMNS = tuple(column for name in FIGURES for column in of_bins(name))
"""The names of the columns of all figures."""


class Bins:
    """Bins and the cells in them.

    Parameters
    ----------
    edges
        Where bins begin and end, at equal distances.
    histories
        One for each worker.
    interval_ns
        Usual time from one record to the next.
    """

    def __init__(self, edges: Integers, histories: Sequence[History], interval_ns: int) -> None:
        inner = [
            history.times[(history.times > edges[0]) & (history.times < edges[-1])]
            for history in histories
        ]
        cells: Integers = np.unique(np.concatenate((edges, *inner)))
        self.ends = cells[1:]
        self._widths = np.diff(cells).astype(np.float64)
        self._firsts = np.searchsorted(cells, edges[:-1])  # the first cell of each bin
        self._step = float(edges[1] - edges[0])
        self._interval = interval_ns
        count = len(self.ends)
        self._runners = np.zeros(count)
        self._steady = np.ones(count, dtype=bool)
        # Counters a second, of all workers; the first row has the system calls.
        self._rates = np.zeros((1 + len(_COUNTERS), count))
        # Of the descriptors in the RX ring's peak and in each of `_RINGS`: sum, least, most.
        self._held = np.zeros((1 + len(_RINGS), count))
        self._emptiest = np.full_like(self._held, np.nan)
        self._fullest = np.full_like(self._held, np.nan)
        for history in histories:
            self._add(history, cells[:-1])

    def _add(self, history: History, begins: Integers) -> None:
        times, records = history.times, history.records
        place = np.searchsorted(times, begins, side="right") - 1
        inside = (place >= 0) & (place < len(times) - 1)
        place = np.clip(place, 0, len(times) - 2)
        lengths = np.diff(times)
        words: Integers = records.view(_WORDS)
        counters = np.column_stack((words[:, _SYSCALLS].sum(axis=1), words[:, _COUNTED]))
        slopes = np.diff(counters, axis=0).T * (1e9 / np.maximum(lengths, 1))
        self._rates += slopes[:, place] * inside
        runs = records["state"][:-1] == lib.XDPLAB_STATE_RUNNING
        running = inside & (runs & (lengths < _STOOD_STILL_NS))[place]
        self._runners += running
        # A worker that stops or starts writes a record at once: so short an interval has no rate.
        self._steady &= ~inside | (lengths >= self._interval / 2)[place]
        held = np.vstack((records["rx_peak"], (words[:, _PRODUCERS] - words[:, _CONSUMERS]).T))
        now = np.where(running, held[:, place + 1].astype(np.float64), np.nan)
        self._held += np.where(running, now, 0)
        self._emptiest = np.fmin(self._emptiest, now)
        self._fullest = np.fmax(self._fullest, now)

    def columns(self, ring_sizes: Floats) -> dict[str, Floats]:
        """Return the `COLUMNS`.

        Parameters
        ----------
        ring_sizes
            Entries of the RX ring in each cell; `ends` has the cells' ends.
        """
        ran = np.add.reduceat(self._runners, self._firsts) > 0
        # All figures at once: with so few bins, numpy's calls take longer than their work.
        parts = (self._of_rates(), self._of_costs(), self._of_levels(ring_sizes))
        mean, least, most = np.concatenate(parts, axis=1)
        mean[:, ~ran] = np.nan
        known = np.isfinite(mean)
        # An area with nan would go on to its other side, so it has no height there.
        low = np.where(known, np.fmin(least, mean), _NOTHING)
        high = np.where(known, np.fmax(most, mean), _NOTHING)
        return dict(zip(COLUMNS, np.stack((mean, low, high), 1).reshape(-1, len(ran)), strict=True))

    def _sum(self, rates: Floats) -> Floats:
        """Add up what rates mean in each bin, in a second's length."""
        total: Floats = np.add.reduceat(rates * self._widths, self._firsts, axis=-1)
        return total

    def _band(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Return the least and the most in each bin of what is known."""
        least: Floats = np.fmin.reduceat(low, self._firsts, axis=-1)
        most: Floats = np.fmax.reduceat(high, self._firsts, axis=-1)
        return least, most

    def _counted(self) -> dict[str, Floats]:
        return dict(zip(("syscalls", *_COUNTERS), self._rates, strict=True))

    # The mean, the least and the most of each figure:

    def _of_rates(self) -> Floats:
        counted = self._counted()
        # Losses by an empty fill ring are in `rx_dropped` too (see counting_points.py).
        no_fill = np.minimum(counted["rx_dropped"], counted["rx_fill_ring_empty_descs"])
        rates = np.array(
            [
                counted["rx_packets"],
                counted["tx_packets"],
                counted["rx_bytes"] * 8,
                counted["tx_bytes"] * 8,
                counted["rx_ring_full"],
                no_fill,
                counted["rx_dropped"] - no_fill + counted["rx_too_long"],
                counted["rx_invalid_descs"] + counted["tx_invalid_descs"],
                counted["wakeups"],
                counted["syscalls"],
            ]
        )
        steady = np.where(self._steady, rates, np.nan)
        return np.array((self._sum(rates) / self._step, *self._band(steady, steady)))

    def _of_costs(self) -> Floats:
        """Divide the CPU time by the packets: in a bin all by all, in a cell that had packets."""
        counted = self._counted()
        spent = np.array(
            [
                counted["user_ns"],
                np.maximum(counted["cpu_ns"] - counted["user_ns"] - counted["idle_ns"], 0),
                counted["idle_ns"],
                counted["sqpoll_ns"],
            ]
        )
        # A packet that was received and sent counts once.
        both = np.array([counted["rx_packets"], counted["tx_packets"]])
        packets = self._sum(both).max(axis=0)
        packets[packets < 0.5e9] = np.nan
        in_cell = both.max(axis=0)
        in_cell[~self._steady | (in_cell * self._interval < 0.5e9)] = np.nan
        costs = spent / in_cell
        found: Floats = np.array((self._sum(spent) / packets, *self._band(costs, costs)))
        return found.clip(UNDER_ONE)

    def _of_levels(self, ring_sizes: Floats) -> Floats:
        """Return the RX ring's peak, of the fullest; and of the others the mean of the workers."""
        sizes = np.array([1.0, 2.0, 1.0, 1.0])[:, None] * ring_sizes  # the fill ring's is twice it
        ran = (self._runners > 0) * self._widths
        means = self._sum(self._held / sizes) / np.maximum(
            np.add.reduceat(self._runners * self._widths, self._firsts), 1
        )
        peaks = np.where(self._runners > 0, self._fullest[0], 0)
        means[0] = np.add.reduceat(peaks / ring_sizes * ran, self._firsts) / np.maximum(
            np.add.reduceat(ran, self._firsts), 1
        )
        low, high = self._emptiest / sizes, self._fullest / sizes
        low[0] = high[0]
        return 100 * np.array((means, *self._band(low, high)))
