"""A Bokeh figure whose rows stream into browsers: the messages are those of `messages.py`.

A beat sends one message for all sources of a figure: a float64 buffer for each source, with its
columns of numbers one after the other, and columns of text in the message itself. A buffer for each
column would take the Jupyter server as long as all else.

Rows come at most ten times a second. A view confirms what it has drawn after five messages, or once
a second: for the kernel a confirmation is dearer than sending. A slow view gets nothing more until
it has drawn the rows under way, and then all that it missed in one message.

None of this is in the widget's state: a saved notebook holds neither figure nor data.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from bokeh.embed import json_item
from bokeh.models import ColumnDataSource, LayoutDOM
from bokeh.resources import Resources

from xdplab.core.checks import callable_of, instance_of, mapping, shown, text, whole
from xdplab.core.errors import ConfigurationError
from xdplab.widgets.base.feed import Feed, Update
from xdplab.widgets.live.messages import FigureRows, FromView, Source
from xdplab.widgets.live.viewed import View, Viewed, module

_MOST_ROWS = 1 << 31

UNDER_WAY = 10
"""Most messages that may be under way to a view: as many as in a second."""

HEARTBEAT = 1.0
"""Seconds without rows after which a view gets an empty message, which it must answer."""


@dataclass
class _View(View):
    shows_rows: bool = False
    positions: dict[str, int] = field(default_factory=dict)  # by source; missing: send all rows
    properties: int = 0  # number of the last setting that it was sent

    @property
    def has_seen(self) -> tuple[object, ...]:
        """A key that is equal for two views in the same state."""
        return self.properties, *sorted(self.positions.items())


@cache
def _library() -> bytes:
    """Return BokehJS of the installed bokeh package, gzipped from 1.3 to 0.4 MB."""
    parts = Resources(mode="inline", components=["bokeh"], minified=True).js_raw
    return gzip.compress("\n".join(parts).encode(), compresslevel=6)


class FigureStream(Viewed[_View]):
    """A Bokeh figure whose rows stream into every browser that shows it; see `LiveFigure`."""

    _esm = module(*(Path(__file__).with_name(name) for name in ("spare.js", "figure.js")))
    rollover = 0
    """How many rows a source keeps in the browser; may be changed."""

    def __init__(
        self,
        figure: LayoutDOM,
        feeds: Mapping[str, Feed],
        *,
        rollover: int,
        on_beat: Callable[[], None] | None = None,
        description: str = "a live figure",
    ) -> None:
        instance_of("figure", figure, LayoutDOM, "a Bokeh figure or layout")
        for feed in mapping("feeds", feeds, "feeds by the names of their sources").values():
            callable_of("feeds", feed)
        if on_beat is not None:
            callable_of("on_beat", on_beat)
        rollover = whole("rollover", rollover, 0, _MOST_ROWS)
        self._description = text("description", description)
        self._figure = json.dumps(json_item(figure)).encode()
        self._models: dict[str, list[str]] = {}  # ids of models by name
        sources = {}
        for model in figure.references():
            if model.name:
                self._models.setdefault(model.name, []).append(model.id)
                if isinstance(model, ColumnDataSource):
                    sources[model.name] = model.id
        if missing := set(feeds) - set(sources):
            raise ConfigurationError(f"the figure has no data source named {sorted(missing)}")
        self.feeds: Mapping[str, Feed] = MappingProxyType(dict(feeds))
        """The feed of each live data source, by its name."""
        self._source_ids = {name: sources[name] for name in feeds}
        self.rollover = rollover
        self._on_beat = on_beat
        self._number = UNDER_WAY  # so that a view gets no more before it has drawn its first rows
        # Values given to `set` and, once the pump took them, their order, by id and property.
        self._settings: dict[tuple[str, str], object] = {}
        self._properties: dict[tuple[str, str], tuple[int, object]] = {}
        self._properties_set = 0
        self._stale = False
        super().__init__()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._description}>"

    def set(self, model_name: str, **properties: object) -> None:
        """Set properties of the figure's models with a name, in all present and future views.

        Any thread may call this, also from a feed; it takes effect with the next rows.

        Parameters
        ----------
        model_name
            The `name` of a Bokeh model in Python.
        properties
            Values that JSON can hold: numbers, text, booleans, lists of them.

        Raises
        ------
        ConfigurationError
            When the figure has no model of that name.
        """
        model_name = text("model_name", model_name)
        if model_name not in self._models:
            raise ConfigurationError(
                f"model_name: the figure has no model named {shown(model_name)}, but "
                f"{sorted(self._models)}"
            )
        for model in self._models[model_name]:
            for name, value in properties.items():
                self._settings[model, name] = value

    def refresh(self) -> None:
        """Send all rows to every view anew, as if it had just been rendered."""
        self._stale = True

    def _tick(self, now: float) -> None:
        if self._on_beat is not None:
            self._on_beat()
        if self._stale:
            self._stale = False
            for view in self._views.values():
                view.positions.clear()
        self._send_rows(now)

    def _asked(self, message: FromView, now: float) -> None:
        name, kind = message["view"], message["kind"]
        self._views[name] = _View(name, heard=now, shows_rows=kind == "rows")
        if kind == "figure":
            self._tell({"kind": "figure", "views": [name]}, [self._figure])
        elif kind == "library":
            self._tell({"kind": "library", "views": [name]}, [_library()])

    def _take_settings(self) -> None:
        while self._settings:
            key, value = self._settings.popitem()
            if key not in self._properties or self._properties[key][1] != value:
                self._properties_set += 1
                self._properties[key] = (self._properties_set, value)

    def _send_rows(self, now: float) -> None:
        waiting: dict[tuple[object, ...], list[_View]] = {}
        for view in self._views.values():
            if view.shows_rows and view.number - view.answered < UNDER_WAY:
                waiting.setdefault(view.has_seen, []).append(view)
        # Views in the same state share one message: in the end that is all of them.
        groups = [(alike, self._updates(alike[0].positions)) for alike in waiting.values()]
        self._take_settings()  # after the feeds, so that their settings go with their rows
        for alike, updates in groups:
            properties = self._news(alike[0].properties)
            is_news = bool(updates or properties)
            views = [view for view in alike if is_news or now - view.sent >= HEARTBEAT]
            if not views:
                continue
            self._number += 1
            for view in views:
                view.positions |= {name: update.position for name, update in updates.items()}
                view.properties = self._properties_set
                view.number, view.sent = self._number, now
            self._tell(*self._rows(updates, properties, [view.name for view in views]))

    def _updates(self, positions: Mapping[str, int]) -> dict[str, Update]:
        updates = {}
        for name, feed in self.feeds.items():
            update = feed(positions.get(name))
            if update is not None:
                updates[name] = update
        return updates

    def _present_properties(self) -> dict[tuple[str, str], object]:
        """Return the properties that were set, by the model's id and the property's name."""
        self._take_settings()
        return {key: value for key, (_, value) in self._properties.items()}

    def _news(self, since: int) -> dict[str, dict[str, object]]:
        """Return the properties that were set after number `since`, by model."""
        news: dict[str, dict[str, object]] = {}
        if since < self._properties_set:
            for (model, name), (number, value) in self._properties.items():
                if number > since:
                    news.setdefault(model, {})[name] = value
        return news

    def present(self) -> tuple[bytes, FigureRows, list[Any]]:
        """Return the figure as JSON and its present rows with their buffers, as a view gets them.

        The pump's thread calls this, as it does feeds.
        """
        updates = self._updates({})
        self._take_settings()
        return self._figure, *self._rows(updates, self._news(0), [])

    def _rows(
        self,
        updates: Mapping[str, Update],
        properties: Mapping[str, Mapping[str, object]],
        views: list[str],
    ) -> tuple[FigureRows, list[Any]]:
        """Return the message with rows and properties, and its buffers."""
        sources: list[Source] = []
        buffers: list[Any] = []
        for name, (columns, _, replace) in updates.items():
            texts = {key: values for key, values in columns.items() if isinstance(values, list)}
            numbers = {key: values for key, values in columns.items() if key not in texts}
            sources.append(
                {
                    "id": self._source_ids[name],
                    "replace": replace,
                    "numbers": list(numbers),
                    "texts": texts,
                }
            )
            if numbers:
                buffers.append(np.array(list(numbers.values()), dtype="<f8").data)
        message: FigureRows = {
            "kind": "rows",
            "views": views,
            "number": self._number,
            "rollover": self.rollover,
            "properties": properties,
            "sources": sources,
        }
        return message, buffers
