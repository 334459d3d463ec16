"""Histograms of how long frames took."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from xdplab.core.calls import public
from xdplab.core.checks import instance_of, real, shown
from xdplab.core.errors import ConfigurationError
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted, duration
from xdplab.native import lib

LATENCY_STARTS: npt.NDArray[np.uint64] = np.array(
    [lib.xdplab_latency_bucket_start(i) for i in range(lib.XDPLAB_LATENCY_BUCKETS)], dtype=np.uint64
)
"""The first nanosecond of each latency bucket."""

_SHOWN = (50, 90, 99, 99.9, 100)  # percentiles


@public
class Latency(Tabled):
    """A histogram of nanoseconds, log-linear: exact below 128 ns, then within 0.8 %.

    `xdplab.widgets.LatencyView` shows an engine's live.

    Parameters
    ----------
    counts
        uint64, how many frames fell into each bucket; `LATENCY_STARTS` says where a bucket begins.
    """

    def __init__(self, counts: npt.NDArray[np.uint64]) -> None:
        wanted = f"an array of {len(LATENCY_STARTS)} whole numbers, as Telemetry.latency returns"
        instance_of("counts", counts, np.ndarray, wanted)
        if counts.shape != LATENCY_STARTS.shape or counts.dtype.kind not in "iu":
            raise ConfigurationError(f"counts={shown(counts)} must be {wanted}.")
        self.counts = counts

    @property
    def total(self) -> int:
        """How many frames were measured."""
        return int(self.counts.sum())

    def percentile(self, percent: float) -> float:
        """Nanoseconds that `percent` of the frames took at most, to within 0.8 % below; or nan."""
        percent = real("percent", percent, 0, 100)
        if not self.total:
            return float("nan")
        rank = max(1, int(np.ceil(self.total * percent / 100)))
        bucket = int(np.searchsorted(np.cumsum(self.counts), rank))
        return float(LATENCY_STARTS[min(bucket, len(LATENCY_STARTS) - 1)])

    def __sub__(self, earlier: Latency) -> Latency:
        if not isinstance(earlier, Latency):
            return NotImplemented
        return Latency(self.counts - earlier.counts)

    def _brief(self) -> str:
        p50, p99 = (duration(self.percentile(percent)) for percent in (50, 99))
        return f"<Latency of {self.total:,} frames: p50 {p50}, p99 {p99}>"

    def _table(self) -> Table:
        title = f"Latency of {counted(self.total, 'frame')}"
        shares = _SHOWN if self.total else ()
        return Table(title, [(f"p{each:g}", duration(self.percentile(each))) for each in shares])
