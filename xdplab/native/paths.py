"""The native table of receive paths, and which packets the XDP program counts for each."""

from __future__ import annotations

from enum import IntEnum

from xdplab.native import lib
from xdplab.native.records import names_in

PATHS: tuple[str, ...] = tuple(name for name in names_in(lib.xdplab_path) if name != "soft")
"""Names of the receive paths, in the order of their indices."""

SOFT_PATH = len(PATHS)
"""Index of the path that simulates `xsk`: the native table's last."""


class Kind(IntEnum):
    """Kinds of paths, by the packets that the XDP program counts for them."""

    XSK = lib.XDPLAB_COUNTS_REDIRECTED
    """AF_XDP: packets that it redirects."""
    UDP = lib.XDPLAB_COUNTS_DATAGRAMS
    """A UDP socket: datagrams for it."""
    PACKET = lib.XDPLAB_COUNTS_ALL
    """An AF_PACKET socket: all packets."""
    PROGRAM = lib.XDPLAB_COUNTS_DROPPED
    """The XDP program itself: packets that it drops."""

    @property
    def has_socket_buffer(self) -> bool:
        """Whether packets wait in an ordinary socket."""
        return self in (Kind.UDP, Kind.PACKET)


def kind_of(path: str) -> Kind:
    """Return the kind of one of `PATHS`."""
    return Kind(lib.xdplab_path_counts(PATHS.index(path)))
