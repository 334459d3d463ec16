"""Rows for plots over time, made from an engine's history, for a range of 10 s to 10 min.

Rows stand on a grid of CLOCK_MONOTONIC that is the same for all workers and engines, and the
counters are interpolated between the records on either side of a grid line. So rates of workers may
be added, the area under a rate equals the count, and rows do not depend on when or how often they
are read. No data is kept here: all comes from the telemetry region, which outlives the engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xdplab.native import lib
from xdplab.telemetry.region import COUNTERS, LONG_INTERVAL, Records
from xdplab.widgets.base.clock import local_ms
from xdplab.widgets.base.feed import Update
from xdplab.widgets.parts.engine_view import EngineView

STEPS = {10: 0.02, 30: 0.05, 60: 0.1, 120: 1.0, 300: 1.0, 600: 1.0}
"""Time ranges and the step between rows, both in seconds: never more than 600 rows."""

FINE_RANGE = 60
"""Longest range in seconds that the fine history serves; longer ones use the long history."""

COLUMNS = (
    "time",  # local, in milliseconds since 1970, as Bokeh shows it
    *("received", "sent"),  # packets a second
    *("bits_in", "bits_out"),  # a second
    *("user", "system", "idle", "sqpoll"),  # CPU nanoseconds a packet
    *("ring_full", "no_fill", "too_long", "invalid"),  # a second
    *("rx", "fill", "tx", "completion"),  # % of the ring
    *("wakeups", "syscalls"),  # a second
)

_COUNTERS = (
    *("rx_packets", "tx_packets", "rx_bytes", "tx_bytes"),
    *("cpu_ns", "user_ns", "idle_ns", "sqpoll_ns"),
    *("rx_ring_full", "rx_dropped", "rx_fill_ring_empty_descs", "rx_too_long"),
    *("rx_invalid_descs", "tx_invalid_descs", "wakeups"),
)
_RINGS = ("fill", "tx", "completion")
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

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Histories = list[tuple[Integers, Records]]  # of each worker: the records' times, the records

# A worker that stops says so in its last record, which may be missing from the long history.
_STOOD_STILL_NS = round(3 * LONG_INTERVAL * 1e9)
_BACK = 16


@dataclass(frozen=True)
class _Grown:
    """One worker's activity in each row."""

    running: npt.NDArray[np.bool_]
    counters: Floats
    """Growth of the system calls and of each of `_COUNTERS`: one row each."""
    rx_peak: Floats
    """Most descriptors in the RX ring."""
    held: Floats
    """Descriptors in each of `_RINGS` at the end: one row each."""


class HistoryFeed:
    """Feed of a live figure: the last `seconds` of one engine, of one worker or of all.

    With several workers, rates are the sum, ring occupancies the mean, and the peak of the RX ring
    is that of the fullest. Rows in which no worker ran are nan, which breaks the lines.

    Positions are the times of rows, in ns of CLOCK_MONOTONIC.

    Parameters
    ----------
    view
        The engine.
    """

    def __init__(self, view: EngineView) -> None:
        self._view = view
        self.seconds = 60
        """The range, one of `STEPS`. A caller that changes it must refresh the figure."""
        self.worker: int | None = None
        """The worker; None for all. A caller that changes it must refresh the figure."""
        self.until: int | None = None
        """End of the rows, in ns of CLOCK_MONOTONIC; None for now."""
        self._interval = int(view.telemetry.header["publish_interval_ns"])
        # For each history and worker: the number after the newest record seen, and its time.
        self._seen: dict[tuple[bool, int], tuple[int, int]] = {}

    @property
    def step_ns(self) -> int:
        """Step between rows: the range's, or the records' interval if that is longer."""
        return max(round(STEPS[self.seconds] * 1e9), self._interval)

    @property
    def workers(self) -> list[int]:
        """The workers shown; none if the engine doesn't have the chosen one."""
        every = range(self._view.telemetry.workers)
        return [worker for worker in every if self.worker in (None, worker)]

    def __call__(self, position: int | None) -> Update | None:
        """Return the rows after `position`, or all rows of the range."""
        if position is not None and self.until is not None and position > self.until - self.step_ns:
            return None
        start = None if position is None else position - self.step_ns
        histories = [self._read(worker, start) for worker in self.workers]
        histories = [history for history in histories if len(history[0]) > 1]
        if not histories:
            return None
        edges = self._edges(position, histories)
        if len(edges) < 2:
            return None
        each = [self._grown(times, records, edges) for times, records in histories]
        return Update(self._columns(edges, each), int(edges[-1]), position is None)

    def _read(self, worker: int, start: int | None) -> tuple[Integers, Records]:
        """Return a worker's records, from the last one before `start`, and their times."""
        fine = self.seconds <= FINE_RANGE
        if start is None:
            records, written = self._records(fine, worker, 0)
            if fine and 0 < len(records) < written:
                # After a long pause, or with a short publish interval, the fine history may not
                # reach back to the beginning.
                older, _ = self._records(False, worker, 0)
                records = np.concatenate((older[older["time_ns"] < records[0]["time_ns"]], records))
        else:
            records = self._records_since(fine, worker, start)
        return records["time_ns"].astype(np.int64), records

    def _records_since(self, fine: bool, worker: int, start: int) -> Records:
        number, newest = self._seen.get((fine, worker), (0, 0))
        interval = self._interval if fine else int(LONG_INTERVAL * 1e9)
        back = _BACK
        while True:
            # Records are at least an interval apart, so this is early enough, but for refreshes.
            since = max(0, number - max(0, newest - start) // interval - back)
            records, following = self._records(fine, worker, since)
            complete = since == 0 or len(records) < following - since
            if complete or (len(records) and records[0]["time_ns"] <= start):
                return records
            back *= 2

    def _records(self, fine: bool, worker: int, since: int) -> tuple[Records, int]:
        telemetry = self._view.telemetry
        read = telemetry.history if fine else telemetry.long_history
        records, following = read(since, worker)
        if len(records):
            self._seen[fine, worker] = following, int(records[-1]["time_ns"])
        return records, following

    def _edges(self, position: int | None, histories: Histories) -> Integers:
        """Return the grid lines, from the last one shown to the last one that is final."""
        oldest = min(int(times[0]) for times, _ in histories)
        newest = max(int(times[-1]) for times, _ in histories)
        # Rows do not wait for a worker that does not run.
        running = lib.XDPLAB_STATE_RUNNING
        awaited = [
            int(times[-1]) for times, records in histories if records[-1]["state"] == running
        ]
        step = self.step_ns
        # When all have stopped, no more records come, so the last row need not wait for any.
        end = min(awaited, default=newest + step - 1)
        if self.until is not None:
            end = min(end, self.until)
        last = end // step
        first = max(oldest // step, last - self.seconds * 10**9 // step)
        if position is not None:
            first = max(first, position // step)
        return np.arange(first, last + 1) * step

    def _grown(self, times: Integers, records: Records, edges: Integers) -> _Grown:
        before = np.searchsorted(times, edges, side="right")  # records at or before each line
        after = np.minimum(np.maximum(before, 1), len(times) - 1)
        since = times[after - 1]
        share = (edges - since) / np.maximum(times[after] - since, 1)
        share = np.minimum(np.maximum(share, 0), 1)
        words: Integers = records.view(_WORDS)
        counters = np.column_stack((words[:, _SYSCALLS].sum(axis=1), words[:, _COUNTED]))
        start, end = counters[after - 1] - counters[0], counters[after] - counters[0]
        held = words[:, _PRODUCERS] - words[:, _CONSUMERS]
        return _Grown(
            self._running(times, records, before),
            np.diff((start + share[:, None] * (end - start)).T),
            _highest(records["rx_peak"], before),
            held[np.maximum(before[1:] - 1, 0)].T.astype(np.float64),
        )

    def _running(
        self, times: Integers, records: Records, before: Integers
    ) -> npt.NDArray[np.bool_]:
        """Return in which rows the worker ran, at their beginning or their end."""
        runs = records["state"][:-1] == lib.XDPLAB_STATE_RUNNING
        went_on = runs & (np.diff(times) < _STOOD_STILL_NS)
        inside = (before > 0) & (before < len(times))
        ran = inside & went_on[np.minimum(np.maximum(before - 1, 0), len(times) - 2)]
        running: npt.NDArray[np.bool_] = ran[:-1] | ran[1:]
        return running

    def _columns(self, edges: Integers, each: list[_Grown]) -> dict[str, Floats]:
        running = np.array([worker.running for worker in each])
        total = np.sum([worker.counters * worker.running for worker in each], axis=0)
        held = np.sum([worker.held * worker.running for worker in each], axis=0)
        peak = np.max([worker.rx_peak * worker.running for worker in each], axis=0)
        runners = running.sum(axis=0)
        total[:, runners == 0] = peak[runners == 0] = np.nan
        counted = dict(zip(("syscalls", *_COUNTERS), total, strict=True))
        seconds = self.step_ns / 1e9
        a_second = {name: grown / seconds for name, grown in counted.items()}
        # A packet that was received and sent counts once.
        packets = np.maximum(counted["rx_packets"], counted["tx_packets"])
        packets[packets < 0.5] = np.nan
        system = counted["cpu_ns"] - counted["user_ns"] - counted["idle_ns"]
        system[system < 1] = 0  # ns, an artefact of interpolation, far down on a log axis
        # Losses by an empty fill ring are in `rx_dropped` too (see counting_points.py).
        no_fill = np.minimum(a_second["rx_dropped"], a_second["rx_fill_ring_empty_descs"])
        ring = self._ring_sizes(edges[1:])
        with np.errstate(invalid="ignore"):  # 0 / 0 is nan, too
            fill, tx, completion = held / runners / ring * 100
        return {
            "time": local_ms(edges[1:]),
            "received": a_second["rx_packets"],
            "sent": a_second["tx_packets"],
            "bits_in": a_second["rx_bytes"] * 8,
            "bits_out": a_second["tx_bytes"] * 8,
            "user": counted["user_ns"] / packets,
            "system": system / packets,
            "idle": counted["idle_ns"] / packets,
            "sqpoll": counted["sqpoll_ns"] / packets,
            "ring_full": a_second["rx_ring_full"],
            "no_fill": no_fill,
            "too_long": a_second["rx_dropped"] - no_fill + a_second["rx_too_long"],
            "invalid": a_second["rx_invalid_descs"] + a_second["tx_invalid_descs"],
            "rx": peak / ring * 100,
            "fill": fill / 2,  # the fill ring is twice as large
            "tx": tx,
            "completion": completion,
            "wakeups": a_second["wakeups"],
            "syscalls": a_second["syscalls"],
        }

    def _ring_sizes(self, times: Integers) -> Floats:
        """Return the ring size at each of these times: a reconfiguration may change it."""
        sizes = np.full(len(times), float(self._view.ring_size))
        for change in reversed(self._view.journal.changes):
            if change.knob == "ring_size" and isinstance(change.before, int):
                sizes[times <= change.time_ns] = change.before
        return sizes


def _highest(peaks: Records, before: Integers) -> Floats:
    """Return the highest peak of each row, over the records whose interval overlaps it."""
    padded = np.append(peaks, (0, 0)).astype(np.float64)
    bounds = np.column_stack((before[:-1], before[1:] + 1)).ravel()
    highest: Floats = np.maximum.reduceat(padded, bounds)[::2]
    return highest
