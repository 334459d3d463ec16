"""The settings when a ledger was read: all that its explanations know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdplab.net.filtering import Filtering


@dataclass(frozen=True)
class Overflow:
    """The workers' state while their RX rings overflowed."""

    stopped: bool = False
    """Whether most packets were lost while the workers were stopped."""
    busy: float = 0.0
    """The share of the time in which they ran on their cores."""
    contended: bool = False
    """Whether they lost their cores to others more often than they slept."""


@dataclass(frozen=True)
class Situation:
    """The settings when a ledger was read."""

    interface: str = "the interface"
    queues: tuple[int, ...] = (0,)
    stray_queues: tuple[int, ...] = ()
    """Queues without an engine on which packets came, where the driver counts by queue."""
    queue_count: int = 0
    """Queues that the interface has; 0 where that is not known."""
    running: bool = True
    fault: str = ""
    """Why a worker ended by itself."""
    lost_program: str = ""
    """Why packets no longer reach the engine, where its workers go on."""
    bypassed: bool = False
    """Whether packets went past the engine at some time since the ledger began."""
    gone: tuple[str, ...] = ()
    """Interfaces that are no longer where they were."""
    broken_links: tuple[str, ...] = ()
    """Which interfaces frames can't pass, why, and what to do: a sentence each."""
    carrier_losses: Mapping[str, int] = field(default_factory=dict)
    """How often an interface lost its carrier since the ledger began."""
    sends: bool = False
    path: str = "xsk"
    kind: str = "xsk"
    """The kind of the path: "xsk", "udp", "packet" or "program"."""
    socket_buffer: int = 0
    wait: str = "poll"
    paced: bool = False
    """Whether `Engine.pace` held the workers back at some time since the ledger began."""
    ring_size: int = 2048
    cpus: tuple[int, ...] = ()
    overflow: Overflow | None = None
    generator_cpu: int | None = None
    """None without a generator."""
    frame_size: int = 0
    """Bytes of a frame of the generator."""
    mtu: int = 1500
    """MTU of the generator's interface."""
    port_mtu: int = 1500
    """MTU of the engine's interface."""
    attach: str = "native"
    filtering: Filtering | None = None
    """How the engine's interface filters by address, where no packet came."""
    umem_frame: int = 2048
    """Bytes of a frame of the UMEM."""
    headroom: int = 0
    began_quiet: bool = True
    flowing: bool = False
    """Whether counts were still growing."""
    senders: tuple[str, ...] = ()
    """Senders that were still sending, each with the call that stops it."""
    slower: str = ""
    """The assignment that lowers the sender's rate, as a user types it."""
    other_core: int | None = None
    """A core that neither a worker nor the generator runs on."""
    steering: str = ""
    """The argument or command that brings packets to the engine's queues, as a user types it."""
    queueing: tuple[str, ...] = ()
    """Commands that make frames wait where the device can't take them at once."""
    reconfigured: Mapping[str, object] = field(default_factory=dict)
    """Settings that `Engine.reconfigure` changed since the ledger began, by their flat names."""
    went_uncounted: bool = False
    """Whether there was no XDP program for a moment, on a driver that does not count each frame."""
    simulated: bool = False
    """Whether the interface is a soft NIC's."""
    faults: Mapping[str, int] = field(default_factory=dict)
    """Faults that a soft NIC was told to have: one frame in so many, by the fault's name."""
    replays: bool = False
    """Whether the generator sends a capture file's frames."""
    checksum_remedies: tuple[str, ...] = ()
    """Commands that make packets arrive with finished checksums."""
    length_remedies: tuple[str, ...] = ()
    """Commands that keep packets from being longer than the MTU."""
    left_out: int = 0
    """Frames of the capture file that can't be sent."""
    remarks: tuple[str, ...] = ()
    """Notes on frames of the capture file that are left out, or not sent as captured."""
