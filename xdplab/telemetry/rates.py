"""What flows now: packets a second, from the newest records of each worker."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from xdplab.core.table import Row, Table, Tabled
from xdplab.core.tabled_array import OfRows, TabledArray
from xdplab.core.text import rate, seconds, si
from xdplab.native import lib
from xdplab.native.records import Records
from xdplab.telemetry.region import Telemetry
from xdplab.telemetry.tables import LOST

LONGEST_SECONDS = 80.0
"""What the history ring holds with a record every 10 ms."""

_FLOWS = {
    "received": ("rx_packets",),
    "lost": LOST,
    "sent": ("tx_packets",),
    "bits": ("rx_bytes",),
    "cpu": ("cpu_ns",),
}
_SCALES = {"bits": 8.0, "cpu": 1e-9}
_NAME = 64  # characters of a worker's place


class RateTable(TabledArray):
    """A row for each worker."""

    kind = "worker"

    def _table(self) -> Table:
        if self.dtype.names != ("name", *_FLOWS):
            return super()._table()
        headings = ("", "received", "lost", "sent", "bit/s", "CPU %")
        return Table(self._title(), [_row(each) for each in self.view(np.ndarray)], headings)


@dataclass(frozen=True, repr=False, eq=False)
class Rates(Tabled, OfRows):
    """What flows now.

    Parameters
    ----------
    seconds
        Over how long, up to now.
    workers
        A structured array with a row for each worker: ``name`` (interface and queue) and, a second,
        ``received``, ``lost`` and ``sent`` packets, received ``bits``, and ``cpu`` seconds. All 0
        of a worker that does not run.
    running
        Whether any worker runs.
    simulated
        Whether a soft NIC simulates it.
    """

    seconds: float
    workers: RateTable
    running: bool
    simulated: bool

    @classmethod
    def of(cls, telemetry: Telemetry, names: Sequence[str], seconds: float) -> Self:
        """Read the rates of all workers, which have these names."""
        fields = [(flow, "f8") for flow in _FLOWS]
        rows = np.zeros(telemetry.workers, [("name", f"U{_NAME}"), *fields])
        running = False
        for worker, name in enumerate(names):
            rows[worker]["name"] = name
            records = telemetry.history(worker=worker).records.view(np.ndarray)
            if len(records) and records[-1]["state"] == lib.XDPLAB_STATE_RUNNING:
                running = True
                for flow, value in _flows(records, seconds).items():
                    rows[worker][flow] = value
        return cls(seconds, rows.view(RateTable), running, bool(telemetry.header["simulated"]))

    def _results(self) -> RateTable:
        return self.workers

    @property
    def received(self) -> float:
        """Packets received a second."""
        return float(self.workers["received"].sum())

    @property
    def lost(self) -> float:
        """Packets a second that came to the sockets and were lost there."""
        return float(self.workers["lost"].sum())

    @property
    def sent(self) -> float:
        """Packets sent a second."""
        return float(self.workers["sent"].sum())

    @property
    def bits(self) -> float:
        """Bits received a second, without what the wire adds to a frame."""
        return float(self.workers["bits"].sum())

    def _table(self) -> Table:
        mark = " [simulated]" if self.simulated else ""
        if not self.running:
            return Table(f"0 received: no worker runs.{mark}")
        title = f"{_told(self.received)} received, {_told(self.lost)} lost"
        if self.sent:
            title += f", {_told(self.sent)} sent"
        title += f", {si(self.bits)}bit/s, over the last {seconds(self.seconds)}{mark}"
        if len(self.workers) == 1:
            return Table(title)
        return replace(self.workers._table(), title=title)


def _flows(records: Records, length: float) -> dict[str, float]:
    """Return the flows from the last record before that time to the newest one."""
    times = records["time_ns"].astype(np.int64)
    start = time.monotonic_ns() - int(length * 1e9)
    first = max(int(np.searchsorted(times, start, side="right")) - 1, 0)
    first = min(first, max(len(times) - 2, 0))  # of a slow publisher the last two
    # A worker that sleeps long has published nothing since: the time since counts, too.
    took = max(times[-1] - times[first], min(time.monotonic_ns() - times[first], length * 1e9))
    if took <= 0:
        return {}
    before, now = records[first], records[-1]

    def grown(name: str) -> int:
        return max(int(now[name]) - int(before[name]), 0)

    return {
        flow: sum(map(grown, names)) * _SCALES.get(flow, 1.0) / (took / 1e9)
        for flow, names in _FLOWS.items()
    }


def _told(packets: float) -> str:
    return rate(packets, 3) if packets else "0"


def _row(worker: Any) -> Row:
    flows = (_told(float(worker[flow])) for flow in ("received", "lost", "sent"))
    return (str(worker["name"]), *flows, si(float(worker["bits"])), f"{100 * worker['cpu']:.0f}")
