"""The last minute of an engine in ten rows a second, made of its history records."""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from xdplab.engine import Engine

SECONDS = 60
ROWS_A_SECOND = 10
ROWS = SECONDS * ROWS_A_SECOND

COLUMNS = ("time", "received", "dropped", "rx", "fill")
"""Local time in milliseconds since 1970, twice packets a second, twice percent of a ring."""

Columns = dict[str, npt.NDArray[np.float64]]


def drops(records: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the packets that the kernel dropped in front of the socket, of each record.

    `rx_fill_ring_empty_descs` is left out: who met an empty fill ring is in `rx_dropped` too.
    """
    return records["rx_dropped"].astype(np.int64) + records["rx_ring_full"].astype(np.int64)


class LastMinute:
    """Rows for the dashboard, kept here too, so that they outlive the engine.

    A row is the difference between two history records a tenth of a second apart, so nothing
    depends on how often anybody looks. Positions are numbers of history records.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = weakref.ref(engine)
        header = engine.telemetry.header
        interval = int(header["publish_interval_ns"])
        self._step = max(1, round(1e9 / ROWS_A_SECOND / interval))
        # From the monotonic clock to local time, which is what Bokeh shows.
        self._clock_ns = (
            int(header["realtime_ns"])
            - int(header["monotonic_ns"])
            + time.localtime().tm_gmtoff * 10**9
        )
        self._gap_ns = 5 * interval * self._step
        self._rows: Columns = {name: np.empty(0) for name in COLUMNS}
        self._ends = np.empty(0, np.int64)  # the position after each row
        self._position = 0

    def __call__(self, position: int | None) -> tuple[Columns, int]:
        """Return the rows from `position` on (None: the whole minute), and the next position."""
        engine = self._engine()
        if engine is not None:
            self._take(engine)
        first = 0 if position is None else int(np.searchsorted(self._ends, position, side="right"))
        return {name: column[first:] for name, column in self._rows.items()}, self._position

    def _take(self, engine: Engine) -> None:
        """Make rows of the records that have come since the last time."""
        step = self._step
        # From one record before the first wanted one on, for the difference.
        since = max(0, self._position - 1)
        records, following = engine.telemetry.history(since)
        since = following - len(records)
        # Rows end at records whose number is a multiple of the step, whoever looks and whenever.
        marks = np.arange(-(-since // step) * step, following, step)
        if len(marks) < 2:
            return
        marked = records[marks - since]
        between = records[marks[0] - since + 1 : marks[-1] - since + 1]
        times = marked["time_ns"].astype(np.int64)
        passed = np.diff(times)
        received = np.diff(marked["rx_packets"].astype(np.int64)) / passed * 1e9
        dropped = np.diff(drops(marked)) / passed * 1e9
        last = marked[1:]
        percent = 100 / engine.ring_size  # the fill ring holds twice as many
        rows = {
            "time": (times[1:] + self._clock_ns) / 1e6,
            "received": received,
            "dropped": dropped,
            "rx": between["rx_peak"].reshape(-1, step).max(axis=1) * percent,
            "fill": (last["fill_producer"] - last["fill_consumer"]) * percent / 2,
        }
        # While the engine stood still there is nothing to show: break the lines.
        still = passed > self._gap_ns
        for name in COLUMNS[1:]:
            rows[name][still] = np.nan
        if marks[0] == 0:
            self._begin(rows["time"][0] - passed[0] / 1e6)
        self._rows = {
            name: np.concatenate((self._rows[name], rows[name]))[-ROWS:] for name in COLUMNS
        }
        self._position = int(marks[-1]) + 1
        self._ends = np.concatenate((self._ends, marks[1:] + 1))[-ROWS:]

    def _begin(self, opened: float) -> None:
        """Put the minute before the engine was opened, when it received nothing, in front.

        So the plots span a minute from the first row on.
        """
        nothing, unknown = np.zeros(2), np.full(2, np.nan)
        self._rows = {
            "time": np.array([opened - SECONDS * 1000, opened]),
            "received": nothing,
            "dropped": nothing,
            "rx": unknown,
            "fill": unknown,
        }
        self._ends = np.ones(2, np.int64)  # news to whoever looked before there was a row

    def latest(self) -> Mapping[str, float]:
        """Return the newest row, or an empty mapping where there is none."""
        if not len(self._ends):
            return {}
        return {name: float(column[-1]) for name, column in self._rows.items()}
