"""A live Bokeh figure, with its static picture: the widget of all plots of xdplab that update."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bokeh.models import LayoutDOM

from xdplab.core.calls import public
from xdplab.core.checks import boolean
from xdplab.widgets.base.feed import Feed
from xdplab.widgets.live.figure import FigureStream
from xdplab.widgets.pictures.figure import FigurePicture
from xdplab.widgets.pictures.picture import Draw, follow_cells


@public
class LiveFigure(FigureStream):
    """A Bokeh figure whose rows stream into every browser that shows it.

    Parameters
    ----------
    figure
        A Bokeh figure or layout. It is read once, here: from then on `feeds` and `set` change what
        browsers show, and changing the object changes nothing. Text, axes and grids take the
        page's ink, except those of models that have `palette.KEEP_INK` among their `tags`.
    feeds
        The feed of each live data source, by its `name`. Feeds are called on the pump's thread, and
        only while a view is open.
    rollover
        How many rows a source keeps in the browser; 0 where each update replaces all of them.
    on_beat
        Called at each beat of the pump while a view is open, before the feeds.
    description
        The text of `repr`, for use without a browser.
    simulated
        Whether its static picture is marked as simulated.

    Raises
    ------
    ConfigurationError
        When the figure has no data source with a feed's name.
    """

    def __init__(
        self,
        figure: LayoutDOM,
        feeds: Mapping[str, Feed],
        *,
        rollover: int,
        on_beat: Callable[[], None] | None = None,
        description: str = "a live figure",
        simulated: bool = False,
    ) -> None:
        self.simulated = boolean("simulated", simulated)
        """Whether what stands in for it is marked as simulated."""
        super().__init__(figure, feeds, rollover=rollover, on_beat=on_beat, description=description)
        self._picture: FigurePicture | None = FigurePicture(figure, feeds, self.simulated)
        follow_cells()

    def static_picture(self) -> Draw | None:
        """Return a function that draws the figure now, with or without views: see `Pictured`."""
        if self._picture is None:
            return None
        if self._on_beat is not None:
            self._on_beat()
        return self._picture.take(self._present_properties(), watched=bool(self._views))

    def close(self) -> None:
        """Close the figure, as all widgets; its Bokeh models, some megabytes, are freed too."""
        super().close()
        self._picture = None
