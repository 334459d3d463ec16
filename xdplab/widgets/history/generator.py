"""Rows over time of a generator: the rate that it makes, and the one that was asked of it.

A generator has a count and no history. So its count is read while somebody looks at the plot, and
what was sent between two readings is spread evenly.
"""

from __future__ import annotations

import time
import weakref
from collections import deque
from typing import NamedTuple

import numpy as np

from xdplab.core.text import rate
from xdplab.ledger.offered import ENOUGH
from xdplab.ledger.subjects import CountedTraffic
from xdplab.widgets.base.clock import local_ms
from xdplab.widgets.base.feed import Update
from xdplab.widgets.history.feed import STEPS

COLUMNS = ("time", "made", "asked")
"""Packets a second; asked is nan while it is stopped, or goes as fast as it can."""

_KEPT = 10 * max(STEPS)  # looks, of which there are ten a second

_JUDGED_NS = 2 * 10**9


class _Look(NamedTuple):
    time_ns: int
    sent: int
    asked: float


class GeneratorFeed:
    """Feed of a live figure; its positions are those of `HistoryFeed`.

    Parameters
    ----------
    traffic
        The generator, which is not kept alive.
    """

    def __init__(self, traffic: CountedTraffic) -> None:
        self._traffic = weakref.ref(traffic)
        self._looks: deque[_Look] = deque(maxlen=_KEPT)
        self.seconds = 60
        """The range, one of `STEPS`. A caller that changes it must refresh the figure."""
        self.until: int | None = None
        """End of the rows, in ns of CLOCK_MONOTONIC; None for now."""

    def look(self) -> None:
        """Read what the generator has sent; on the pump's thread."""
        traffic = self._traffic()
        if traffic is None:
            return
        asked = traffic.rate if traffic.running else np.nan
        asked = np.nan if isinstance(asked, str) else float(asked)
        self._looks.append(_Look(time.monotonic_ns(), traffic.sent, asked))

    def __call__(self, position: int | None) -> Update | None:
        """Return the rows after `position`, or all rows of the range."""
        if len(self._looks) < 2:
            return None
        step = round(STEPS[self.seconds] * 1e9)
        end = self._looks[-1].time_ns
        if self.until is not None:
            end = min(end, self.until)
        last = end // step
        first = max(-(-self._looks[0].time_ns // step), last - self.seconds * 10**9 // step)
        if position is not None:
            first = max(first, position // step)
        if last <= first:
            return None
        edges = np.arange(first, last + 1) * step
        looks = self._since(int(edges[0]))
        times = np.array([look.time_ns for look in looks])
        sent = np.array([look.sent for look in looks], dtype=np.float64)
        asked = np.array([look.asked for look in looks])
        made = np.diff(np.interp(edges, times, sent)) / (step / 1e9)
        at_end = np.searchsorted(times, edges[1:], side="right") - 1
        columns = {"time": local_ms(edges[1:]), "made": made, "asked": asked[at_end]}
        return Update(columns, int(edges[-1]), position is None)

    def shortfall(self) -> str:
        """Say that it makes less than it was asked for; nothing if it makes that."""
        if not self._looks:
            return ""
        newest = self._looks[-1]
        judged = self._since(newest.time_ns - _JUDGED_NS)
        passed = newest.time_ns - judged[0].time_ns
        steady = all(look.asked == newest.asked for look in judged)
        if passed < _JUDGED_NS / 2 or not steady:
            return ""
        made = (newest.sent - judged[0].sent) * 1e9 / passed
        if made >= ENOUGH * newest.asked:
            return ""
        return f"the generator makes {rate(made, 3)} of the {rate(newest.asked)} asked"

    def _since(self, time_ns: int) -> list[_Look]:
        """Return the looks from the last one at or before a time on."""
        looks: list[_Look] = []
        for look in reversed(self._looks):
            looks.append(look)
            if look.time_ns <= time_ns:
                break
        return looks[::-1]
