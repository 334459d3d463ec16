"""Converts the engine's clock to the time of day, the same way for all figures of a process."""

from __future__ import annotations

import time
from functools import cache
from typing import overload

import numpy as np
import numpy.typing as npt


@overload
def local_ms(monotonic_ns: int) -> float: ...
@overload
def local_ms(monotonic_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]: ...
def local_ms(monotonic_ns: int | npt.NDArray[np.int64]) -> float | npt.NDArray[np.float64]:
    """Return local time in milliseconds since 1970, as Bokeh shows it.

    Parameters
    ----------
    monotonic_ns
        CLOCK_MONOTONIC, as in telemetry and journals.
    """
    return (monotonic_ns + _offset_ns()) / 1e6


def clock_time(monotonic_ns: int) -> str:
    """Return the local time of day, to the tenth of a second."""
    tenths = round(local_ms(monotonic_ns) / 100)
    seconds, tenth = divmod(tenths, 10)
    return f"{time.strftime('%H:%M:%S', time.gmtime(seconds))}.{tenth}"


@cache
def _offset_ns() -> int:
    # Once per process: two figures side by side must not differ by a correction of NTP in between.
    return time.time_ns() - time.monotonic_ns() + time.localtime().tm_gmtoff * 10**9
