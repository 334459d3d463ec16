"""The frames that an engine sampled, as a table with their layers, which can be saved."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import ipywidgets

from xdplab.core.calls import public
from xdplab.core.checks import boolean
from xdplab.core.checks import text as checked_text
from xdplab.core.files import Saved
from xdplab.widgets.base.closing import ClosesModels
from xdplab.widgets.frames.feed import FrameFeed, FrameRow
from xdplab.widgets.frames.filter import FrameFilter
from xdplab.widgets.frames.table import FrameTable
from xdplab.widgets.parts.engine_view import EngineView, status_html
from xdplab.widgets.parts.export_bar import Export, ExportBar, telemetry_exports

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine


@public
class Frames(ClosesModels, ipywidgets.VBox):  # type: ignore[misc]
    """Sampled frames in a table, dissected by scapy; a click shows a frame's layers and bytes.

    The engine samples one frame in `Engine.sample_every`, and keeps the first `sample_bytes` of it.
    The table keeps the newest 500 and dissects 40 a second, to cost little CPU time; it says how
    many others are not shown. It does not keep its engine alive, and says so when the engine is
    closed or gone; its samples can still be shown and saved.

    Parameters
    ----------
    engine
        The engine to show; it need not run yet.
    """

    def __init__(self, engine: Engine) -> None:
        self._view = EngineView(engine)
        self._feed = FrameFeed(self._view.telemetry)
        self._table = FrameTable(self._feed, self._show_status)
        self._status = ipywidgets.HTML()
        self._show_status()
        exports = {"frames shown": Export(self.save, "frames.pcapng")}
        bar = ExportBar(exports | telemetry_exports(self._view.telemetry))
        super().__init__([self._status, self._table, bar])

    def __repr__(self) -> str:
        shown = f"{len(self._table.passing())} frames"
        return f"<Frames: {self._view.label}, {self._view.state().words}, {shown}>"

    @property
    def filter(self) -> str:
        """The filter of the frames shown in every view.

        In the syntax of tcpdump, ``port 1234`` or ``icmp or udp``; and ``queue:0``,
        ``verdict:drop``. What is no filter is refused.
        """
        return self._table.filter.text

    @filter.setter
    def filter(self, text: str) -> None:
        self._table.filter = FrameFilter(checked_text("filter", text))

    @property
    def paused(self) -> bool:
        """Whether new frames are left out."""
        return self._table.paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._table.paused = boolean("paused", paused)

    @property
    def rows(self) -> tuple[FrameRow, ...]:
        """The frames shown, oldest first, including new samples unless it is paused."""
        if not self.paused:
            self._feed.take()
        return self._table.passing()

    def save(self, path: str | os.PathLike[str]) -> Saved:
        """Save the frames shown: all that are kept and pass the filter.

        Parameters
        ----------
        path
            Ends in ``.pcapng``, ``.csv`` or ``.parquet``, as for `Telemetry.save_samples`, which
            saves all samples.

        Returns
        -------
        Saved
            The file, and the number of frames.

        Raises
        ------
        ConfigurationError, KernelError
            As `Telemetry.save_samples` does.
        """
        return self._feed.save(path, self.rows)

    def _show_status(self) -> None:
        said = status_html(self._view, self._view.state())
        if self._status.value != said:
            self._status.value = said
