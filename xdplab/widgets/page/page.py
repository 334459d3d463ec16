"""Widgets as a page for many browsers, which change nothing."""

from __future__ import annotations

import html
import socket
from collections.abc import Sequence

import ipywidgets

from xdplab.core.calls import public
from xdplab.core.checks import instance_of, is_a, items, shown, text, whole
from xdplab.core.closing import Closing
from xdplab.core.errors import ConfigurationError
from xdplab.net.replacing import replace_at
from xdplab.widgets.page.pages import Pages
from xdplab.widgets.page.server import Server
from xdplab.widgets.page.tree import shows_nothing

_EVERY_ADDRESS = ("", "0.0.0.0", "::")
_MOST_PORT = 65_535
_MOST = 100  # widgets


@public
class LivePage(Closing):
    """A page of widgets for many browsers, which change nothing: a teacher's rings on all laptops.

    It shows texts, figures and tables, live, and leaves out buttons, sliders and menus. There is
    one engine and one widget, whoever reads: each row is made once. The page is served until
    `close`, also within a ``with``, or until the process ends. In a notebook, re-running the cell
    that made a page replaces it.

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

    _server: Server | None = None

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
            if shows_nothing(part):
                raise ConfigurationError(f"widgets: a page shows nothing of {shown(part)}.")
        address, title = text("address", address), text("title", title)
        port = whole("port", port, 0, _MOST_PORT)
        replace_at(self, address, port, title)
        self._pages = Pages(parts, title)
        self._server = Server(address, port, self._pages.files, self._pages)
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
        if self._server is not None:
            self._server.stop(self._pages.leave)
            self._pages.end()

    def __repr__(self) -> str:
        if self._pages.ended:
            return "<LivePage: closed>"
        return f"<LivePage {self.url}, read by {self.readers}>"

    def _repr_html_(self) -> str:
        if self._pages.ended:
            return html.escape(repr(self))
        link = html.escape(self.url)
        return f'<a href="{link}" target="_blank">{link}</a>, read by {self.readers}'
