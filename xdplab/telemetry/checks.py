"""Checks that the contents of a telemetry region are possible.

A region may come from another process, by a descriptor that anybody could have made. Its sizes are
checked when it is mapped (native/region/region_read.c); this module checks values that are read
later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from xdplab.core.errors import TelemetryError
from xdplab.native.records import VERDICTS, Records

_LATEST_NS = np.uint64(1 << 62)  # as in native/region/region_read.c
_MOST_FRAMES = np.uint64(1 << 52)  # of a latency bucket: all buckets together don't wrap
_PATIENCE_SECONDS = 1.0  # for a writer that has lost its core
_PAUSE_SECONDS = 0.001


def await_whole(read: Callable[[], Records | None], what: str, process: int) -> Records:
    """Read again until there is a whole record, for a second at most.

    Parameters
    ----------
    read
        Returns None while the writer is writing.
    what
        Name of the record, as a phrase: "the rings of worker 0".
    process
        Process id of the writer, as the region has it.

    Raises
    ------
    TelemetryError
        When the writer did not finish.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (found := read()) is None:
        if time.monotonic() > deadline:
            raise TelemetryError(
                f"{what} can't be read: process {process} stopped while it wrote them. If it was "
                "killed, they are lost, and the rest of its telemetry can still be read. If it is "
                f"only stopped, `kill -CONT {process}` lets it go on: then read again."
            )
        time.sleep(_PAUSE_SECONDS)
    return found


def check_records(records: Records, worker: int, header: Any) -> Records:
    """Return records of a history if their times are possible, or raise `TelemetryError`."""
    _check_times(records["time_ns"], header, f"a record of worker {worker}")
    return records


def check_samples(samples: Records, worker: int, header: Any) -> Records:
    """Return samples if their fields are possible, or raise `TelemetryError`."""
    _check_times(samples["time_ns"], header, f"a sample of worker {worker}")
    for field, most in (("verdict", len(VERDICTS) - 1), ("captured", header["sample_bytes"])):
        if (samples[field] > most).any():
            raise _impossible(f"{field}={samples[field].max()}", f"a sample of worker {worker}")
    return samples


def check_latency(counts: npt.NDArray[np.uint64], worker: int) -> npt.NDArray[np.uint64]:
    """Return the counts of a histogram if their sum can't overflow, or raise `TelemetryError`."""
    if (counts >= _MOST_FRAMES).any():
        raise _impossible(f"{counts.max()} frames", f"the latency of worker {worker}")
    return counts


def _check_times(times: npt.NDArray[np.uint64], header: Any, where: str) -> None:
    wrong = times[(times < header["monotonic_ns"]) | (times >= _LATEST_NS)]
    if len(wrong):
        raise _impossible(f"time_ns={wrong[0]}", where)


def _impossible(what: str, where: str) -> TelemetryError:
    return TelemetryError(
        f"the telemetry region says {what} in {where}, which no engine writes: it is damaged, or "
        "not one of xdplab's. Map it again from the engine that has it (Engine.telemetry_path)."
    )
