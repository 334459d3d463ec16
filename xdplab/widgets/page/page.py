"""Widgets as a page for many browsers, which change nothing."""

from __future__ import annotations

import html
import json
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets

from xdplab.core.calls import public
from xdplab.core.checks import instance_of, is_a, items, shown, text, whole
from xdplab.core.errors import ConfigurationError
from xdplab.widgets.live.viewed import Viewed
from xdplab.widgets.page.messages import packed, read
from xdplab.widgets.page.server import Connection, File, Listener, Server
from xdplab.widgets.page.tree import SHOWN, module_name, node_of, shown_in, text_of
from xdplab.widgets.style.sheet import SHEET

_HERE = Path(__file__).parent
_EVERY_ADDRESS = ("", "0.0.0.0", "::")
_MOST_PORT = 65_535
_MOST = 100  # widgets


@public
class LivePage:
    """A page of widgets for many browsers, which change nothing: a teacher's rings on all laptops.

    It shows texts, figures and tables, live, and leaves out buttons, sliders and menus. There is
    one engine and one widget, whoever reads: each row is made once. The page is served until
    `close`, also within a ``with``, or until the process ends.

    Everyone who reaches the address may read it, so it is this machine's own by default.

    Parameters
    ----------
    widgets
        What to show: one of `Rings`, `Dashboard` and other widgets, or several, below each other.
        They may be shown in the notebook, too.
    address
        The address to listen on; ``"0.0.0.0"`` is all that this machine has.
    port
        The TCP port; 0 takes one that is free.
    title
        The page's heading.

    Raises
    ------
    ConfigurationError
        When there is no widget, or one that shows nothing.
    KernelError
        When it can't listen there.

    Examples
    --------
    >>> from xdplab import Engine, Lab
    >>> from xdplab.widgets import LivePage, Rings
    >>> with Lab() as lab, Engine(lab.port) as engine, LivePage(Rings(engine)) as page:
    ...     print(page.readers)
    0
    """

    def __init__(
        self,
        widgets: ipywidgets.Widget | Sequence[ipywidgets.Widget],
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        title: str = "xdplab",
    ) -> None:
        several: object = [widgets] if is_a(widgets, ipywidgets.Widget) else widgets
        parts = items("widgets", several, "widgets, as [Rings(engine)], or one widget", _MOST)
        if not parts:
            raise ConfigurationError("widgets=[] must have a widget: give it one, or several.")
        for part in parts:
            instance_of("widgets", part, ipywidgets.Widget, "a widget, as Rings(engine)")
            if not isinstance(part, SHOWN):
                raise ConfigurationError(f"widgets: a page shows nothing of {shown(part)}.")
        address, title = text("address", address), text("title", title)
        port = whole("port", port, 0, _MOST_PORT)
        self._pages = _Pages(parts, title)
        self._server = Server(address, port, self._pages.files(), self._pages)
        self._pages.serve(self._server)
        named = socket.gethostname() if address in _EVERY_ADDRESS else address
        host = f"[{named}]" if ":" in named else named
        self.url = f"http://{host}:{self._server.port}/"
        """Where it is; with all addresses, by the machine's name."""

    @property
    def readers(self) -> int:
        """How many browsers have it open."""
        return self._pages.readers

    def close(self) -> None:
        """Serve it no more; the widgets stay. To call it again does nothing."""
        self._server.stop(self._pages.leave)
        self._pages.end()

    def __enter__(self) -> LivePage:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._pages.ended:
            return "<LivePage: closed>"
        return f"<LivePage {self.url}, read by {self.readers}>"

    def _repr_html_(self) -> str:
        if self._pages.ended:
            return html.escape(repr(self))
        link = html.escape(self.url)
        return f'<a href="{link}" target="_blank">{link}</a>, read by {self.readers}'


class _Pages(Listener):
    """What browsers have been told. The server's thread alone changes it."""

    def __init__(self, widgets: Sequence[Any], title: str) -> None:
        self._widgets, self._title = widgets, title
        self._shown = {widget.model_id: widget for widget in shown_in(*widgets)}
        # One for each widget, so that views in the same state share a message.
        self._outlets = {model: partial(self._send, model) for model in self._shown}
        self._connections: dict[Connection, set[tuple[str, str]]] = {}  # their views: model, name
        self._server: Server | None = None
        self.ended = False
        """Whether it is served no more."""

    @property
    def readers(self) -> int:
        """How many browsers are connected."""
        return len(self._connections)

    def files(self) -> dict[str, File]:
        """Return the page's files by name."""
        files = {
            "": File("text/html", (_HERE / "page.html").read_text()),
            "page.js": File("text/javascript", (_HERE / "page.js").read_text()),
            "page.css": File("text/css", (_HERE / "page.css").read_text()),
            "style.css": File("text/css", SHEET),
        }
        for widget in self._shown.values():
            if isinstance(widget, Viewed):
                files[module_name(widget)] = File("text/javascript", str(widget._esm))
        return files

    def serve(self, server: Server) -> None:
        """Tell browsers what changes from now on."""
        self._server = server
        for widget in self._shown.values():
            if not isinstance(widget, Viewed | ipywidgets.Box):
                widget.observe(self._changed, "value")

    def end(self) -> None:
        """Listen to no widget any more."""
        if self.ended:
            return
        self.ended = True
        for widget in self._shown.values():
            if not isinstance(widget, Viewed | ipywidgets.Box):
                widget.unobserve(self._changed, "value")

    # On the server's thread.

    def opened(self, connection: Connection) -> None:
        self._connections[connection] = set()
        nodes = [node_of(widget) for widget in self._widgets]
        connection.tell(json.dumps({"kind": "page", "title": self._title, "nodes": nodes}))
        self._count()

    def heard(self, connection: Connection, message: str | bytes) -> None:
        try:
            model, content = read(message)
        except (KeyError, TypeError, ValueError):
            return  # no message of page.js
        widget = self._shown.get(model)
        if isinstance(widget, Viewed):
            self._connections[connection].add((model, content["view"]))
            widget.hear(content, self._outlets[model])

    def left(self, connection: Connection) -> None:
        for model, view in self._connections.pop(connection, ()):
            self._shown[model].hear({"view": view, "kind": "bye"}, self._outlets[model])
        self._count()

    def leave(self) -> None:
        """Close all connections."""
        for connection in list(self._connections):
            connection.end()

    def _count(self) -> None:
        self._tell(json.dumps({"kind": "readers", "count": self.readers}))

    def _tell(self, message: str) -> None:
        for connection in list(self._connections):
            connection.tell(message)

    def _pass_on(self, model: str, views: Sequence[str], message: bytes) -> None:
        wanted = {(model, view) for view in views}
        for connection, shown_there in list(self._connections.items()):
            if wanted & shown_there:
                connection.tell(message)

    # On any thread.

    def _send(self, model: str, content: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        if self._server is not None:
            message = packed(model, content, buffers)
            self._server.call(self._pass_on, model, content["views"], message)

    def _changed(self, change: Mapping[str, Any]) -> None:
        widget = change["owner"]
        said = {"kind": "text", "id": widget.model_id, "text": text_of(widget)}
        if self._server is not None:
            self._server.call(self._tell, json.dumps(said))
