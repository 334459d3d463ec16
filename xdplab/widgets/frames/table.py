"""The table of sampled frames in the browser: rows stream in, a click shows a frame's layers.

The messages are those of `live/messages.py`. Rows come at most twice a second, and the next only
when a view has drawn the last. No frame is in the widget's state, nor in a saved notebook.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

from xdplab.core.errors import ConfigurationError
from xdplab.widgets.frames.feed import FrameFeed, FrameRow
from xdplab.widgets.frames.filter import EXAMPLES, FrameFilter
from xdplab.widgets.frames.picture import picture_of
from xdplab.widgets.live.messages import (
    FilterSet,
    FrameChosen,
    FrameDetails,
    FrameGone,
    FromView,
    Paused,
    TableRows,
)
from xdplab.widgets.live.viewed import View, Viewed, module
from xdplab.widgets.pictures.picture import Draw, follow_cells
from xdplab.widgets.style import palette
from xdplab.widgets.style.sheet import SHEET

HEARTBEAT = 3.0
"""Seconds without news after which a view gets an empty message, which it must answer."""

BEATS_A_TAKE = 5
"""Send rows twice a second: nobody reads faster."""

_COLORS = {
    "UDP": palette.BLUE,
    "TCP": palette.GREEN,
    "ICMP": palette.VERMILLION,
    "ICMPv6": palette.VERMILLION,
    "ARP": palette.PURPLE,
}


class _State(NamedTuple):
    """The table's state in a view, besides rows."""

    filter: str
    """As it was typed, also where it was refused."""
    refused: str
    """Why it was; what was valid before holds on."""
    paused: bool
    first: int
    """The number of the oldest row kept; the view removes older ones."""
    kept: int
    passing: int
    passed_over: int
    sample_every: int
    are_payloads: bool
    """Whether the samples have no headers, so that no expression passes them."""


class _Seen(NamedTuple):
    """The state and rows that were sent to a view last."""

    filter: FrameFilter
    newest: int
    state: _State


@dataclass
class _View(View):
    seen: _Seen | None = None


class FrameTable(Viewed[_View]):
    """A table of the newest rows that pass the filter, in every browser that shows it.

    Parameters
    ----------
    feed
        Brings the rows.
    on_take
        Called on the pump's thread, twice a second while a view is open.
    """

    _esm = module(Path(__file__).with_name("table.js"))
    _css = SHEET + Path(__file__).with_name("table.css").read_text()

    def __init__(self, feed: FrameFeed, on_take: Callable[[], None]) -> None:
        self._feed = feed
        self._on_take = on_take
        self._filter = FrameFilter()
        self._refused: tuple[str, str] | None = None
        self.paused = False
        """Whether new frames are left out."""
        self._number = 0
        self._beats = 0
        # The rows that passed the filter the last time, and the filter and rows it was applied to.
        self._passed: tuple[FrameFilter, tuple[FrameRow, ...], tuple[FrameRow, ...]]
        self._passed = (self._filter, (), ())
        self._pictured: tuple[FrameRow, ...] | None = None
        super().__init__()
        follow_cells()

    def __repr__(self) -> str:
        return f"<FrameTable: {len(self._feed.kept)} frames>"

    @property
    def filter(self) -> FrameFilter:
        """The filter of the rows shown. Any thread may set it, and `paused`."""
        return self._filter

    @filter.setter
    def filter(self, chosen: FrameFilter) -> None:
        self._filter, self._refused = chosen, None

    def passing(self) -> tuple[FrameRow, ...]:
        """Return the kept rows that pass the filter, oldest first."""
        return tuple(filter(self.filter, self._feed.kept))

    def static_picture(self) -> Draw | None:
        """Return a function that draws the present rows, see `picture.Pictured`."""
        if not self.paused:
            self._feed.take()
        _, passing = self._present()
        if passing is self._pictured:
            return None
        self._pictured = passing
        simulated = bool(self._feed.telemetry.header["simulated"])
        return lambda: picture_of(passing, simulated)

    def _tick(self, now: float) -> None:
        if self._beats % BEATS_A_TAKE == 0:
            if not self.paused:
                self._feed.take()
            self._on_take()
        self._beats += 1
        self._send_news(now)

    def _asked(self, message: FromView, now: float) -> None:
        name, kind = message["view"], message["kind"]
        if kind == "rows":
            self._views[name] = _View(name, heard=now)
        elif kind == "filter":
            self._take_filter(cast(FilterSet, message)["text"])
        elif kind == "pause":
            self.paused = bool(cast(Paused, message)["paused"])
        elif kind == "frame":
            self._take_apart(name, cast(FrameChosen, message)["number"])

    def _take_filter(self, text: str) -> None:
        try:
            self.filter = FrameFilter(text)
        except ConfigurationError as error:
            self._refused = (text, str(error))

    def _take_apart(self, name: str, number: int) -> None:
        row = next((row for row in self._feed.kept if row.number == number), None)
        if row is None:
            gone: FrameGone = {"kind": "gone", "views": [name], "row": number}
            self._tell(gone)
            return
        frame: FrameDetails = {
            "kind": "frame",
            "views": [name],
            "row": number,
            "layers": [layer._asdict() for layer in row.layers()],
            "about": row.about,
        }
        self._tell(frame, [row.frame])

    def _present(self) -> tuple[_Seen, tuple[FrameRow, ...]]:
        """Return the state of a view that is up to date, and the rows that pass the filter."""
        wanted, kept, refused = self._filter, self._feed.kept, self._refused
        if self._passed[0] is not wanted or self._passed[1] is not kept:
            self._passed = (wanted, kept, self._passing(wanted, kept))
        passing = self._passed[2]
        state = _State(
            filter=wanted.text if refused is None else refused[0],
            refused="" if refused is None else _words(refused[1], wanted.text),
            paused=self.paused,
            first=kept[0].number if kept else 0,
            kept=len(kept),
            passing=len(passing),
            passed_over=self._feed.passed_over,
            sample_every=int(self._feed.telemetry.control()["sample_every"]),
            are_payloads=bool(kept) and kept[-1].is_payload,
        )
        return _Seen(wanted, kept[-1].number if kept else 0, state), passing

    def _passing(self, wanted: FrameFilter, kept: tuple[FrameRow, ...]) -> tuple[FrameRow, ...]:
        """Return the rows that pass; those seen before are not looked at again."""
        before, seen, passed = self._passed
        if before is not wanted or not seen or not kept:
            return tuple(filter(wanted, kept))
        first, last = kept[0].number, seen[-1].number
        old = (row for row in passed if row.number >= first)
        return (*old, *(row for row in kept if row.number > last and wanted(row)))

    def _send_news(self, now: float) -> None:
        waiting: dict[_Seen | None, list[_View]] = {}
        for view in self._views.values():
            if view.number == view.answered:
                waiting.setdefault(view.seen, []).append(view)
        if not waiting:
            return
        present, passing = self._present()
        # Views in the same state share one message: in the end that is all of them.
        for seen, alike in waiting.items():
            views = [v for v in alike if seen != present or now - v.sent >= HEARTBEAT]
            if not views:
                continue
            self._number += 1
            for view in views:
                view.seen, view.number, view.sent = present, self._number, now
            replace = seen is None or seen.filter is not present.filter
            after = 0 if seen is None or replace else seen.newest
            message: TableRows = {
                "kind": "rows",
                "views": [view.name for view in views],
                "number": self._number,
                "replace": replace,
                "rows": [self._cells(row) for row in passing if row.number > after],
                "state": present.state._asdict(),
                "examples": EXAMPLES,
                "colors": _COLORS,
            }
            self._tell(message)

    def _cells(self, row: FrameRow) -> dict[str, str | int]:
        joined = len(set(self._feed.telemetry.interfaces)) > 1
        return {
            "number": row.number,
            "time": row.time,
            "queue": f"{row.interface} {row.queue}" if joined else str(row.queue),
            "verdict": row.verdict,
            "source": row.source,
            "destination": row.destination,
            "protocol": row.protocol,
            "length": row.length,
            "captured": row.captured,
            "summary": row.summary,
        }


def _words(refused: str, filter_in_force: str) -> str:
    """Return why a filter was refused, and what is shown instead."""
    shown = f"what passes {filter_in_force!r}" if filter_in_force else "every frame"
    return f"{refused} Shown is still {shown}."
