"""A server of files and of one websocket, on a thread of its own."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import re
from abc import ABC, abstractmethod
from asyncio import Future
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from xdplab.core.checks import shown
from xdplab.core.errors import KernelError
from xdplab.core.threads import Thread

_LONGEST_MESSAGE = 1 << 16  # bytes; a browser's have some hundred
_LONGEST_STOP = 30.0  # seconds
_PING_SECONDS = 10.0  # between two: a browser that answers none is gone
_MOST_UNDER_WAY = 200  # messages to a browser, which a figure sends ten of at most


class File(NamedTuple):
    """What is served under a name."""

    kind: str
    """Its media type."""
    content: str


class Connection(WebSocketHandler):
    """A browser."""

    def initialize(self, listener: Listener) -> None:
        """Have it tell a listener."""
        self._listener = listener
        self._under_way = 0

    def open(self, *_path: str, **_more: str) -> None:
        """Be connected."""
        self._listener.opened(self)

    def on_message(self, message: str | bytes) -> None:
        """Get a message."""
        self._listener.heard(self, message)

    def on_close(self) -> None:
        """Be gone."""
        self._listener.left(self)

    def end(self) -> None:
        """Close the connection, whether the browser answers or not."""
        stream = None if self.ws_connection is None else self.ws_connection.stream
        if stream is not None:
            stream.close()

    def tell(self, message: str | bytes) -> None:
        """Send a message, unless the browser is gone; it is, if it takes none."""
        if self._under_way >= _MOST_UNDER_WAY:
            self.end()
            return
        with suppress(WebSocketClosedError):
            sent = self.write_message(message, binary=isinstance(message, bytes))
            self._under_way += 1
            sent.add_done_callback(self._sent)

    def _sent(self, sent: Future[None]) -> None:
        self._under_way -= 1
        if not sent.cancelled():
            sent.exception()  # the browser is gone: nobody's error


class Listener(ABC):
    """Who is told of browsers, always on the server's thread."""

    @abstractmethod
    def opened(self, connection: Connection) -> None:
        """Take note of a browser."""

    @abstractmethod
    def heard(self, connection: Connection, message: str | bytes) -> None:
        """Take a browser's message."""

    @abstractmethod
    def left(self, connection: Connection) -> None:
        """Take note that a browser is gone."""


class _Files(RequestHandler):
    def initialize(self, files: Mapping[str, File]) -> None:
        self._files = files

    def get(self, name: str) -> None:
        if name not in self._files:
            raise HTTPError(404)
        kind, content = self._files[name]
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.finish(content)


class Server:
    """Serves files by name, and a websocket at ``/live``, until it is stopped.

    Parameters
    ----------
    address, port
        Where it listens; port 0 is one that is free.
    files
        By name; the empty name is the page itself.
    listener
        Is told of browsers.

    Raises
    ------
    KernelError
        When it can't listen there.
    """

    def __init__(
        self, address: str, port: int, files: Mapping[str, File], listener: Listener
    ) -> None:
        try:
            self._sockets = bind_sockets(port, address)
        except (OSError, UnicodeError) as error:  # the latter: too long for a name
            code = getattr(error, "errno", 0)  # negative where the name stands for no address
            raise KernelError(
                f"listen on address={shown(address)}, port={port}",
                code if code > 0 else errno.EADDRNOTAVAIL,
                "Choose an address that this machine has, '0.0.0.0' for all of them, and a port "
                "that is free; port=0 takes one.",
            ) from error
        self.port: int = self._sockets[0].getsockname()[1]
        """Where it listens."""
        self._application = Application(
            websocket_max_message_size=_LONGEST_MESSAGE,
            websocket_ping_interval=_PING_SECONDS,
            log_function=lambda _handler: None,  # a line for each request is nobody's to read
        )
        self._application.add_handlers(
            _hosts(address),
            [
                ("/live", Connection, {"listener": listener}),
                ("/(.*)", _Files, {"files": files}),
            ],
        )
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(self._run, name="xdplab-page")
        self._thread.start()

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function on the server's thread; nothing once it stopped."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(function, *arguments)

    def stop(self, leave: Callable[[], object]) -> None:
        """Listen no more; to call it again does nothing. `leave` ends the connections."""
        self.call(leave)
        self.call(self._loop.stop)
        self._thread.join(_LONGEST_STOP)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = HTTPServer(self._application)
        self._loop.call_soon(server.add_sockets, self._sockets)
        self._loop.run_forever()
        server.stop()
        self._loop.run_until_complete(server.close_all_connections())
        self._loop.close()


def _hosts(address: str) -> str:
    """Return a pattern of the names by which browsers may call it.

    A page of this machine's own is called by its address: a site that gives its own name that
    address can't read it.
    """
    try:
        own = ipaddress.ip_address(address).is_loopback
    except ValueError:
        own = False
    return rf"localhost|\[?{re.escape(address)}\]?" if own else ".*"
