"""Reads an engine's latency histograms: since the reset, or of the last seconds."""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xdplab.core.locks import new_lock
from xdplab.telemetry.region import LATENCY_STARTS, Latency, Telemetry

LONGEST = 10
"""The longest time, in seconds, of which `LatencyReader` can say what was measured in it."""

_STEP_NS = 250_000_000  # between two snapshots


class Reading(NamedTuple):
    """What was measured."""

    histogram: Latency
    received: int
    """Packets that came in the same time."""
    seconds: float | None
    """How long that was; None since the reset."""


class _Snapshot(NamedTuple):
    time_ns: int
    counts: npt.NDArray[np.uint64]  # a row a worker
    received: npt.NDArray[np.int64]  # packets, by worker


class LatencyReader:
    """Keeps snapshots of the histograms, so that the last seconds are a difference of two.

    Parameters
    ----------
    telemetry
        Of the engine, readable also after that was closed.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._lock = new_lock()  # the pump reads, and whoever asks for a repr
        self._resets = self._count_resets()
        nothing = np.zeros((telemetry.workers, len(LATENCY_STARTS)), np.uint64)
        self._zero = _Snapshot(0, nothing, np.zeros(telemetry.workers, np.int64))
        self._newest = self._read()
        self._kept = deque([self._newest])
        self._is_empty = not self._newest.counts.any()
        self.since_ns = 0 if not self._resets and not self._is_empty else self._newest.time_ns
        """When the first frame since the reset was seen to be measured, by CLOCK_MONOTONIC."""

    def read(self, worker: int | None = None, seconds: float | None = None) -> Reading:
        """Read the histogram now.

        Parameters
        ----------
        worker
            Of which worker; None adds all of them up.
        seconds
            How far to look back, up to `LONGEST`; None looks back to the last reset. It becomes
            more than that where nobody called for a while.
        """
        with self._lock:
            self._take()
            now, base = self._newest, self._zero
            if seconds is not None:
                begin = now.time_ns - round(seconds * 1e9)
                earlier = [kept for kept in self._kept if kept.time_ns <= begin]
                base = earlier[-1] if earlier else self._kept[0]
        counts, received = now.counts - base.counts, now.received - base.received
        passed = None if seconds is None else (now.time_ns - base.time_ns) / 1e9
        if worker is not None:
            return Reading(Latency(counts[worker]), int(received[worker]), passed)
        return Reading(Latency(counts.sum(axis=0)), int(received.sum()), passed)

    def _take(self) -> None:
        before, resets = self._newest, self._count_resets()
        now = self._read()
        # Asked for, or (for that comes some turns of the worker later) done since the last look.
        if resets != self._resets or (now.counts < before.counts).any():
            self._resets = resets
            self._zero = _Snapshot(now.time_ns, self._zero.counts, now.received)
            self._kept = deque([self._zero])
            self._is_empty = True
        if self._is_empty and now.counts.any():
            self._is_empty = False
            self.since_ns = now.time_ns
        self._newest = now
        if now.time_ns - self._kept[-1].time_ns >= _STEP_NS:
            self._kept.append(now)
        oldest = now.time_ns - LONGEST * 10**9
        while len(self._kept) > 1 and self._kept[1].time_ns <= oldest:
            self._kept.popleft()

    def _read(self) -> _Snapshot:
        workers = range(self._telemetry.workers)
        counts = np.array([self._telemetry.latency(worker).counts for worker in workers])
        received = [int(self._telemetry.counters(worker)["rx_packets"]) for worker in workers]
        return _Snapshot(time.monotonic_ns(), counts, np.array(received))

    def _count_resets(self) -> int:
        return int(self._telemetry.control()["latency_resets"])
