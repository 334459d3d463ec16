"""Tries zero-copy on a real interface that the user names."""

from __future__ import annotations

from collections.abc import Iterator

from xdplab.configuration.umem import LARGEST_REAL_FRAME
from xdplab.core.errors import XdplabError
from xdplab.doctor.finding import Finding, refused
from xdplab.engine.engine import Engine

_NOTHING = "ether proto 0x88b6"  # an ethertype for local experiments: all else goes to the stack


def zero_copy(interface: str) -> Iterator[Finding]:
    """Bind a socket with zero-copy to an interface's first queue, and take it back.

    For that the driver gets an XDP program for a moment, for which some set their link up anew.

    Parameters
    ----------
    interface
        Its name.
    """
    name = check_name(interface)
    try:
        with Engine(interface, bind="zero-copy", match=_NOTHING, frame_size=LARGEST_REAL_FRAME):
            yield Finding(name, "good", "a socket was bound to queue 0 with it")
    except XdplabError as error:
        yield refused(name, "limited", error)


def check_name(interface: str) -> str:
    """Return the name of this check of an interface."""
    return f"{interface}: zero-copy"
