"""The groups of settings that `Engine` takes: each documents its settings, and checks them.

`Configuration` checks the settings that depend on each other.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdplab.configuration.keywords import group
from xdplab.core.checks import boolean, choice, seconds, shown, whole
from xdplab.core.errors import ConfigurationError
from xdplab.native import lib
from xdplab.native.records import names_of

SMALLEST_BUFFER, LARGEST_BUFFER = 1 << 17, 1 << 30
"""Bytes for packets that wait in a socket."""

CHECKSUMS: tuple[str, ...] = names_of("xdplab_checksum", "XDPLAB_CHECKSUM_")
"""Who finishes the checksum of a packet that is sent on: the values of `Engine.checksum`."""

HUGE_PAGES: dict[bool | str, int] = {
    False: lib.XDPLAB_HUGE_PAGES_NEVER,
    "auto": lib.XDPLAB_HUGE_PAGES_IF_ANY,
    True: lib.XDPLAB_HUGE_PAGES_ALWAYS,
}
WORD = 8  # samples are read by whole words
HIGHEST_PRIORITY = 99  # sched(7)
RAREST_SAMPLE = 1 << 62
_LARGEST_HEADROOM = 1 << 20
_SHORTEST_INTERVAL = 0.001
LONGEST_INTERVAL = 0.5
"""Most seconds between two records of the history."""


@group("memory")
@dataclass(frozen=True, kw_only=True)
class Memory:
    """How packets lie in memory.

    Parameters
    ----------
    headroom
        Bytes left free before each packet, for headers to be put in front: a multiple of 8, at
        most the engine's `frame_size` less 704, which the kernel keeps for itself and the shortest
        packet.
    unaligned
        Whether `frame_size` may be no power of two: a multiple of 8 from 2048 to 4096. Zero-copy
        with such frames takes ``huge_pages=True``.
    huge_pages
        True puts the UMEM into reserved huge pages of 2 MiB, ``"auto"`` where enough are reserved.
        Not the default, since another program may need them.
    multi_buffer
        Whether a packet may fill several frames, up to 18, as the MTU of 9000 bytes takes. Then
        `batch` and `burst` count frames, at least 18, so that a packet is always handled whole. It
        needs Linux 6.6, with ``attach="skb"`` 6.9, and a `ring_size` from 32. Longer packets are
        dropped, and counted as ``rx_too_long``.
    socket_buffer
        Bytes for packets that wait in the socket of a ``udp-`` or ``packet`` path, 131,072 to
        1,073,741,824: the value for SO_RCVBUF, which the kernel doubles and from which it takes its
        own overhead (768 bytes to some 4 kB a small packet), or the size of the block ring.

    Raises
    ------
    ConfigurationError
        For values that can't work.
    """

    headroom: int = 0
    unaligned: bool = False
    huge_pages: bool | str = False
    multi_buffer: bool = False
    socket_buffer: int = 8 << 20

    def __post_init__(self) -> None:
        keep(
            self,
            headroom=whole("headroom", self.headroom, 0, _LARGEST_HEADROOM),
            unaligned=boolean("unaligned", self.unaligned),
            huge_pages=_which_pages(self.huge_pages),
            multi_buffer=boolean("multi_buffer", self.multi_buffer),
            socket_buffer=whole(
                "socket_buffer", self.socket_buffer, SMALLEST_BUFFER, LARGEST_BUFFER
            ),
        )
        if self.headroom % WORD:
            raise ConfigurationError(f"headroom={self.headroom} must be a multiple of {WORD}.")


@group("sampling", every="sample_every", bytes="sample_bytes")
@dataclass(frozen=True, kw_only=True)
class Sampling:
    """What telemetry keeps of packets, and how often it is written.

    Parameters
    ----------
    every
        1 frame in this many is kept as a sample; 0 keeps none. `Engine.sample_every` changes it
        later.
    bytes
        Bytes kept of a sampled frame, 64 to 4096.
    metadata
        Whether the XDP program asks the device for each packet's hash, receive time and VLAN tag,
        and puts them in front of it and into the samples (``hash``, ``hash_type``,
        ``device_time_ns``; ``flags`` says which are valid), and into a capture's batches
        (`Batch.hashes` and so on). It needs Linux 6.3 and ``attach="native"``. Drivers differ:
        veth has a hash for packets from the peer's stack and no receive time, so the program's own
        time takes its place.
    publish_interval
        Seconds between two records of the history, 0.001 to 0.5.

    Raises
    ------
    ConfigurationError
        For values that can't work.
    """

    every: int = 1000
    bytes: int = 256
    metadata: bool = False
    publish_interval: float = 0.01

    def __post_init__(self) -> None:
        keep(
            self,
            every=whole("Sampling: every", self.every, 0, RAREST_SAMPLE),
            bytes=whole("Sampling: bytes", self.bytes, 64, lib.XDPLAB_LARGEST_SAMPLE),
            metadata=boolean("metadata", self.metadata),
            publish_interval=seconds(
                "publish_interval", self.publish_interval, _SHORTEST_INTERVAL, LONGEST_INTERVAL
            ),
        )


@group("worker")
@dataclass(frozen=True, kw_only=True)
class Worker:
    """How each worker's thread runs.

    Parameters
    ----------
    burst
        Most packets received before the worker looks at its knobs, the clock and what was sent.
        `Engine.burst` changes it later.
    checksum
        Who finishes the checksum of a packet that is sent on (reflect, echo, forward), where a
        local stack left it to its device, as on every veth. ``"software"``: the worker, which needs
        some 10 ns a packet to look, and 0.1 ns a byte to finish. ``"none"``: nobody. ``"device"``:
        the device by which the packet leaves. In copy mode the kernel sees to it on every device;
        with zero-copy the driver must announce it. It takes Linux 6.11 or newer, and 24 bytes in
        front of each packet (``struct xsk_tx_metadata``), so an engine that begins with another
        can't change to it. What only software can finish, the worker does: SCTP's, those of frames
        with bytes behind the packet, and of packets that a handler sees.
        `Engine.checksum` changes it later.
    realtime
        Priority, 1 to 99, at which the workers run as SCHED_FIFO threads, which needs CAP_SYS_NICE;
        0 keeps the normal scheduler. A spinning worker with a priority leaves its core to no other
        thread.

    Raises
    ------
    ConfigurationError
        For values that can't work.
    """

    burst: int = 256
    checksum: str = "software"
    realtime: int = 0

    def __post_init__(self) -> None:
        keep(
            self,
            burst=whole("burst", self.burst, 1, lib.XDPLAB_LARGEST_BURST),
            checksum=choice("checksum", self.checksum, CHECKSUMS),
            realtime=whole("realtime", self.realtime, 0, HIGHEST_PRIORITY),
        )


def keep(owner: object, **values: object) -> None:
    """Put checked, plain values into a frozen dataclass: they are compared, printed and pickled."""
    for name, value in values.items():
        object.__setattr__(owner, name, value)


def _which_pages(huge_pages: object) -> bool | str:
    """Check which pages the UMEM is to use."""
    if type(huge_pages) in (bool, str) and huge_pages in HUGE_PAGES:
        return huge_pages
    raise ConfigurationError(f"huge_pages={shown(huge_pages)} must be True, False or 'auto'.")
