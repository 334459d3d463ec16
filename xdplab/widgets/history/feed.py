"""Rows for plots over time, made from an engine's history, for a range of 10 s to 10 min.

A row is a bin of time, two or three pixels wide in a usual plot; `bins.py` tells what it says. Bins
stand on a grid of CLOCK_MONOTONIC that is the same for all workers and engines, so rows do not
depend on when or how often they are read. No data is kept here: all comes from the telemetry
region, which outlives the engine.
"""

from __future__ import annotations

import time

import numpy as np

from xdplab.native import lib
from xdplab.telemetry.region import LONG_INTERVAL, Records
from xdplab.widgets.base.clock import local_ms
from xdplab.widgets.base.feed import Update
from xdplab.widgets.history.bins import COLUMNS as OF_BINS
from xdplab.widgets.history.bins import Bins, Floats, History, Integers
from xdplab.widgets.parts.engine_view import EngineView

STEPS = {10: 0.05, 30: 0.1, 60: 0.2, 120: 1.0, 300: 1.0, 600: 2.0}
"""Time ranges and the length of a bin, both in seconds: never more than 300 bins."""

FINE_RANGE = 60
"""Longest range in seconds that the fine history serves; longer ones use the long history."""

COLUMNS = ("time", *OF_BINS)
"""The time is that of the bin's end: local, in milliseconds since 1970, as Bokeh shows it."""

_BACK = 16
_LONG_NS = round(LONG_INTERVAL * 1e9)


class HistoryFeed:
    """Feed of a live figure: the last `seconds` of one engine, of one worker or of all.

    With several workers, rates are the sum, ring occupancies the mean with a band from the emptiest
    to the fullest, and the peak of the RX ring is that of the fullest. The mean is nan in rows in
    which no worker ran, which breaks the lines.

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
        """Length of a bin: the range's, or the records' interval if that is longer."""
        return max(round(STEPS[self.seconds] * 1e9), self._interval)

    @property
    def workers(self) -> list[int]:
        """The workers shown; none if the engine doesn't have the chosen one."""
        every = range(self._view.telemetry.workers)
        return [worker for worker in every if self.worker in (None, worker)]

    def __call__(self, position: int | None) -> Update | None:
        """Return the rows after `position`, or all rows of the range."""
        if position is not None and time.monotonic_ns() < position + self.step_ns:
            return None
        if position is not None and self.until is not None and position > self.until - self.step_ns:
            return None
        start = None if position is None else position - self.step_ns
        histories = [self._read(worker, start) for worker in self.workers]
        histories = [history for history in histories if len(history.times) > 1]
        if not histories:
            return None
        edges = self._edges(position, histories)
        if len(edges) < 2:
            return None
        fine = self.seconds <= FINE_RANGE
        interval = self._interval if fine else max(self._interval, _LONG_NS)
        bins = Bins(edges, histories, interval)
        columns = bins.columns(self._ring_sizes(bins.ends))
        return Update({"time": local_ms(edges[1:]), **columns}, int(edges[-1]), position is None)

    def _read(self, worker: int, start: int | None) -> History:
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
        return History(records["time_ns"].astype(np.int64), records)

    def _records_since(self, fine: bool, worker: int, start: int) -> Records:
        number, newest = self._seen.get((fine, worker), (0, 0))
        interval = self._interval if fine else _LONG_NS
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

    def _edges(self, position: int | None, histories: list[History]) -> Integers:
        """Return the grid lines, from the last one shown to the last one that is final."""
        oldest = min(int(history.times[0]) for history in histories)
        newest = max(int(history.times[-1]) for history in histories)
        # Rows do not wait for a worker that does not run.
        running = lib.XDPLAB_STATE_RUNNING
        awaited = [
            int(history.times[-1])
            for history in histories
            if history.records[-1]["state"] == running
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

    def _ring_sizes(self, times: Integers) -> Floats:
        """Return the ring size at each of these times: a reconfiguration may change it."""
        sizes = np.full(len(times), float(self._view.ring_size))
        for change in reversed(self._view.journal.changes):
            if change.knob == "ring_size" and isinstance(change.before, int):
                sizes[times <= change.time_ns] = change.before
        return sizes
