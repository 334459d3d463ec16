"""The reading side of the telemetry region: counters, history, samples and latency, with numpy.

Any process can read a region: the engine's own, or another that was given its descriptor. The
layout stands in ``native/include/telemetry.h`` alone; the dtypes below are built from it at import.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from xdplab.core.calls import public
from xdplab.core.checks import items, place, shown, text, whole
from xdplab.core.closing import Closing
from xdplab.core.errors import ClosedError, ConfigurationError, KernelError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.table import Table, Tabled
from xdplab.core.tabled_array import shown_as
from xdplab.native import ffi, lib
from xdplab.native.records import (
    CONTROL,
    COUNTERS,
    HEADER,
    RECORD,
    RINGS,
    SAMPLE_DEVICE_TIME,
    SAMPLE_HASH,
    SAMPLE_PAYLOAD,
    SAMPLE_PROGRAM_TIME,
    VERDICTS,
    Records,
    dtype_of,
    sample_dtype,
)
from xdplab.refusals.errors import new_error, raise_error
from xdplab.telemetry import tables
from xdplab.telemetry.checks import await_whole, check_latency, check_records, check_samples
from xdplab.telemetry.latency import LATENCY_STARTS, Latency
from xdplab.telemetry.saving import Saving

__all__ = [
    "CONTROL",
    "COUNTERS",
    "HEADER",
    "LATENCY_STARTS",
    "LONG_INTERVAL",
    "RINGS",
    "SAMPLE_DEVICE_TIME",
    "SAMPLE_HASH",
    "SAMPLE_PAYLOAD",
    "SAMPLE_PROGRAM_TIME",
    "VERDICTS",
    "Latency",
    "Records",
    "Telemetry",
    "dtype_of",
]

_LARGEST_DESCRIPTOR = (1 << 31) - 1
_LAST_NUMBER = (1 << 64) - 1

LONG_INTERVAL = 1.0
"""Seconds between two records of the long history, or one publish interval where that is longer."""


@public
class Telemetry(Saving, Tabled, FixedNames, Closing):
    """A telemetry region, mapped read-only.

    It stays readable after its engine was closed and after the engine's process ended.

    Parameters
    ----------
    descriptor
        Descriptor of the region's memfd. It need not stay open: the mapping outlives it.
    interfaces
        The name of each worker's interface, which the region itself does not know.

    Raises
    ------
    ConfigurationError
        When there are more or fewer names than workers.
    KernelError
        When it can't be mapped, or is no telemetry region of this version.
    TelemetryError
        When a later read finds impossible values, or misses values that the region promises.
    """

    def __init__(self, descriptor: int, interfaces: Sequence[str] = ()) -> None:
        names = [text("interfaces", name) for name in items("interfaces", interfaces, "names")]
        error = new_error()
        number = whole("descriptor", descriptor, 0, _LARGEST_DESCRIPTOR)
        region = lib.xdplab_region_map(number, error)
        if not region:
            raise_error(error)
        # Unmapped with the last reference: each call below holds one of its own, so that neither
        # `close` nor the end of the interpreter takes the mapping from under a thread that reads.
        self._region: Any = ffi.gc(region, lib.xdplab_region_unmap)
        header = ffi.buffer(lib.xdplab_region_header(region), HEADER.itemsize)
        self.header = np.frombuffer(bytes(header), HEADER)[0]
        self.interfaces = tuple(names) or ("",) * self.workers
        """The name of each worker's interface; empty where none was given."""
        if len(self.interfaces) != self.workers:
            raise ConfigurationError(
                f"interfaces={list(self.interfaces)} must be {self.workers} names, one a worker."
            )
        sizes = int(self.header["sample_bytes"]), int(self.header["sample_stride"])
        self._sample = shown_as(tables.Sample, sample_dtype(*sizes))

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Map the region of another process.

        Parameters
        ----------
        path
            `Engine.telemetry_path` of that process: ``/proc/PID/fd/N``.

        Raises
        ------
        KernelError
            When it can't be opened or mapped, or is no telemetry region of this version.
        """
        region = place("path", path)
        try:
            # A pipe without a writer would be waited for otherwise.
            descriptor = os.open(region, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise KernelError(
                f"open the telemetry region {shown(str(region))}",
                error.errno or errno.EIO,
                "Give what `Engine.telemetry_path` says in the engine's process, while that runs.",
            ) from error
        try:
            return cls(descriptor)
        finally:
            os.close(descriptor)

    @property
    def workers(self) -> int:
        """How many workers the region has."""
        return int(self.header["worker_count"])

    @property
    def realtime_offset_ns(self) -> int:
        """Nanoseconds from CLOCK_MONOTONIC to CLOCK_REALTIME when the engine opened."""
        return int(self.header["realtime_ns"]) - int(self.header["monotonic_ns"])

    def counters(self, worker: int = 0) -> Any:
        """Read the newest record of a worker: a structured scalar of dtype `COUNTERS`.

        All zero until the worker wrote its first.
        """
        region = self._mapped(worker)

        def newest() -> Records | None:
            if not (written := lib.xdplab_history_written(region, worker)):
                return np.zeros(1, tables.SHOWN_COUNTERS)
            read = lib.xdplab_read_history
            records, _ = self._history(read, region, worker, written - 1, 1)
            return records if len(records) else None

        return self._whole(newest, f"the counters of worker {worker}")[0]

    def total(self) -> Any:
        """Add up the newest records of all workers: a structured scalar of dtype `COUNTERS`.

        Fields without a sum have the oldest ``time_ns``, the worst ``state`` and ``fault``, the
        largest ``rx_peak``, and for settings those of the first worker.
        """
        # Not made of the scalars: an interrupt within that would be an IndexError.
        each = np.zeros(self.workers, tables.SHOWN_COUNTERS)
        for worker in range(self.workers):
            each[worker] = self.counters(worker)
        return tables.combined(each)

    def history(self, since: int = 0, worker: int = 0) -> tables.Read:
        """Read a worker's records: one for each publish interval, by default 10 ms.

        Parameters
        ----------
        since
            Number of the first record wanted. Records older than the ring (8192 records, 82 s at 10
            ms) are gone and left out.

        Returns
        -------
        records
            A structured array of dtype `COUNTERS`, oldest first, shown with the rates between its
            records. `pandas.DataFrame` takes it; arrays in it become a column an element.
        next
            Pass it as `since` the next time.
        """
        region = self._mapped(worker)
        since = _since(since)
        written = lib.xdplab_history_written(region, worker)
        room = min(max(written - since, 0), lib.XDPLAB_HISTORY_RECORDS)
        return self._history(lib.xdplab_read_history, region, worker, since, room)

    def long_history(self, since: int = 0, worker: int = 0) -> tables.Read:
        """Read a worker's records of the last 17 minutes: one in `LONG_INTERVAL`.

        Parameters and return values are those of `history`; the ring holds 1024 records, and
        ``rx_peak`` is the highest since the record before.
        """
        region = self._mapped(worker)
        since = _since(since)
        written = lib.xdplab_long_history_written(region, worker)
        room = min(max(written - since, 0), lib.XDPLAB_LONG_RECORDS)
        return self._history(lib.xdplab_read_long_history, region, worker, since, room)

    def rings(self, worker: int = 0) -> Any:
        """Read the contents of a worker's four rings: a structured scalar of dtype `RINGS`.

        It is as of the newest record; of a paced worker (`Engine.pace`), 5 ms old at most.
        ``fill``, ``rx``, ``tx`` and ``completion`` have the UMEM address in each entry, whether
        kernel or worker owns it; the entry of position ``p`` is ``p`` modulo the ring's size, which
        is
        ``ring_size``, and twice that for the fill ring. Where that is above 256 no entries are
        shown. Positions count from the opening of the sockets, so a reconfiguration resets them.
        All zero for a worker that never ran, and on a path without rings, except the times.

        Raises
        ------
        TelemetryError
            When the worker was killed or stopped while it wrote them.
        """
        region, rings = self._mapped(worker), np.zeros(1, tables.SHOWN_RINGS)
        target = ffi.cast("struct xdplab_rings *", ffi.from_buffer(rings))

        def read() -> Records | None:
            return rings if lib.xdplab_read_rings(region, worker, target) >= 0 else None

        return self._whole(read, f"the rings of worker {worker}")[0]

    def samples(self, since: int = 0, worker: int = 0) -> tables.Read:
        """Read sampled frames.

        Parameters
        ----------
        since
            Number of the first sample wanted; the ring holds the last 4096.

        Returns
        -------
        samples
            A structured array, oldest first: ``time_ns`` (CLOCK_MONOTONIC), ``frame`` (its number
            in the worker's count), ``sent_ns`` (the generator's timestamp, or 0), ``length``,
            ``captured``, ``queue``, ``verdict`` and ``bytes``, of which the first ``captured`` are
            the frame's. With ``Sampling(metadata=True)`` ``hash`` and ``hash_type`` where ``flags``
            has `SAMPLE_HASH`, and ``device_time_ns``: by the device's clock where it has
            `SAMPLE_DEVICE_TIME`, by CLOCK_MONOTONIC in the XDP program where it has
            `SAMPLE_PROGRAM_TIME`. Of a UDP path the bytes are a datagram's payload without its
            headers, and ``flags`` has `SAMPLE_PAYLOAD`.
        next
            Pass it as `since` the next time.
        """
        region = self._mapped(worker)
        since = _since(since)
        written = lib.xdplab_samples_written(region, worker)
        room = min(max(written - since, 0), lib.XDPLAB_SAMPLE_RECORDS)
        samples, following = np.zeros(room, self._sample), ffi.new("uint64_t *")
        target = ffi.from_buffer(samples)
        count = lib.xdplab_read_samples(region, worker, since, target, room, following)
        found = check_samples(samples[:count], worker, self.header)
        return tables.Read(found.view(tables.Samples), int(following[0]))

    def latency(self, worker: int = 0) -> Latency:
        """Read the latency histogram: from the generator's timestamp to the worker."""
        counts = np.zeros(lib.XDPLAB_LATENCY_BUCKETS, np.uint64)
        target = ffi.cast("uint64_t *", ffi.from_buffer(counts))
        lib.xdplab_read_latency(self._mapped(worker), worker, target)
        return Latency(check_latency(counts, worker))

    def control(self, worker: int = 0) -> Any:
        """Read the knobs as they are set: a structured scalar of dtype `CONTROL`."""
        region = self._mapped(worker)
        block = lib.xdplab_region_control(region, worker)
        return np.frombuffer(bytes(ffi.buffer(block, CONTROL.itemsize)), tables.SHOWN_CONTROL)[0]

    def inside_handler(self, worker: int = 0) -> int:
        """Read when a worker began the batch for which it is calling a handler now.

        By CLOCK_MONOTONIC, in ns; 0 if it is calling none. The worker writes it at once, not with
        its next record.
        """
        return int(lib.xdplab_inside_handler(self._mapped(worker), worker))

    def close(self) -> None:
        """Release the region. Arrays that were read from it stay valid."""
        self._region = None

    def _brief(self) -> str:
        return self._table().title

    def _table(self) -> Table:
        return tables.telemetry_table(self)

    def _mapped(self, worker: int) -> Any:
        """Return the region; hold the reference while reading."""
        region = self._region
        if region is None:
            raise ClosedError(
                "this telemetry region was closed. Map it again, or make a new engine."
            )
        whole("worker", worker, 0, self.workers - 1)
        return region

    def _history(
        self,
        read: Any,
        region: Any,
        worker: int,
        since: int,
        room: int,
    ) -> tables.Read:
        records, following = np.zeros(room, RECORD), ffi.new("uint64_t *")
        target = ffi.cast("struct xdplab_record *", ffi.from_buffer(records))
        found = records["counters"][: read(region, worker, since, target, room, following)]
        found = check_records(found, worker, self.header)
        return tables.Read(found.view(tables.SHOWN_COUNTERS, tables.History), int(following[0]))

    def _whole(self, read: Callable[[], Records | None], what: str) -> Records:
        return await_whole(read, what, int(self.header["process_id"]))


def _since(number: object) -> int:
    return whole("since", number, 0, _LAST_NUMBER)
