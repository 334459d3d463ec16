"""Rows over time of a generator: the rate that it makes, and the one that was asked of it.

A generator has a count and no history. So its count is read while somebody looks at the plot, and
what was sent between two readings is spread evenly.
"""

from __future__ import annotations

import time
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

from xdplab.core.text import rate
from xdplab.ledger.offered import ENOUGH
from xdplab.ledger.subjects import CountedTraffic
from xdplab.widgets.base.clock import local_ms
from xdplab.widgets.base.feed import Update
from xdplab.widgets.history.feed import STEPS

COLUMNS = ("time", "made", "asked")
"""Packets a second; asked is nan while it is stopped, or goes as fast as it can."""

_CLOSEST_NS = round(min(STEPS.values()) * 1e9)  # from one look to the next: nothing finer is shown
_KEPT = 10 * max(STEPS)  # looks, of which there are usually ten a second

_JUDGED_NS = 2 * 10**9


_LOOK = np.dtype([("time_ns", np.int64), ("sent", np.int64), ("asked", np.float64)])


class GeneratorFeed:
    """Feed of a live figure; its positions are those of `HistoryFeed`.

    Parameters
    ----------
    traffic
        The generator, which is not kept alive.
    """

    def __init__(self, traffic: CountedTraffic) -> None:
        self._traffic = weakref.ref(traffic)
        self._ring = np.zeros(_KEPT, _LOOK)
        self._count = 0  # looks so far
        self.seconds = 60
        """The range, one of `STEPS`. A caller that changes it must refresh the figure."""
        self.until: int | None = None
        """End of the rows, in ns of CLOCK_MONOTONIC; None for now."""

    def look(self) -> None:
        """Read what the generator has sent, unless that was done just now; on the pump's thread."""
        traffic, now = self._traffic(), time.monotonic_ns()
        if traffic is None or (self._count and now - self._newest["time_ns"] < _CLOSEST_NS):
            return
        asked = traffic.rate if traffic.running else np.nan
        asked = np.nan if isinstance(asked, str) else float(asked)
        self._ring[self._count % _KEPT] = now, traffic.sent, asked
        self._count += 1

    def __call__(self, position: int | None) -> Update | None:
        """Return the rows after `position`, or all rows of the range."""
        if self._count < 2:
            return None
        looks = self._looks
        step = round(STEPS[self.seconds] * 1e9)
        end = int(looks["time_ns"][-1])
        if self.until is not None:
            end = min(end, self.until)
        last = end // step
        first = max(-(-int(looks["time_ns"][0]) // step), last - self.seconds * 10**9 // step)
        if position is not None:
            first = max(first, position // step)
        if last <= first:
            return None
        edges = np.arange(first, last + 1) * step
        times, sent = looks["time_ns"], looks["sent"].astype(np.float64)
        made = np.diff(np.interp(edges, times, sent)) / (step / 1e9)
        at_end = np.searchsorted(times, edges[1:], side="right") - 1
        columns = {"time": local_ms(edges[1:]), "made": made, "asked": looks["asked"][at_end]}
        return Update(columns, int(edges[-1]), position is None)

    def shortfall(self) -> str:
        """Say that it makes less than it was asked for; nothing if it makes that."""
        if not self._count:
            return ""
        looks, newest = self._looks, self._newest
        since = int(np.searchsorted(looks["time_ns"], newest["time_ns"] - _JUDGED_NS, "right")) - 1
        judged = looks[max(since, 0) :]
        passed = int(newest["time_ns"] - judged["time_ns"][0])
        if passed < _JUDGED_NS / 2 or (judged["asked"] != newest["asked"]).any():
            return ""
        made, asked = int(newest["sent"] - judged["sent"][0]) * 1e9 / passed, float(newest["asked"])
        if made >= ENOUGH * asked:
            return ""
        return f"the generator makes {rate(made, 3)} of the {rate(asked)} asked"

    @property
    def _newest(self) -> Any:
        return self._ring[(self._count - 1) % _KEPT]

    @property
    def _looks(self) -> npt.NDArray[Any]:
        """The looks that are kept, oldest first."""
        if self._count <= _KEPT:
            return self._ring[: self._count]
        return np.roll(self._ring, -(self._count % _KEPT))
