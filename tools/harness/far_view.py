"""A view as on another machine: it receives and answers like a browser, but draws nothing."""

from __future__ import annotations

import json
import struct
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from harness.errors import BrowserError
from xdplab.core.closing import Closing

_ANSWER_INTERVAL = 0.45  # seconds, as in live/figure.js
_PATIENCE = 60.0


class FarView(Closing):
    """A view on a live figure, without a browser.

    Parameters
    ----------
    address
        Address of the kernel's channels, ``ws://…``.
    figure
        The widget's id.
    cells
        Code for `run`, by name.

    Raises
    ------
    BrowserError
        When the server doesn't answer.
    """

    def __init__(self, address: str, figure: str, cells: Mapping[str, str]) -> None:
        import websocket  # noqa: PLC0415 - comes with the Jupyter server

        self._figure, self._cells = figure, cells
        self._count = 0
        self._answered = 0.0
        self._ended: dict[str, threading.Event] = {}
        try:
            self._socket = websocket.create_connection(address, timeout=_PATIENCE)
        except (OSError, websocket.WebSocketException) as error:
            raise BrowserError(f"the kernel's channels could not be opened: {error}") from error
        self._thread = threading.Thread(target=self._hear_all, daemon=True)
        self._thread.start()
        self._say({"kind": "rows"})

    def run(self, cell: str) -> None:
        """Run a cell to its end.

        Raises
        ------
        BrowserError
            When it does not end.
        """
        ended = threading.Event()
        options = {"silent": False, "store_history": False, "allow_stdin": False}
        content = {"code": self._cells[cell], "user_expressions": {}, **options}
        self._send("execute_request", content, ended)
        if not ended.wait(_PATIENCE):
            raise BrowserError(f"the cell {cell!r} did not end")

    def messages(self) -> int:
        """Return the number of messages received."""
        return self._count

    def close(self) -> None:
        """Send the message of a closed view, and end."""
        if self._thread.is_alive():
            self._say({"kind": "bye"})
            self._socket.close()
            self._thread.join(_PATIENCE)

    def _say(self, content: Mapping[str, Any]) -> None:
        data = {"method": "custom", "content": {"view": "elsewhere", **content}}
        self._send("comm_msg", {"comm_id": self._figure, "data": data})

    def _send(
        self, kind: str, content: Mapping[str, Any], ended: threading.Event | None = None
    ) -> None:
        header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": "elsewhere"}
        header |= {"username": "", "version": "5.3", "date": "1970-01-01T00:00:00Z"}
        if ended is not None:
            self._ended[header["msg_id"]] = ended
        message = {"header": header, "parent_header": {}, "metadata": {}, "channel": "shell"}
        self._socket.send(json.dumps(message | {"content": content}))

    def _hear_all(self) -> None:
        import websocket  # noqa: PLC0415

        try:
            while received := self._socket.recv():
                self._count += 1
                self._hear(json.loads(received if isinstance(received, str) else _json(received)))
        except (OSError, websocket.WebSocketException):
            pass  # closed

    def _hear(self, message: Mapping[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "execute_reply":
            if ended := self._ended.pop(message["parent_header"]["msg_id"], None):
                ended.set()
        elif content.get("comm_id") == self._figure:
            rows = content["data"].get("content", {})
            now = time.monotonic()
            if rows.get("kind") == "rows" and now - self._answered >= _ANSWER_INTERVAL:
                self._answered = now
                self._say({"kind": "got", "number": rows["number"]})


def _json(message: bytes) -> bytes:
    """Return the JSON of a message with buffers: number of buffers, offsets, JSON, buffers.

    jupyter_server, "WebSocket kernel wire protocol", the default one.
    """
    (parts,) = struct.unpack_from(">I", message)
    offsets = [*struct.unpack_from(f">{parts}I", message, 4), len(message)]
    return message[offsets[0] : offsets[1]]
