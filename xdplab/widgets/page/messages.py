"""The messages between a page's server and its browsers.

::

    browser                               server
    (connects)                      ──▶
                                    ◀──   page: the widgets, as a tree of `tree.Node`
                                    ◀──   text: what one of them says now
                                    ◀──   error: why a view of it stands still
                                    ◀──   readers: how many browsers there are
    a message of live/messages.py   ──▶   as {"model": id, "content": ...}
                                    ◀──   binary: one of those, see `packed`

All are JSON but the last. `page.js` is the browser's half.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from xdplab.widgets.live.messages import FromView

_READS = ("figure", "library", "rows", "here", "bye")
_READS_OF_A_NUMBER = ("got", "frame")


def read(message: str | bytes) -> tuple[str, FromView]:
    """Take a browser's message apart: the widget's id, and what a view of it says.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is none, or of a kind that changes something for others.
    """
    try:
        asked = json.loads(message)
    except RecursionError:
        raise ValueError("brackets in brackets") from None
    said: dict[str, Any] = {name: str(asked["content"][name]) for name in ("view", "kind")}
    if said["kind"] in _READS_OF_A_NUMBER:
        said["number"] = asked["content"]["number"]
        if type(said["number"]) is not int:
            raise ValueError(said["number"])
    elif said["kind"] not in _READS:
        raise ValueError(said["kind"])
    return str(asked["model"]), cast(FromView, said)


def packed(model: str, content: Mapping[str, Any], buffers: Iterable[Any]) -> bytes:
    """Return a widget's message with its buffers.

    The length of a header (uint32, little endian), the header as JSON, which has the lengths of
    the buffers in bytes, and the buffers. It is the same for all views that it is for, and has not
    their names: a browser knows its own.
    """
    parts = [bytes(buffer) for buffer in buffers]
    lengths = [len(part) for part in parts]
    nameless = {name: value for name, value in content.items() if name != "views"}
    header = json.dumps({"model": model, "content": nameless, "lengths": lengths}).encode()
    return b"".join((len(header).to_bytes(4, "little"), header, *parts))
