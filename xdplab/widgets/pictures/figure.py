"""The static picture of a live figure, drawn from the same models and rows."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bokeh.models import LayoutDOM

from xdplab.widgets.pictures.picture import Bundle, Draw

if TYPE_CHECKING:
    from xdplab.widgets.base.feed import Feed

TIME_SHARE = 0.1
"""The share of the time that a figure's pictures may take while the figure itself is in view."""

Properties = Mapping[tuple[str, str], object]
"""Properties that were set, by the model's id and the property's name."""


class FigurePicture:
    """Draws a figure as a browser shows it.

    Parameters
    ----------
    figure
        A Bokeh figure or layout.
    feeds
        The feeds of its rows, by the `name` of the data source.
    simulated
        Whether it is marked as simulated.
    """

    def __init__(self, figure: LayoutDOM, feeds: Mapping[str, Feed], simulated: bool) -> None:
        self._figure, self._feeds = figure, feeds
        self.simulated = simulated
        self._models = {str(model.id): model for model in figure.references()}
        self._positions: dict[str, int] = {}
        self._properties: Properties = {}
        self._rests_until = 0.0

    def take(self, properties: Properties, watched: bool) -> Draw | None:
        """Call the feeds, and return a function that draws their rows.

        Parameters
        ----------
        properties
            Properties that were set.
        watched
            Whether the figure itself is in view, so that the picture may be an older one.

        Returns
        -------
        Draw
            None if nothing is new or it is too early.
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
        from xdplab.widgets.pictures.drawing import draw  # noqa: PLC0415 - imports matplotlib: slow

        began = time.monotonic()
        for (model, name), value in properties.items():
            setattr(self._models[model], name, value)
        image = base64.b64encode(draw(self._figure, columns, self.simulated)).decode()
        self._rests_until = began + (time.monotonic() - began) / TIME_SHARE
        return {"image/png": image}
