"""The static picture of a live figure: the same models, the same rows."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bokeh.models import LayoutDOM

from xdplab.widgets.pictures.picture import Bundle, Draw

if TYPE_CHECKING:
    from xdplab.widgets.live.figure import Feed

TIME_SHARE = 0.1
"""Of the time, that a figure's pictures may take while somebody looks at the figure itself."""

Properties = Mapping[tuple[str, str], object]
"""What was set, by a model's id and the name of the property."""


class FigurePicture:
    """Draws a figure as browsers show it.

    Parameters
    ----------
    figure
        A Bokeh figure or layout.
    feeds
        Where its rows come from, by the `name` of the data source.
    simulated
        Whether it bears the mark of what is simulated.
    """

    def __init__(self, figure: LayoutDOM, feeds: Mapping[str, Feed], simulated: bool) -> None:
        self._figure, self._feeds = figure, feeds
        self.simulated = simulated
        self._models = {str(model.id): model for model in figure.references()}
        self._positions: dict[str, int] = {}
        self._properties: Properties = {}
        self._rests_until = 0.0

    def take(self, properties: Properties, watched: bool) -> Draw | None:
        """Ask the feeds, and return what draws what they gave.

        Parameters
        ----------
        properties
            What was set.
        watched
            Whether somebody looks at the figure itself, so that the picture may be an older one.

        Returns
        -------
        Draw
            Or None, where nothing is new or it is too early.
        """
        if watched and time.monotonic() < self._rests_until:
            return None
        if properties == self._properties and not self._has_news():
            return None
        updates = {name: feed(None) for name, feed in self._feeds.items()}
        known = {name: update for name, update in updates.items() if update is not None}
        self._positions = {name: update.position for name, update in known.items()}
        self._properties = dict(properties)
        columns = {name: update.columns for name, update in known.items()}
        return lambda: self._draw(columns, self._properties)

    def _has_news(self) -> bool:
        asked = ((feed, self._positions.get(name)) for name, feed in self._feeds.items())
        return not self._positions or any(feed(seen) is not None for feed, seen in asked)

    def _draw(self, columns: Mapping[str, Mapping[str, Any]], properties: Properties) -> Bundle:
        from xdplab.widgets.pictures.drawing import draw  # noqa: PLC0415 - matplotlib takes its time

        began = time.monotonic()
        for (model, name), value in properties.items():
            setattr(self._models[model], name, value)
        image = base64.b64encode(draw(self._figure, columns, self.simulated)).decode()
        self._rests_until = began + (time.monotonic() - began) / TIME_SHARE
        return {"image/png": image}
