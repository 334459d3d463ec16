"""Saving what a telemetry region holds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from xdplab.core.checks import boolean, whole

if TYPE_CHECKING:
    from xdplab.core.files import Saved
    from xdplab.telemetry.region import Telemetry


class Saving:
    """Mixin of `Telemetry`: saves history and samples into files."""

    def save_history(
        self, path: str | os.PathLike[str], *, worker: int | None = None, long: bool = False
    ) -> Saved:
        """Save the records of the last 82 seconds, or of the last 17 minutes, as a table.

        A row a record: ``worker``, ``realtime_ns`` (CLOCK_REALTIME, since 1970), ``simulated``
        (1 of a soft NIC, else 0), then the fields of `COUNTERS` under their own names. Times are
        nanoseconds, all else counts packets, bytes, descriptors or events since the engine was
        opened. An array has a column an element: ``batches_3`` counts batches of 2^3 to 2^4 - 1
        packets, ``syscalls_sendto`` calls of a kind, ``handled_drop`` what became of packets
        that a handler saw.

        Parameters
        ----------
        path
            Ending in ``.csv``, or where pyarrow is installed in ``.parquet``. An older file of that
            name is replaced.
        worker
            Worker whose records are wanted; by default all, one after the other.
        long
            Whether `long_history` is saved, instead of `history`.

        Returns
        -------
        Saved
            Where, how many records, and whether they replaced an older file.

        Raises
        ------
        ConfigurationError
            For another ending, a place that is no regular file, or without pyarrow.
        KernelError
            When the file can't be written; nothing half-written is left.
        """
        from xdplab.telemetry import export  # noqa: PLC0415 - not needed to capture

        telemetry = cast("Telemetry", self)
        read = telemetry.long_history if boolean("long", long) else telemetry.history
        records = {each: read(worker=each)[0] for each in _each(telemetry, worker)}
        return export.save_history(path, telemetry, records)

    def save_samples(self, path: str | os.PathLike[str], *, worker: int | None = None) -> Saved:
        """Save the sampled frames that the ring holds: for Wireshark, or as a table.

        A table has a row a frame: ``worker``, ``realtime_ns`` and the fields of `samples`, with
        ``verdict`` in words and ``bytes`` in hexadecimal (CSV) or binary (Parquet). Empty are
        ``sent_ns``, ``hash`` and ``hash_type``, ``device_time_ns`` (the device's own clock) and
        ``program_time_ns`` (CLOCK_MONOTONIC in the XDP program) where they are not known.

        Parameters
        ----------
        path
            Ending in ``.csv``, or where python-pcapng is installed in ``.pcapng``, or where pyarrow
            is in ``.parquet``. An older file of that name is replaced.
        worker
            Worker whose samples are wanted; by default all.

        Returns
        -------
        Saved
            Where, how many frames, and whether they replaced an older file.

        Raises
        ------
        ConfigurationError, KernelError
            As `save_history` does.
        """
        from xdplab.telemetry import export  # noqa: PLC0415 - not needed to capture

        telemetry = cast("Telemetry", self)
        samples = {each: telemetry.samples(worker=each)[0] for each in _each(telemetry, worker)}
        return export.save_samples(path, telemetry, samples)


def _each(telemetry: Telemetry, worker: int | None) -> Sequence[int]:
    if worker is None:
        return range(telemetry.workers)
    return (whole("worker", worker, 0, telemetry.workers - 1),)
