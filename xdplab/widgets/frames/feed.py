"""The rows of the frame table: the newest samples, dissected at a limited rate."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from xdplab.core.files import Saved
from xdplab.core.locks import new_lock
from xdplab.core.text import duration
from xdplab.native.records import SAMPLE_PAYLOAD, VERDICTS, Records
from xdplab.telemetry.dissect import Layer, layers, summarize
from xdplab.telemetry.export import save_samples
from xdplab.telemetry.pcapng import what_is_known_of
from xdplab.telemetry.region import Telemetry

KEPT = 500
"""Number of rows to keep."""

ROWS_A_SECOND = 40
"""Frames dissected a second in the long run: at 0.15 ms each, 0.6 % of a core."""

ROWS_AT_ONCE = 100
"""Most frames dissected at once, after a while with few."""


@dataclass(frozen=True)
class FrameRow:
    """One frame in the table."""

    number: int
    """Number of the row, in order of arrival."""
    worker: int
    interface: str
    time: str
    """Local time of day, to the microsecond."""
    queue: int
    verdict: str
    source: str
    destination: str
    protocol: str
    length: int
    captured: int
    """Number of its bytes that were kept."""
    summary: str
    sample: Any
    """The sample from `Telemetry.samples`."""

    @property
    def frame(self) -> bytes:
        """The bytes that were kept."""
        return bytes(self.sample["bytes"][: self.captured])

    @property
    def truncated(self) -> bool:
        """Whether only a part of the frame was kept."""
        return self.captured < self.length

    @property
    def about(self) -> str:
        """Other facts about it, such as its hash and latency."""
        return what_is_known_of(self.worker, self.sample)

    @property
    def is_payload(self) -> bool:
        """Whether it is a payload without its headers, as a UDP socket delivers it."""
        return _is_payload(self.sample)

    def layers(self) -> list[Layer]:
        """Return the frame's layers."""
        return layers(self.frame, payload=self.is_payload)


def _is_payload(sample: Any) -> bool:
    return bool(sample["flags"] & SAMPLE_PAYLOAD)


def _under_way(sample: Any) -> str:
    """Return the latency of a frame from one of xdplab's generators, in words."""
    if not sample["sent_ns"]:
        return ""
    return f" · {duration(int(sample['time_ns']) - int(sample['sent_ns']))} under way"


class FrameFeed:
    """Reads samples from an engine's telemetry, and keeps the newest as rows.

    It is thread-safe.

    Parameters
    ----------
    telemetry
        The telemetry, kept alive and readable after its engine was closed.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self.telemetry = telemetry
        self.kept: tuple[FrameRow, ...] = ()
        """The newest rows, oldest first."""
        self.passed_over = 0
        """Number of samples that were not dissected."""
        self._positions = [0] * telemetry.workers
        self._count = 0
        self._allowance = float(ROWS_AT_ONCE)
        self._asked = time.monotonic()
        self._lock = new_lock()

    def take(self) -> None:
        """Make rows of the newest samples since the last call, as many as the rate allows."""
        with self._lock:
            now = time.monotonic()
            earned = (now - self._asked) * ROWS_A_SECOND
            self._asked, self._allowance = now, min(ROWS_AT_ONCE, self._allowance + earned)
            samples = self._newest(int(self._allowance))
            if samples:
                self._allowance -= len(samples)
                rows = [self._row(worker, sample) for worker, sample in samples]
                self.kept = (*self.kept, *rows)[-KEPT:]

    def _newest(self, most: int) -> list[tuple[int, Any]]:
        waiting = [
            worker
            for worker, position in enumerate(self._positions)
            if int(self.telemetry.counters(worker)["samples"]) > position
        ]
        if len(waiting) > most:  # not one frame per worker: all wait for the next time
            return []
        taken: list[tuple[int, Any]] = []
        for worker in waiting:
            count = most // len(waiting)
            written = int(self.telemetry.counters(worker)["samples"])
            since = max(self._positions[worker], written - count)
            samples, following = self.telemetry.samples(since, worker)
            samples = samples[-count:]
            self.passed_over += following - self._positions[worker] - len(samples)
            self._positions[worker] = following
            taken += ((worker, sample) for sample in samples)
        return sorted(taken, key=lambda each: int(each[1]["time_ns"]))

    def _row(self, worker: int, sample: Any) -> FrameRow:
        captured = int(sample["captured"])
        seconds, ns = divmod(int(sample["time_ns"]) + self.telemetry.realtime_offset_ns, 10**9)
        clock = datetime.fromtimestamp(seconds).strftime("%H:%M:%S")
        kept = bytes(sample["bytes"][:captured])
        summary = summarize(kept, payload=_is_payload(sample))
        self._count += 1
        return FrameRow(
            number=self._count,
            worker=worker,
            interface=self.telemetry.interfaces[worker],
            time=f"{clock}.{ns // 1000:06}",
            queue=int(sample["queue"]),
            verdict=VERDICTS[sample["verdict"]],
            source=summary.source,
            destination=summary.destination,
            protocol=summary.protocol,
            length=int(sample["length"]),
            captured=captured,
            summary=summary.text + _under_way(sample),
            sample=sample.copy(),
        )

    def save(self, path: str | os.PathLike[str], rows: Iterable[FrameRow]) -> Saved:
        """Save the frames of `rows`, as `Telemetry.save_samples` does."""
        by_worker: dict[int, list[Any]] = {worker: [] for worker in range(self.telemetry.workers)}
        for row in rows:
            by_worker[row.worker].append(row.sample)
        kind = self.telemetry.samples(1 << 62)[0].dtype
        samples: dict[int, Records] = {
            worker: np.array(some, kind) for worker, some in by_worker.items()
        }
        return save_samples(path, self.telemetry, samples)
