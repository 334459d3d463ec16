"""What browsers were told of a page's widgets, and what they are told as these change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets

from xdplab.widgets.live.viewed import Outlet, Viewed
from xdplab.widgets.page.messages import packed, read
from xdplab.widgets.page.server import Connection, File, Listener, Server
from xdplab.widgets.page.tree import module_name, node_of, shown_in, text_of
from xdplab.widgets.style.sheet import SHEET

_HERE = Path(__file__).parent
_MOST_VIEWS = 100  # of a browser: it has one of each widget


class Pages(Listener):
    """The widgets of a page, and its browsers.

    Parameters
    ----------
    widgets
        What it shows, below each other.
    title
        Its heading.
    """

    def __init__(self, widgets: Sequence[Any], title: str) -> None:
        self._widgets, self._title = widgets, title
        self._server: Server | None = None
        self._shown: dict[str, Any] = {}
        # One for each widget, so that views in the same state share a message.
        self._outlets: dict[str, Outlet] = {}
        self._connections: dict[Connection, set[tuple[str, str]]] = {}  # their views: model, name
        self._owners: dict[tuple[str, str], Connection] = {}  # the same by view
        self._observed: list[tuple[Any, Any, str]] = []
        self._is_stale = False
        self.files = {
            "": File("text/html", (_HERE / "page.html").read_text()),
            "page.js": File("text/javascript", (_HERE / "page.js").read_text()),
            "page.css": File("text/css", (_HERE / "page.css").read_text()),
            "style.css": File("text/css", SHEET),
        }
        """The page's files by name."""
        self.ended = False
        """Whether it is served no more."""
        self._look()

    @property
    def readers(self) -> int:
        """How many browsers are connected."""
        return len(self._connections)

    def serve(self, server: Server) -> None:
        """Have a server for what browsers are told."""
        self._server = server

    def end(self) -> None:
        """Listen to no widget any more."""
        self.ended = True
        self._look_away()

    def leave(self) -> None:
        """Close all connections."""
        for connection in list(self._connections):
            connection.end()

    # On the server's thread.

    def opened(self, connection: Connection) -> None:
        """Show a browser the page."""
        self._connections[connection] = set()
        connection.tell(self._page())
        self._count()

    def heard(self, connection: Connection, message: str | bytes) -> None:
        """Hand a view's message on to its widget."""
        try:
            model, content = read(message)
        except (KeyError, TypeError, ValueError):
            return  # no message of page.js
        widget, view = self._shown.get(model), (model, content["view"])
        if not isinstance(widget, Viewed):
            return
        views = self._connections[connection]
        # A name that another browser has is not this one's to use.
        if len(views) < _MOST_VIEWS and self._owners.setdefault(view, connection) is connection:
            views.add(view)
            widget.hear(content, self._outlets[model])
            if content["kind"] == "bye":
                views.discard(view)
                del self._owners[view]

    def left(self, connection: Connection) -> None:
        """End a browser's views."""
        for model, view in self._connections.pop(connection, ()):
            del self._owners[model, view]
            if model in self._shown:
                self._shown[model].hear({"view": view, "kind": "bye"}, self._outlets[model])
        self._count()

    def _rebuild(self) -> None:
        self._is_stale = False
        if self.ended:
            return
        self._look_away()
        self._look()
        self._tell(self._page())
        self._count()

    def _page(self) -> str:
        nodes = [node_of(widget) for widget in self._widgets]
        return json.dumps({"kind": "page", "title": self._title, "nodes": nodes})

    def _count(self) -> None:
        self._tell(json.dumps({"kind": "readers", "count": self.readers}))

    def _tell(self, message: str) -> None:
        for connection in list(self._connections):
            connection.tell(message)

    def _pass_on(self, model: str, views: Sequence[str], message: bytes) -> None:
        owners = {self._owners.get((model, view)) for view in views}
        for owner in owners:
            if owner is not None:
                owner.tell(message)

    def _look(self) -> None:
        """Find what is shown, and listen to it."""
        self._shown = {widget.model_id: widget for widget in shown_in(*self._widgets)}
        self._outlets = {model: partial(self._send, model) for model in self._shown}
        for widget in self._shown.values():
            self._observe(widget.layout, self._rearranged, "display")
            if isinstance(widget, Viewed):
                module = File("text/javascript", str(widget._esm))
                self.files[module_name(widget)] = module
                self._observe(widget, self._failed, "error")
            elif isinstance(widget, ipywidgets.Box):
                self._observe(widget, self._rearranged, "children")
            else:
                self._observe(widget, self._changed, "value")

    def _observe(self, thing: Any, heard: Any, name: str) -> None:
        thing.observe(heard, name)
        self._observed.append((thing, heard, name))

    def _look_away(self) -> None:
        while self._observed:
            thing, heard, name = self._observed.pop()
            thing.unobserve(heard, name)

    # On any thread.

    def _send(self, model: str, content: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        if self._server is not None:
            message = packed(model, content, buffers)
            self._server.call(self._pass_on, model, content["views"], message)

    def _changed(self, change: Mapping[str, Any]) -> None:
        self._say("text", change["owner"].model_id, text_of(change["owner"]))

    def _failed(self, change: Mapping[str, Any]) -> None:
        self._say("error", change["owner"].model_id, str(change["new"]))

    def _say(self, kind: str, model: str, text: str) -> None:
        if self._server is not None:
            self._server.call(self._tell, json.dumps({"kind": kind, "id": model, "text": text}))

    def _rearranged(self, _change: Mapping[str, Any]) -> None:
        if self._server is not None and not self._is_stale:
            self._is_stale = True  # several changes at a time make one new page
            self._server.call(self._rebuild)
