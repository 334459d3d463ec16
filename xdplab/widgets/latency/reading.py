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
"""The longest time, in seconds, that `LatencyReader` can look back."""

_STEP_NS = 250_000_000  # between two snapshots


class Reading(NamedTuple):
    """A latency histogram and the time it covers."""

    histogram: Latency
    received: int
    """Packets received in the same time."""
    seconds: float | None
    """Length of that time; None: since the reset."""


class _Snapshot(NamedTuple):
    time_ns: int
    counts: npt.NDArray[np.uint64]  # a row a worker
    received: npt.NDArray[np.int64]  # packets, by worker


class LatencyReader:
    """Keeps snapshots of the histograms, so that the last seconds are a difference of two.

    Parameters
    ----------
    telemetry
        The engine's telemetry, also readable after the engine was closed.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._lock = new_lock()  # the pump and callers of repr both read
        self._resets = self._count_resets()
        nothing = np.zeros((telemetry.workers, len(LATENCY_STARTS)), np.uint64)
        self._zero = _Snapshot(0, nothing, np.zeros(telemetry.workers, np.int64))
        self._newest = self._read()
        self._kept = deque([self._newest])
        self._is_empty = not self._newest.counts.any()
        self.since_ns = 0 if not self._resets and not self._is_empty else self._newest.time_ns
        """When the first measured frame since the reset was seen, by CLOCK_MONOTONIC."""

    def read(self, worker: int | None = None, seconds: float | None = None) -> Reading:
        """Read the histogram now.

        Parameters
        ----------
        worker
            The worker; None adds up all workers.
        seconds
            How far to look back, up to `LONGEST`; None: to the last reset. It looks back further
            if there was no call for a while.
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
        # A reset was requested, or (some turns of the worker later) done, since the last look.
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
