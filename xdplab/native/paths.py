"""The native table of receive paths: which there are, and what the XDP program counts for each."""

from __future__ import annotations

from enum import IntEnum

from xdplab.native import lib
from xdplab.native.records import names_in

PATHS: tuple[str, ...] = tuple(name for name in names_in(lib.xdplab_path) if name != "soft")
"""Names of the receive paths, in the order of their indices."""

SOFT_PATH = len(PATHS)
"""Index of what stands for `xsk` where that is simulated: the native table's last."""


class Kind(IntEnum):
    """What the XDP program counts as being for a path, by which paths are alike."""

    XSK = lib.XDPLAB_COUNTS_REDIRECTED
    """AF_XDP: what it redirects."""
    UDP = lib.XDPLAB_COUNTS_DATAGRAMS
    """A UDP socket: datagrams for it."""
    PACKET = lib.XDPLAB_COUNTS_ALL
    """An AF_PACKET socket: everything."""
    PROGRAM = lib.XDPLAB_COUNTS_DROPPED
    """The XDP program itself: what it drops."""

    @property
    def has_socket_buffer(self) -> bool:
        """Whether packets wait in an ordinary socket."""
        return self in (Kind.UDP, Kind.PACKET)


def kind_of(path: str) -> Kind:
    """Return what kind of path one of `PATHS` is."""
    return Kind(lib.xdplab_path_counts(PATHS.index(path)))
