"""A program, as far as its links know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdplab.core.closing import Closing
from xdplab.core.errors import ClosedError

if TYPE_CHECKING:
    from xdplab.backends.backend import LoadedProgram
    from xdplab.xdp.followers import Follower
    from xdplab.xdp.link import Link


class Attachable(Closing):
    """What of a `Program` its links use and change."""

    _loaded: LoadedProgram

    def __init__(self) -> None:
        self._links: set[Link] = set()
        self._followers: set[Follower] = set()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def _ready(self) -> LoadedProgram:
        if self.closed:
            raise ClosedError("this program was closed. Load it again: Program(source, lab.port).")
        return self._loaded
